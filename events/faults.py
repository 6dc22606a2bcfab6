"""What a vendor's error means for the call that failed. Each vendor has one table that classifies all its errors."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """How to go on after an error."""

    DONE = "done"
    """The effect is there already: go on."""
    PASSING = "passing"
    """Retry with growing pauses."""
    FINAL = "final"
    """This message or call will never succeed; others may."""
    FATAL = "fatal"
    """The process can't go on: one line, exit code 1 (2 if a setting is at fault)."""
    UNKNOWN = "unknown"
    """In no table: retry a bounded number of times, then treat it as FINAL."""


UNKNOWN_ATTEMPTS = 5
"""Attempts at a call whose error is UNKNOWN."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A classified error: `reason` is what the vendor answered, in one line; `advice` what to do, empty if unknown."""

    fault: Fault
    reason: str
    advice: str = ""
    bad_setting: bool = False
    """Whether the address or the credentials in the settings are at fault."""

    def __str__(self) -> str:
        return f"{self.reason}; {self.advice}" if self.advice else self.reason
