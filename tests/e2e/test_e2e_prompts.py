"""A person at a terminal signs in, or stops at a prompt: the process ends, and leaves the terminal as it was."""

import asyncio
import fcntl
import os
import pty
import signal
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from .conftest import Product, product

CTRL_C = b"\x03"
PHONE, PASSWORD = "+79990000077", "correct horse"


class Terminal:
    """A pseudo-terminal, which the program has as its controlling terminal."""

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        termios.tcsetwinsize(self._slave, (24, 80))
        self._before = termios.tcgetattr(self._slave)
        self.screen = ""
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._master, self._read)

    async def start(self, command: str, settings: dict[str, str]) -> asyncio.subprocess.Process:
        """Start `timokha COMMAND` in it."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", command),
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={**os.environ, **settings},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0),
        )

    def _read(self) -> None:
        self.screen += os.read(self._master, 65536).decode(errors="replace")
        self._changed.set()

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    async def shows(self, text: str, times: int = 1) -> None:
        async with asyncio.timeout(40):
            while self.screen.count(text) < times:
                self._changed.clear()
                await self._changed.wait()

    async def answers(self, question: str, line: str, times: int = 1) -> None:
        """Type `line` once `question` has been asked so many times."""
        await self.shows(question, times)
        self.type(line.encode() + b"\n")

    async def hides(self) -> None:
        """Return when what is typed is not shown."""
        async with asyncio.timeout(40):
            while self.echoes():  # noqa: ASYNC110 - a terminal has no event for it
                await asyncio.sleep(0.01)

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def is_as_it_was(self) -> bool:
        return termios.tcgetattr(self._slave) == self._before

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)


@asynccontextmanager
async def signing_in(made: Product, directory: Path) -> AsyncIterator[tuple[Terminal, asyncio.subprocess.Process]]:
    """`timokha userbot` without a session."""
    made.telegram.add_user(first_name="Owner", phone=PHONE, password=PASSWORD)
    terminal = Terminal()
    process = await terminal.start("userbot", {**made.settings, "USERBOT_SESSION": str(directory / "new.session")})
    try:
        yield terminal, process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        terminal.close()


async def give_phone_and_code(made: Product, terminal: Terminal) -> None:
    await terminal.answers("phone number", PHONE)
    await terminal.answers("correct?", "y")
    await terminal.shows("confirmation code")
    terminal.type(made.telegram.login_code(PHONE).encode() + b"\n")


async def ends(process: asyncio.subprocess.Process, terminal: Terminal) -> int:
    """Its exit code."""
    async with asyncio.timeout(40):
        code = await process.wait()
    assert terminal.echoes()
    assert "Traceback" not in terminal.screen
    assert "process.forced" not in terminal.screen
    return code


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(lambda terminal, process: terminal.type(CTRL_C), id="Ctrl-C"),
        pytest.param(lambda terminal, process: process.send_signal(signal.SIGINT), id="SIGINT"),
        pytest.param(lambda terminal, process: process.send_signal(signal.SIGTERM), id="SIGTERM"),
    ],
)
async def test_at_the_prompt_for_the_phone_number(
    tmp_path, stop: Callable[[Terminal, asyncio.subprocess.Process], None]
) -> None:
    async with product(tmp_path) as made, signing_in(made, tmp_path) as (terminal, process):
        await terminal.shows("phone number")
        stop(terminal, process)
        assert await ends(process, terminal) == 0
        assert terminal.is_as_it_was()


async def test_at_the_prompt_for_the_password_which_is_not_echoed(tmp_path) -> None:
    async with product(tmp_path) as made, signing_in(made, tmp_path) as (terminal, process):
        await give_phone_and_code(made, terminal)
        await terminal.hides()
        terminal.type(CTRL_C)
        assert await ends(process, terminal) == 0
        assert terminal.is_as_it_was()


async def test_a_person_signs_in_with_phone_code_and_a_password_that_is_not_shown(tmp_path) -> None:
    async with product(tmp_path) as made, signing_in(made, tmp_path) as (terminal, process):
        await give_phone_and_code(made, terminal)
        await terminal.answers("Enter password", "wrong")
        await terminal.answers("Enter password", PASSWORD, times=2)
        await terminal.shows("userbot.ready")
        assert PASSWORD not in terminal.screen
        process.terminate()
        assert await ends(process, terminal) == 0


@pytest.mark.parametrize("moment", ["NATS and the sandbox", "starting the userbot", "you>"])
async def test_in_the_demo(tmp_path, moment) -> None:
    terminal = Terminal()
    process = await terminal.start(
        "demo", {"GENERATE_ENGINE": "echo", "DEMO_DIRECTORY": str(tmp_path), "TERM": "xterm"}
    )
    try:
        await terminal.shows(moment)
        terminal.type(CTRL_C)
        assert await ends(process, terminal) in {0, 1}
        assert "killed" not in terminal.screen
    finally:
        while process.returncode is None:
            process.terminate()  # the second one ends its children too
            await asyncio.sleep(0.1)
        terminal.close()
