"""Restore the terminal that the process was started in."""

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

STDIN = 0
_CURSOR = b"\n\x1b[?25h"
"""Moves below the drawing and shows the cursor."""
_drawn_on: list[int] = []


@contextmanager
def drawing(stream: IO[str]) -> Iterator[None]:
    """Have `Terminal.restore` show the cursor of `stream`, which the block hides while it draws."""
    try:
        number = stream.fileno()
        drawn_on = [number] if os.isatty(number) else []
    except OSError:
        drawn_on = []
    _drawn_on.extend(drawn_on)
    try:
        yield
    finally:
        for number in drawn_on:
            _drawn_on.remove(number)


class Terminal:
    """The settings of stdin's terminal, if it is one, at the start of the process."""

    def __init__(self) -> None:
        self._was: list[Any] | None = None
        with suppress(ImportError, OSError):
            import termios  # noqa: PLC0415 - not on every system

            with suppress(termios.error):
                self._was = termios.tcgetattr(STDIN)

    def restore(self) -> None:
        """Show the cursor, and reset echo, line mode and so on.

        A process in the background resets nothing, because that would stop it.
        """
        for number in _drawn_on:
            with suppress(OSError):
                if select.select([], [number], [], 0)[1]:  # a terminal may be held by Ctrl-S
                    os.write(number, _CURSOR)
        if self._was is None:
            return
        import termios  # noqa: PLC0415

        with suppress(OSError, termios.error):
            if os.tcgetpgrp(STDIN) == os.getpgrp():
                termios.tcsetattr(STDIN, termios.TCSANOW, self._was)
