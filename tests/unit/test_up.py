"""deploy/up.sh: what runs once comes first, and its fault ends it before anything that runs is replaced."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKER = """#!/bin/sh
[ "$1" = compose ] && shift
echo "$*" >>"{log}"
case "$*" in
    "config --services") printf '%s\\n' {services} ;;
    "run --rm -T {fails}") echo "timokha: what is wrong" >&2; exit 2 ;;
    run*) cat ;;
esac
"""
ALL = ("nats", "setup", "rabbitmq-setup", "model", "userbot", "generate", "bridge")


class Checkout:
    """Where `docker` only notes what it is asked, and one of its services fails."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "asked"
        (directory / "deploy").mkdir()
        (directory / "bin").mkdir()
        (directory / ".env").write_text("COMPOSE_PROFILES=rabbitmq\n")
        for name in ("up.sh", "passwords.sh"):
            shutil.copy(ROOT / "deploy" / name, directory / "deploy")

    def up(
        self, *arguments: str, services: tuple[str, ...] = ALL, fails: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        docker = self.directory / "bin/docker"
        docker.write_text(DOCKER.format(log=self.log, services=" ".join(services), fails=fails))
        docker.chmod(0o755)
        environment = {"PATH": f"{docker.parent}:{os.environ['PATH']}", **variables}
        command = ["sh", self.directory / "deploy/up.sh", *arguments]
        return subprocess.run(
            command, env=environment, input="typed\n", capture_output=True, text=True, check=False, timeout=30
        )

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_what_runs_once_comes_before_what_runs_on(checkout: Checkout) -> None:
    ran = checkout.up("--scale", "generate=4")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert checkout.asked == [
        "build",
        "config --services",
        "run --rm -T setup",
        "run --rm -T rabbitmq-setup",
        "run --rm -T model",
        "up -d --scale generate=4",
    ]
    assert "NATS_SETUP_PASSWORD=" in (checkout.directory / ".env").read_text()


@pytest.mark.parametrize("line", ["", "# COMPOSE_PROFILES=rabbitmq"])
def test_an_env_that_does_not_say_whether_rabbitmq_is_wanted_is_told(checkout: Checkout, line: str) -> None:
    (checkout.directory / ".env").write_text(f"{line}\n")
    ran = checkout.up()
    assert (ran.returncode, ran.stderr.count("\n")) == (0, 1)
    assert "add COMPOSE_PROFILES=rabbitmq for RabbitMQ and the bridge" in ran.stderr
    assert checkout.up(COMPOSE_PROFILES="").stderr == ""
    (checkout.directory / ".env").write_text("COMPOSE_PROFILES=\n")
    assert checkout.up().stderr == ""


def test_containers_may_read_the_configurations_of_a_clone_that_was_made_under_a_strict_umask(
    checkout: Checkout,
) -> None:
    configuration = checkout.directory / "observability/prometheus/alerts.yml"
    configuration.parent.mkdir(parents=True)
    configuration.touch()
    for path in (configuration, configuration.parent, checkout.directory / "deploy"):
        path.chmod(path.stat().st_mode & ~0o077)
    assert checkout.up().returncode == 0
    for path in (configuration, configuration.parent, checkout.directory / "deploy/passwords.sh"):
        assert path.stat().st_mode & 0o044 == 0o044
    assert (checkout.directory / ".env").stat().st_mode & 0o077 == 0


def test_what_is_in_no_active_profile_is_left_out(checkout: Checkout) -> None:
    checkout.up(services=tuple(name for name in ALL if name not in ("rabbitmq-setup", "bridge")))
    assert "run --rm -T rabbitmq-setup" not in checkout.asked
    assert checkout.asked[-1] == "up -d"


@pytest.mark.parametrize("name", ["setup", "rabbitmq-setup", "model"])
def test_a_fault_is_shown_with_its_service_and_nothing_that_runs_is_replaced(checkout: Checkout, name: str) -> None:
    ran = checkout.up(fails=name)
    said = ran.stderr.splitlines()
    assert (ran.returncode, said[0]) == (2, "timokha: what is wrong")
    assert said[1].startswith(f"deploy/up.sh: the service {name} failed (exit code 2)")
    assert len(said) == 2
    assert checkout.asked[-1] == f"run --rm -T {name}"
