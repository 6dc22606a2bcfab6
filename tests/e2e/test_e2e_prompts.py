"""Ctrl-C at a prompt of the first start ends the userbot, at once, and leaves the terminal as it was."""

import asyncio
import fcntl
import os
import pty
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from .conftest import Product, product

CTRL_C = b"\x03"
PHONE, PASSWORD = "+79990000077", "correct horse"


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (24, 80))
        self.screen = ""
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        self.screen += os.read(self._master, 65536).decode(errors="replace")
        self._changed.set()

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(40):
            while text not in self.screen:
                self._changed.clear()
                await self._changed.wait()

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self.slave)


@asynccontextmanager
async def signing_in(made: Product, directory: Path) -> AsyncIterator[tuple[Terminal, asyncio.subprocess.Process]]:
    """`timokha userbot` without a session."""
    settings = {**made.settings, "USERBOT_SESSION": str(directory / "new.session")}
    terminal = Terminal()
    slave = terminal.slave
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "userbot"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, **settings},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),  # its controlling terminal
    )
    try:
        yield terminal, process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        terminal.close()


async def ends(process: asyncio.subprocess.Process, terminal: Terminal) -> None:
    async with asyncio.timeout(40):
        assert await process.wait() in {0, 1}
    assert terminal.echoes()
    assert "Traceback" not in terminal.screen
    assert "process.forced" not in terminal.screen


async def test_at_the_prompt_for_the_phone_number(tmp_path) -> None:
    async with product(tmp_path) as made, signing_in(made, tmp_path) as (terminal, process):
        await terminal.shows("phone number")
        terminal.type(CTRL_C)
        await ends(process, terminal)


async def test_at_the_prompt_for_the_password_which_is_not_echoed(tmp_path) -> None:
    async with product(tmp_path) as made, signing_in(made, tmp_path) as (terminal, process):
        made.telegram.add_user(first_name="Owner", phone=PHONE, password=PASSWORD)
        await terminal.shows("phone number")
        terminal.type(PHONE.encode() + b"\n")
        await terminal.shows("correct?")
        terminal.type(b"y\n")
        await terminal.shows("code")
        terminal.type(made.telegram.login_code(PHONE).encode() + b"\n")
        await terminal.shows("assword")
        async with asyncio.timeout(40):
            while terminal.echoes():  # noqa: ASYNC110 - a terminal has no event for it
                await asyncio.sleep(0.01)
        terminal.type(CTRL_C)
        await ends(process, terminal)


@pytest.mark.parametrize("moment", ["NATS and the sandbox", "starting the userbot", "you>"])
async def test_in_the_demo(tmp_path, moment) -> None:
    terminal = Terminal()
    slave = terminal.slave
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "demo"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "GENERATE_ENGINE": "echo", "DEMO_DIRECTORY": str(tmp_path), "TERM": "xterm"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
    )
    try:
        await terminal.shows(moment)
        terminal.type(CTRL_C)
        await ends(process, terminal)
        assert "killed" not in terminal.screen
    finally:
        while process.returncode is None:
            process.terminate()  # the second one ends its children too
            await asyncio.sleep(0.1)
        terminal.close()
