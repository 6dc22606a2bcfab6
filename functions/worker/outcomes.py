"""Verdicts, which a handler raises instead of an answer, and outcomes: what became of a request."""

from dataclasses import dataclass
from datetime import timedelta

from events.schema import FailureReason, GenerationCompleted


class Retry(Exception):
    """Verdict: the fault is passing. Redeliver the request after `delay` at the earliest.

    A request that has been delivered `attempts` times is given up, even if the worker would allow more attempts.
    """

    def __init__(self, detail: str, *, delay: timedelta = timedelta(seconds=1), attempts: int | None = None) -> None:
        super().__init__(detail)
        self.delay = delay
        self.attempts = attempts


class Reject(Exception):
    """Verdict: the request can't be answered, however often it is retried."""

    def __init__(self, detail: str, *, reason: FailureReason = FailureReason.REJECTED) -> None:
        super().__init__(detail)
        self.reason = reason


# The names of outcomes are values of `error.type` in spans.


@dataclass(frozen=True, slots=True)
class Answered:
    data: GenerationCompleted


@dataclass(frozen=True, slots=True)
class GaveUp:
    """There will be no answer: the request fails and becomes a dead letter."""

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
    """The request is retried after `delay`."""

    detail: str
    delay: timedelta


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing to do: the request is already answered, or no longer awaited. `expired`: its deadline has passed."""

    detail: str
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Relayed:
    """Another process has answered the request for this one, and the reply is stored."""


Outcome = Answered | GaveUp | Postponed | Skipped | Relayed
