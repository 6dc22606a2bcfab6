"""Questions in the terminal, which a stop ends at once: nothing reads on in a thread."""

import asyncio
import contextlib
import os
import sys
import termios
from collections.abc import Iterator

import click

CHUNK = 4096
_typed = bytearray()
"""What has been read and not been asked for yet."""


async def ask(prompt: str = "", *, hide: bool = False) -> str:
    """Return the line that is typed. Raises EOFError when there will be none."""
    while True:
        with _hidden(hide):
            click.echo(prompt, nl=False)
            line = await _line(sys.stdin.fileno())
        if hide:
            click.echo()
        try:
            return line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            click.echo("That was not UTF-8; please try again.")


async def _line(fd: int) -> bytes:
    while b"\n" not in _typed:
        await _readable(fd)
        data = os.read(fd, CHUNK)
        if not data:
            break
        _typed.extend(data)
    if not _typed:
        raise EOFError
    end = _typed.find(b"\n") + 1 or len(_typed)
    line = bytes(_typed[:end])
    del _typed[:end]
    return line


async def _readable(fd: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(fd, ready.set)
    except PermissionError:  # a plain file, which never makes anybody wait
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


@contextlib.contextmanager
def _hidden(hide: bool) -> Iterator[None]:
    """Without an echo, and with one again whatever happens."""
    if not (hide and sys.stdin.isatty()):
        yield
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    silent = termios.tcgetattr(fd)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
