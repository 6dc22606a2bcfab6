"""Restore the terminal that the process was started in."""

import os
from contextlib import suppress
from typing import Any

STDIN = 0


class Terminal:
    """Remembers the settings of stdin's terminal, if it is one."""

    def __init__(self) -> None:
        self._was: list[Any] | None = None
        with suppress(ImportError, OSError):
            import termios  # noqa: PLC0415 - not on every system

            with suppress(termios.error):
                self._was = termios.tcgetattr(STDIN)

    def restore(self) -> None:
        """Set echo, line mode and so on as before. Does nothing in the background, where it would stop the process."""
        if self._was is None:
            return
        import termios  # noqa: PLC0415

        with suppress(OSError, termios.error):
            if os.tcgetpgrp(STDIN) == os.getpgrp():
                termios.tcsetattr(STDIN, termios.TCSANOW, self._was)
