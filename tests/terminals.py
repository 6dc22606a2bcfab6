"""A pseudo-terminal, for what a person does in one."""

import asyncio
import fcntl
import os
import pty
import termios
from collections.abc import Mapping
from pathlib import Path

CTRL_C = b"\x03"


class Terminal:
    """A pseudo-terminal, which the program has as its controlling terminal."""

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        termios.tcsetwinsize(self._slave, (24, 80))
        self._before = termios.tcgetattr(self._slave)
        self.screen = ""
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._master, self._read)

    async def start(
        self, *command: str, settings: Mapping[str, str], directory: Path | None = None
    ) -> asyncio.subprocess.Process:
        """Start `command` in it, with `settings` added to the environment."""
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
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

    async def shows(self, text: str, times: int = 1, *, within: float = 40) -> None:
        async with asyncio.timeout(within):
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
