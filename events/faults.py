"""What a vendor's error means for the call that failed. Each vendor has one table that classifies all its errors."""

from enum import StrEnum


class Fault(StrEnum):
    DONE = "done"
    """It has been done already: go on."""
    PASSING = "passing"
    """Try again, with growing pauses."""
    FINAL = "final"
    """This message or call will never succeed; others may."""
    FATAL = "fatal"
    """The process can't go on: one line, exit code 1 (2 if a setting is at fault)."""
    UNKNOWN = "unknown"
    """In no table: try again a bounded number of times, then FINAL."""


UNKNOWN_ATTEMPTS = 5
"""How often a call is tried whose error is UNKNOWN."""
