"""What a vendor's error means for what was tried. Each vendor has one table that says it of all its errors."""

from enum import StrEnum


class Fault(StrEnum):
    DONE = "done"
    """It has happened already: go on."""
    PASSING = "passing"
    """Try again, with growing pauses."""
    FINAL = "final"
    """This message or call will never succeed; others may."""
    FATAL = "fatal"
    """The process can't go on: one line, exit code 1 (2 if a setting is at fault)."""
    UNKNOWN = "unknown"
    """Nobody has thought of it: try again a bounded number of times, then FINAL."""


UNKNOWN_ATTEMPTS = 5
"""How often something is tried whose error nobody knows."""
