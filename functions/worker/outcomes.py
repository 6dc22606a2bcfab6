"""Verdicts, which a handler raises instead of an answer, and outcomes: what became of a request."""

from dataclasses import dataclass
from datetime import timedelta

from events.schema import FailureReason, GenerationCompleted


class Retry(Exception):
    """A passing fault: deliver the request again, not before `delay`.

    With `attempts` this is the last verdict on a request that was delivered so often, if it has more left or not.
    """

    def __init__(self, why: str, *, delay: timedelta = timedelta(seconds=1), attempts: int | None = None) -> None:
        super().__init__(why)
        self.delay = delay
        self.attempts = attempts


class Reject(Exception):
    """This request can't be answered, however often it is tried."""

    def __init__(self, why: str, *, reason: FailureReason = FailureReason.REJECTED) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answered:
    data: GenerationCompleted


@dataclass(frozen=True, slots=True)
class GaveUp:
    """There will be no answer: a dead letter, and the asker is told."""

    reason: FailureReason
    detail: str
    attempts: int

    @classmethod
    def exhausted(cls, attempts: int) -> "GaveUp":
        return cls(FailureReason.ATTEMPTS_EXHAUSTED, f"no worker finished it in {attempts} attempts", attempts)

    @classmethod
    def malformed(cls, detail: str, attempts: int) -> "GaveUp":
        return cls(FailureReason.MALFORMED, detail, attempts)


@dataclass(frozen=True, slots=True)
class Postponed:
    why: str
    delay: timedelta


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing to do: somebody else has, or nobody waits any more. `expired`: it came too late for an answer."""

    why: str
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Relayed:
    """Somebody else has answered it for us, and the reply is stored."""


Outcome = Answered | GaveUp | Postponed | Skipped | Relayed
