"""Verdicts of handlers and outcomes of requests keep what they were given."""

from datetime import timedelta

from events.schema import FailureReason
from functions.worker.outcomes import GaveUp, Reject, Retry


def test_a_request_is_retried_after_a_second_unless_the_handler_says_when() -> None:
    usual = Retry("loading")
    assert (str(usual), usual.delay, usual.attempts) == ("loading", timedelta(seconds=1), None)
    chosen = Retry("loading", delay=timedelta(minutes=1), attempts=2)
    assert (chosen.delay, chosen.attempts) == (timedelta(minutes=1), 2)


def test_a_request_is_rejected_for_a_reason() -> None:
    assert (str(Reject("too long")), Reject("too long").reason) == ("too long", FailureReason.REJECTED)
    assert Reject("nothing", reason=FailureReason.EMPTY).reason is FailureReason.EMPTY


def test_who_gave_up_says_why_and_after_how_many_attempts() -> None:
    assert GaveUp.exhausted(5) == GaveUp(FailureReason.ATTEMPTS_EXHAUSTED, "no worker finished it in 5 attempts", 5)
    assert GaveUp.malformed("no JSON", 1) == GaveUp(FailureReason.MALFORMED, "no JSON", 1)
