"""`.ci/run` finds a second Python for the tests that depend on it, and ends with the main run."""

import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = (Path(__file__).parents[2] / ".ci/run").read_text()
PYTHONS = Path(__file__).parents[2] / ".ci/pythons"


@pytest.fixture
def pythons(tmp_path):
    """`pythons(first, *found)`: what is found, beside a .venv of minor version `first`, of commands and pyenv's."""

    def make(path, says):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{says}\n")
        path.chmod(0o755)

    def choose(first, *, commands=(), pyenv=(), broken=(), root="PYENV_ROOT"):
        make(tmp_path / ".venv/bin/python", f"echo {first}")
        for minor in commands:
            make(tmp_path / f"bin/python3.{minor}", f"echo {minor} /commands/{minor}")
        for minor in broken:
            make(tmp_path / f"bin/python3.{minor}", "exit 127")
        for minor in pyenv:
            make(tmp_path / f"pyenv/versions/3.{minor}.1/bin/python", f"echo {minor} /pyenv/{minor}")
        make(tmp_path / "pyenv/bin/pyenv", "exit 1")
        places = {"PYENV_ROOT": str(tmp_path / "pyenv"), "PATH": f"{tmp_path / 'bin'}:{tmp_path / 'pyenv/bin'}"}
        environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "nowhere"), root: places[root]}
        ran = subprocess.run(
            ["/bin/bash", str(PYTHONS)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return ran.stdout.split()

    return choose


def test_the_newest_that_venv_does_not_have_is_first(pythons):
    assert pythons(11, commands=(11, 12, 13)) == ["/commands/13", "/commands/12"]
    assert pythons(13, commands=(11, 12, 13)) == ["/commands/12", "/commands/11"]


def test_pyenv_has_what_its_shim_does_not_start(pythons):
    assert pythons(11, commands=(12,), pyenv=(13,), broken=(13,)) == ["/pyenv/13", "/commands/12"]


def test_pyenv_is_found_by_its_command_too(pythons):
    """Another HOME, as a clean build has, hides its directory."""
    assert pythons(11, pyenv=(13,), root="PATH") == ["/pyenv/13"]


def test_without_another_one_there_is_none(pythons):
    assert pythons(11, broken=(12, 13)) == []


def test_the_main_run_is_last_and_its_summary_closes_the_output():
    runs = re.findall(r"^ *(make \S+|on_second_python|with_kurigram)(?=.* \|\| status)", SCRIPT, re.MULTILINE)
    assert runs == ["make set-up-dev", "make check", "on_second_python", "with_kurigram", "make test", "make test"]
    assert SCRIPT.rstrip().splitlines()[-1] == 'exit "$status"'


def ran_with_kurigram(tmp_path):
    """What the share for kurigram asks of make."""
    share = re.search(r"^with_kurigram\(\) \{.*?^\}$", SCRIPT, re.MULTILINE | re.DOTALL)
    assert share
    script = (
        f"set -euo pipefail\nparallel='-n 4'\nmake() {{ printf '%s\\n' \"$@\" >asked; }}\n{share[0]}\nwith_kurigram"
    )
    subprocess.run(["/bin/bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    return (tmp_path / "asked").read_text()


def test_the_sandbox_and_a_conversation_run_with_kurigram_too(tmp_path):
    asked = ran_with_kurigram(tmp_path)
    assert asked.startswith("test\nCLIENT=kurigram\nARGS=-q -n 4 ")
    paths = re.findall(r"tests/\S+", asked)
    assert {"tests/sandbox", "tests/e2e/test_e2e_conversation.py", "tests/e2e/test_e2e_business.py"} <= set(paths)
    assert [path for path in paths if not (Path(__file__).parents[2] / path).exists()] == []


def test_what_the_second_python_leaves_out_is_there():
    """A name that matches nothing any more would leave out nothing."""
    names = re.search(r"for name in (.+); do\n +left_out", SCRIPT)
    assert names
    tests = Path(__file__).parents[1]
    for name in names[1].split():
        assert [*tests.glob(f"unit/*{name}*"), *tests.glob(f"transports/*{name}*")], name


def test_the_two_parts_of_the_main_run_are_the_whole():
    """What the first one takes is all that the second one leaves out."""
    first, second = re.findall(r'^make test ARGS="(.+)" \|\| ', SCRIPT, re.MULTILINE)
    (computing,) = re.findall(r'^computing="(.+)"$', SCRIPT, re.MULTILINE)
    assert all((Path(__file__).parents[2] / path).is_dir() for path in computing.split())
    said = ["/bin/bash", "-c", f'parallel=P cores=C computing="{computing}"; printf "%s\\n" "{first}" "{second}"']
    asked = subprocess.run(said, capture_output=True, text=True, check=True).stdout.splitlines()
    left_out = " ".join(f"--ignore={path}" for path in computing.split())
    assert asked == [f"-n C --dist loadfile {computing}", f"P {left_out}"]
