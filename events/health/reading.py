"""Format and read a process's health: one line with its time and what keeps the process from answering.

Imports next to nothing, because a container reads it every few seconds.
"""

import time

MAX_SILENCE = 30.0
"""Seconds without a new line after which an event loop counts as hung."""

HEALTHY = {False: "ready: it answers questions", True: "live: its event loop turns"}
"""What `timokha health` prints if nothing is wrong, by whether it checks the event loop only (`live`)."""


def health_line(now: float, why: str) -> str:
    """Return the line. `now` is in monotonic seconds, which all processes of a machine share."""
    return f"{now!r} {' '.join(why.split())}\n"


def problem_in(line: str, now: float, *, live: bool) -> str:
    """Return what is wrong, empty if nothing. `live` checks the event loop only, not whether questions are answered."""
    written_at, _, why = line.strip().partition(" ")
    try:
        age = now - float(written_at)
    except ValueError:
        return "its health file has other content"
    if not 0 <= age <= MAX_SILENCE:  # below 0: written before the machine restarted
        return f"its event loop has not turned for over {MAX_SILENCE:.0f} s"
    return "" if live else why


def check_health(file: str, *, live: bool) -> str:
    """Return what is wrong with the process that writes `file`, empty if nothing."""
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            line = opened.read()
    except FileNotFoundError:
        return f"no process keeps {file}: it has not begun yet, or it has ended"
    except OSError as error:
        return f"{file} can't be read ({error.strerror})"
    return problem_in(line, time.monotonic(), live=live)  # noqa: TID251 - a Clock needs asyncio, which is slow to import
