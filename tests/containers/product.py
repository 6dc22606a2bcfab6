"""The product in containers, of a clone of the last commit, as a person drives it: with docker's command line."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.containers.telegram import CODE, PHONE

ROOT = Path(__file__).parents[2]
WAIT = 180.0
"""Seconds; generous, nothing takes as long unless it is broken."""
CALL = 1500
"""For one call of docker's; building is the longest."""


def commit(name: str = "HEAD") -> str:
    return subprocess.check_output(["git", "rev-parse", "--short", name], cwd=ROOT, text=True).strip()


def clone(directory: Path) -> Path:
    """A clone of the repository: what is not committed is not in it."""
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", ROOT, directory], check=True)
    subprocess.run(["git", "checkout", "--quiet", commit()], cwd=directory, check=True)
    return directory


@dataclass
class Product:
    """A compose project; `directory` is its clone."""

    directory: Path
    project: str
    files: tuple[str, ...] = ("compose.yaml",)
    environment: dict[str, str] = field(default_factory=dict)
    people: int = 0

    @property
    def variables(self) -> dict[str, str]:
        # What a shell exports would win over .env.
        kept = {
            name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG") if name in os.environ
        }
        return {
            **kept,
            "COMPOSE_FILE": ":".join(self.files),
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_PROGRESS": "plain",
            **self.environment,
        }

    def use_stand_ins(self) -> None:
        """A Telegram in a container; what it takes lies beside the clone, whose commit changes."""
        beside = shutil.copytree(self.directory / "tests/containers", self.directory.with_name("stand-ins"))
        self.files = (*self.files, str(beside / "override.yaml"))
        self.environment |= {"STAND_INS": str(beside), "TELEGRAM_IMAGE": f"timokha-telegram:{self.project}"}

    def start_telegram(self) -> None:
        self.compose("build", "--quiet", "sandbox")
        self.run("docker", "tag", "timokha-sandbox", self.environment["TELEGRAM_IMAGE"])
        self.compose("up", "-d", "telegram")

    def check_out(self, name: str) -> None:
        self.run("git", "checkout", "--quiet", name)

    def write_settings(self, **settings: str) -> None:
        """As a person does it: a copy of .env.example, with these lines changed."""
        dotenv = self.directory / ".env"
        if not dotenv.exists():
            shutil.copy(self.directory / ".env.example", dotenv)
        lines = [line for line in dotenv.read_text().splitlines() if line.partition("=")[0] not in settings]
        dotenv.write_text("\n".join([*lines, *(f"{name}={value}" for name, value in settings.items())]) + "\n")

    def run(self, *command: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command in the clone; what it says is shown if the test fails."""
        print("$", *command, flush=True)
        ended = subprocess.run(
            command,
            cwd=self.directory,
            env=self.variables,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=CALL,
        )
        print(ended.stdout[-4000:], flush=True)
        assert not check or ended.returncode == 0, f"{' '.join(command)}: {ended.returncode}"
        return ended

    def compose(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return self.run("docker", "compose", *arguments, **more)

    @contextmanager
    def typing(self, service: str, text: str) -> Iterator[None]:
        """Write a line to what runs there; `attach` ends with the block, by itself it does not."""
        command = ["docker", "compose", "attach", "--sig-proxy=false", service]
        with subprocess.Popen(
            command, cwd=self.directory, env=self.variables, stdin=subprocess.PIPE, text=True
        ) as attached:
            assert attached.stdin
            attached.stdin.write(f"{text}\n")
            attached.stdin.flush()
            try:
                yield
            finally:
                attached.terminate()

    def containers(self, service: str) -> list[str]:
        """The ids of those that run."""
        return self.compose("ps", "--status", "running", "--quiet", service).stdout.split()

    def telegram(self, do: str, **arguments: Any) -> Any:
        line = json.dumps({"do": do, **arguments})
        command = ["docker", "compose", "exec", "-T", "telegram", "python", "/telegram.py", line]
        told = subprocess.check_output(command, cwd=self.directory, env=self.variables, text=True, timeout=60)
        return json.loads(told)

    def ask(self, count: int) -> list[int]:
        """Let as many new people ask, each something; returns their numbers."""
        numbers = list(range(self.people, self.people + count))
        self.people += count
        self.telegram("say", numbers=numbers, text="Тимоха, как дела?")
        return numbers

    def answered(self, numbers: Iterable[int], times: int = 1, within: float = WAIT) -> None:
        """Every one of them has that many answers, each after its thinking line, and nothing else."""
        numbers, whole = list(numbers), {"thinking": times, "failures": 0, "answers": times}
        until(lambda: all(told["answers"] >= times for told in self.telegram("told", numbers=numbers)), within)
        told = self.telegram("told", numbers=numbers)
        assert [each for each in told if each != whole] == []

    def works(self, count: int = 3) -> None:
        self.answered(self.ask(count))

    def sign_in(self, *command: str) -> None:
        """Answer what it asks in a terminal, and stop it when it answers questions."""
        prompts = [(b"phone number", PHONE), (b"correct?", "y"), (b"code", CODE)]
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(self.directory)
            os.execvpe(command[0], command, self.variables)
        said, end = b"", time.monotonic() + WAIT
        try:
            while b"userbot.ready" not in said:
                assert time.monotonic() < end, said.decode(errors="replace")[-2000:]
                if select.select([terminal], [], [], 1)[0]:
                    said += os.read(terminal, 65536)
                asked = said.lower().rstrip()
                if prompts and prompts[0][0] in asked and asked.endswith((b":", b"?", b"]")):
                    os.write(terminal, prompts.pop(0)[1].encode() + b"\r")
                    said = b""
            os.write(terminal, b"\x03")
            drain(terminal)
        finally:
            print(said.decode(errors="replace")[-2000:])
            os.close(terminal)
        _, status = os.waitpid(process, 0)
        # The userbot's own code, or that of a Ctrl-C, of which compose has heard as well.
        assert os.waitstatus_to_exitcode(status) in {0, 130}


def drain(terminal: int) -> None:
    """Read until the other end is closed, as a terminal does."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass


def until(true: Callable[[], object], within: float = WAIT) -> None:
    """Poll until it is so: containers tell nobody."""
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, f"not within {within:.0f} s"
        time.sleep(1)


def without_an_engine() -> str:
    """Why there is no engine; empty if there is one. `CONTAINERS_SETUP` is a command that starts one."""
    for attempt in (None, os.environ.get("CONTAINERS_SETUP")):
        if attempt:
            subprocess.run(["sh", "-c", attempt], check=True, stdout=sys.stderr)
        try:
            asked = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False, timeout=60)
        except OSError as error:
            reason = f"docker can't be started ({error.strerror})"
        else:
            if asked.returncode == 0:
                return ""
            reason = (asked.stderr.strip().splitlines() or ["docker info failed"])[-1]
    return f"{reason}; start an engine, or name a command that does in CONTAINERS_SETUP"
