"""Describe an error in one log line that quotes no message."""

import traceback
from pathlib import Path

from events.errors import TimokhaError


def describe_error(error: BaseException) -> str:
    """Return our own error's message; of any other its name and place: its message may quote what a user wrote."""
    if isinstance(error, TimokhaError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
