"""What the file holds: one line, the time of its writing and what keeps the process from answering.

Imports nothing: `timokha health` is to be quick.
"""

SILENT = 30.0
"""Seconds without a new line after which an event loop counts as hung."""

WELL = {False: "ready: it answers questions", True: "live: its event loop turns"}
"""What is said where nothing is wrong; `True`: with the event loop."""


def written(now: float, why: str) -> str:
    """Return the line. `now`: monotonic seconds, which all processes of a machine share."""
    return f"{now!r} {' '.join(why.split())}\n"


def complaint(line: str, now: float, *, live: bool) -> str:
    """Return what is wrong, empty if nothing; `live`: with the event loop alone, else also with answering."""
    time, _, why = line.strip().partition(" ")
    try:
        age = now - float(time)
    except ValueError:
        return "its file holds something else"
    if not 0 <= age <= SILENT:  # less than 0: it is from before the machine started
        return f"its event loop has not turned for over {SILENT:.0f} s"
    return "" if live else why
