"""The terminal that the process was started in: it is left as it was found."""

import os
from contextlib import suppress
from typing import Any

STDIN = 0


class Terminal:
    """Remembers how stdin's terminal is set, if it is one."""

    def __init__(self) -> None:
        self._was: list[Any] | None = None
        with suppress(ImportError, OSError):
            import termios  # noqa: PLC0415 - not on every system

            with suppress(termios.error):
                self._was = termios.tcgetattr(STDIN)

    def restore(self) -> None:
        """Echo, line by line and so on again. A process in the background would be stopped for it, and leaves it."""
        if self._was is None:
            return
        import termios  # noqa: PLC0415

        with suppress(OSError, termios.error):
            if os.tcgetpgrp(STDIN) == os.getpgrp():
                termios.tcsetattr(STDIN, termios.TCSANOW, self._was)
