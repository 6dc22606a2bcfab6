"""A process's health as one line of a file: when it was written, and what keeps the process from answering.

Imports next to nothing: a container reads it every few seconds.
"""

import time

MAX_SILENCE = 30.0
"""Seconds without a new line after which an event loop counts as hung."""

HEALTHY = {False: "ready: it answers questions", True: "live: its event loop turns"}
"""What is said where nothing is wrong; `True`: with the event loop."""


def health_line(now: float, why: str) -> str:
    """Return the line. `now`: monotonic seconds, which all processes of a machine share."""
    return f"{now!r} {' '.join(why.split())}\n"


def problem_in(line: str, now: float, *, live: bool) -> str:
    """Return what is wrong, empty if nothing; `live`: with the event loop alone, else also with answering."""
    written_at, _, why = line.strip().partition(" ")
    try:
        age = now - float(written_at)
    except ValueError:
        return "its file holds something else"
    if not 0 <= age <= MAX_SILENCE:  # less than 0: it is from before the machine started
        return f"its event loop has not turned for over {MAX_SILENCE:.0f} s"
    return "" if live else why


def check_health(file: str, *, live: bool) -> str:
    """Return what is wrong with the process that keeps `file`, empty if nothing."""
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            line = opened.read()
    except FileNotFoundError:
        return f"no process keeps {file}: it has not begun yet, or it has ended"
    except OSError as error:
        return f"{file} can't be read ({error.strerror})"
    return problem_in(line, time.monotonic(), live=live)  # noqa: TID251 - a Clock takes asyncio, which takes long
