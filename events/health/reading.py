"""Read what a process says of itself. Imports next to nothing: a container does this every few seconds."""

import time

from events.health.line import complaint


def look(file: str, *, live: bool) -> str:
    """Return what is wrong with the process that keeps `file`, empty if nothing."""
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            line = opened.read()
    except FileNotFoundError:
        return f"no process keeps {file}: it has not begun yet, or it has ended"
    except OSError as error:
        return f"{file} can't be read ({error.strerror})"
    return complaint(line, time.monotonic(), live=live)  # noqa: TID251 - a Clock takes asyncio, which takes long
