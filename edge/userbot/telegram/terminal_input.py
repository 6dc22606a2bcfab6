"""Read lines from the terminal. It can be cancelled at once, as no thread keeps reading."""

import asyncio
import contextlib
import os
import sys
import termios
from collections.abc import Iterator

import click

CHUNK = 4096
_typed = bytearray()
"""Bytes that were read but not returned yet."""


async def read_line(prompt: str = "", *, hide: bool = False) -> str:
    """Return the next typed line; `hide`: without showing it. Raises EOFError at the end of input."""
    while True:
        with _without_echo(hide):
            click.echo(prompt, nl=False)
            line = await _read_raw_line(sys.stdin.fileno())
        if hide:
            click.echo()
        try:
            return line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            click.echo("That was not UTF-8; please try again.")


async def _read_raw_line(fd: int) -> bytes:
    while b"\n" not in _typed:
        await _wait_until_readable(fd)
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


async def _wait_until_readable(fd: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(fd, ready.set)
    except PermissionError:  # a plain file, which is always readable
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


@contextlib.contextmanager
def _without_echo(hide: bool) -> Iterator[None]:
    """Turn the terminal's echo off in the block."""
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
