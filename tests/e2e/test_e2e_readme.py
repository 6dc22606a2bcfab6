"""A person follows the READMEs, word by word, in an empty directory with an empty home, with no account."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.demo.nats_server import free_ports
from tests.terminals import CTRL_C, Terminal

ROOT = Path(__file__).parents[2]
READMES = {"README.md": "### Without Docker", "README.ru.md": "### Без Docker"}
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
RUNS_ON = {
    "nats-server": "Server is ready",
    "timokha generate": "generate.ready",
    "timokha sandbox": "you>",
    "timokha userbot": "Enter phone number",
}
"""Commands that do not end, and what they show once the next may be typed."""
PREPARED_WITHIN = 600
"""Seconds: the first start of a worker prepares its model."""
LEFT_OUT = re.compile(r"(MAKE|PYTHON|VIRTUAL_ENV|GENERATE|NATS|USERBOT|API_|BOT_|TIMOKHA|XDG_|PYTEST)")


def blocks(readme: str) -> list[list[str]]:
    """The commands of its section, block by block, without the step that needs an account."""
    section = (ROOT / readme).read_text().split(READMES[readme])[1].split("\n## ")[0]
    found = [re.findall(r"^\$ (.*)$", block, re.MULTILINE) for block in BLOCK.findall(section)]
    found.remove([".venv/bin/timokha userbot"])
    return found


def shown_by_the_sandbox(readme: str) -> list[str]:
    """The lines that it says the sandbox shows."""
    block = next(block for block in BLOCK.findall((ROOT / readme).read_text()) if "timokha sandbox\n" in block)
    return block.splitlines()[1:]


@dataclass
class Desk:
    """A person's terminals in one directory."""

    directory: Path
    environment: dict[str, str]
    replaced: dict[str, str] = field(default_factory=dict)
    terminals: dict[str, tuple[Terminal, asyncio.subprocess.Process]] = field(default_factory=dict)

    async def type(self, commands: list[str]) -> None:
        """Each that ends in one shell, each that runs on in a terminal of its own, with what was set before it."""
        before: list[str] = []
        for command in commands:
            for old, new in self.replaced.items():
                command = command.replace(old, new)  # noqa: PLW2901
            before.append(command)
            runs_on = next((name for name in RUNS_ON if name in command), None)
            if runs_on:
                await self._start(runs_on, "\n".join(before))
            elif not command.startswith("set -a"):
                self._run(command)
            if runs_on or not command.startswith("set -a"):
                before = []

    def _run(self, command: str) -> None:
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    async def _start(self, name: str, script: str) -> None:
        terminal = Terminal()
        process = await terminal.start(
            *("env", "-i", *(f"{key}={value}" for key, value in self.environment.items())),
            *("bash", "-ec", script),
            settings={},
            directory=self.directory,
        )
        self.terminals[name] = terminal, process
        await terminal.shows(RUNS_ON[name], within=PREPARED_WITHIN)

    def terminal(self, name: str) -> Terminal:
        return self.terminals[name][0]

    async def end(self, name: str) -> int:
        """Press Ctrl-C; its exit code."""
        terminal, process = self.terminals[name]
        terminal.type(CTRL_C)
        async with asyncio.timeout(40):
            return await process.wait()

    async def leave(self) -> None:
        for terminal, process in self.terminals.values():
            while process.returncode is None:
                process.terminate()
                await asyncio.sleep(0.1)
            terminal.close()


@asynccontextmanager
async def desk(directory: Path, home: Path, **settings: str) -> AsyncIterator[Desk]:
    """With ports that are free here, and nothing else of this process's environment."""
    nats, telegram = free_ports(2)
    kept = {name: value for name, value in os.environ.items() if not LEFT_OUT.match(name)}
    environment = {**kept, "HOME": str(home), "TERM": "xterm", "NATS_URL": f"nats://127.0.0.1:{nats}"}
    made = Desk(
        directory, {**environment, "SANDBOX_PORT": str(telegram), **settings}, {"127.0.0.1:4222": f"127.0.0.1:{nats}"}
    )
    try:
        yield made
    finally:
        await made.leave()


async def sign_in(at: Desk) -> None:
    """With what the sandbox shows."""
    shown = at.terminal("timokha sandbox").screen
    phone, code = (re.search(rf"{what} +(\+?\d+)", shown) for what in ("phone number", "login code"))
    assert phone
    assert code
    userbot = at.terminal("timokha userbot")
    await userbot.answers("phone number", phone[1])
    await userbot.answers("correct?", "y")
    await userbot.answers("confirmation code", code[1])
    await userbot.shows("userbot.ready")


async def ask(at: Desk, question: str, answer: str) -> None:
    sandbox = at.terminal("timokha sandbox")
    sandbox.type(f"{question}\r".encode())
    await sandbox.shows(answer)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A directory with nothing but this set-up."""
    directory = tmp_path / "timokha"
    directory.mkdir()
    (directory / ".venv").symlink_to(sys.prefix)
    return directory


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    directory = tmp_path / "timokha"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(directory)], check=True)
    return directory


def test_both_readmes_have_the_same_commands():
    assert blocks("README.md") == blocks("README.ru.md")
    assert shown_by_the_sandbox("README.md") == shown_by_the_sandbox("README.ru.md")


async def test_without_docker_and_without_an_account_a_question_is_answered(empty, home) -> None:
    async with desk(empty, home, GENERATE_ENGINE="echo", PYTHONPATH=str(ROOT)) as at:
        for commands in blocks("README.md"):
            await at.type([command for command in commands if command != "make venv"])
        await sign_in(at)
        # What is not of the chat is printed some tenths of a second late, beside the line that is typed.
        await at.terminal("timokha sandbox").shows("the userbot is connected")
        await ask(at, "Тимоха, привет!", "bot> привет!")
        sandbox = at.terminal("timokha sandbox").screen
        for line in shown_by_the_sandbox("README.md"):
            assert line.replace("4430", at.environment["SANDBOX_PORT"]) in sandbox
        assert "the login code for +79990000001 is 12345" in sandbox
        for name in ("timokha userbot", "timokha sandbox", "timokha generate"):
            assert await at.end(name) == 0
            assert "Traceback" not in at.terminal(name).screen


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_from_a_clone_to_an_answer_of_the_real_model(clone, home) -> None:
    async with desk(clone, home) as at:
        for commands in blocks("README.md"):
            await at.type(commands)
        await sign_in(at)
        await ask(at, "Тимоха, какая столица Франции?", "bot> Париж")
