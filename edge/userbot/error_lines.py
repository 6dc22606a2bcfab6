"""Describe an error in one log line without quoting users."""

import traceback
from pathlib import Path

from events.errors import TimokhaError


def describe_error(error: BaseException) -> str:
    """Return the message of our own error; of any other its class and place, as its message may quote a user."""
    if isinstance(error, TimokhaError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
