"""Turn a command's error into one line and an exit code; only bugs keep their traceback."""

import os
import sys
from typing import Self

import click

from events.errors import SettingsError, TimokhaError
from events.extras import install_command

OURS = {"bridge", "cli", "edge", "events", "functions", "observability", "training"}


class Interrupted(TimokhaError):
    """A signal ended the command before its work was done."""


class NotInstalled(SettingsError):
    """A package is missing that the command needs."""

    @classmethod
    def of(cls, error: ModuleNotFoundError, command: str, extras: str) -> Self:
        """Return the error that names `extras` to install. Raises `error` if the module is ours or in no extra."""
        package = (error.name or "").partition(".")[0]
        if not extras or not package or package in OURS:
            raise error
        return cls(f"timokha {command} needs {package}: {install_command(*extras.split(','))}")


def exit_code(error: BaseException) -> int | None:
    """Print `error` in one line and return the exit code; None for a bug, which needs its traceback."""
    if isinstance(error, click.ClickException):
        error.show()
        return 2
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return 1
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, BrokenPipeError) and _stdout_is_broken():
        return 1
    line = _line(error)
    if line is None:
        return None
    click.echo(line, err=True)
    known = _known(error)
    return known.exit_code if known else 1


def _line(error: BaseException) -> str | None:
    known = _known(error)
    if isinstance(known, NotInstalled):
        return str(known)
    if known:
        return f"timokha: {known}"
    if isinstance(error, OSError) and error.errno is not None:
        place = f": {error.filename}" if error.filename is not None else ""
        return f"timokha: {error.strerror or error}{place}"
    if isinstance(error, UnicodeDecodeError):
        return f"timokha: found bytes that are no {error.encoding} ({error.reason}, at {error.start})"
    return None


def _known(error: BaseException) -> TimokhaError | None:
    """Return `error` if it is ours, or the first of ours in a group; None if there is none."""
    if isinstance(error, TimokhaError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((known for part in error.exceptions if (known := _known(part))), None)
    return None


def _stdout_is_broken() -> bool:
    """Return whether stdout's reader has gone; if so, redirect it so that the exit writes nothing there either."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
