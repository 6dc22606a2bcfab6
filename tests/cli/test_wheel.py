"""The wheel, in a new environment of each Python that the project supports, runs the demo with the default model."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTRAS = "userbot,sandbox,openvino"
WITHIN = 600
"""Seconds, most of them for the packages and the model."""
ASKED = "Тимоха, привет! Как тебя зовут?"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * WITHIN)]


def others() -> list[str]:
    command = ["bash", ROOT / ".ci/pythons"]
    ran = subprocess.run(command, env=os.environ | {"VENV": sys.prefix}, capture_output=True, text=True, check=True)
    return ran.stdout.split()


def run(*command: object, folder: Path, said: str = "") -> str:
    """Return what it printed. It knows nothing of this checkout, and finds an empty HOME."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment | {"HOME": str(folder)},
        input=said,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", built, folder=ROOT)
    (found,) = built.glob("timokha-*-py3-none-any.whl")
    return found


def test_there_are_two_other_pythons_in_ci() -> None:
    if not os.environ.get("CI"):
        pytest.skip("of one's own machine nobody asks for three Pythons")
    assert len(others()) == 2


@pytest.mark.parametrize("python", [sys.executable, *others()])
def test_it_answers_in_the_demo(wheel: Path, python: str, tmp_path: Path) -> None:
    run(python, "-m", "venv", "venv", folder=tmp_path)
    pip = ("venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, f"{wheel}[{EXTRAS}]", folder=tmp_path)
    run("venv/bin/python", "-m", "pip", "check", folder=tmp_path)
    asked, *_, answer = run("venv/bin/timokha", "demo", folder=tmp_path, said=f"{ASKED}\n").splitlines()
    assert asked == f"you> {ASKED}"
    assert re.match("bot> .+", answer)
