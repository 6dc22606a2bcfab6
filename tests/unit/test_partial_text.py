"""How often an engine sends the text so far."""

from datetime import timedelta

from functions.generate.engines.partial_text import Throttle
from tests.clocks import ManualClock


async def test_the_first_tokens_are_sent_at_once_and_later_ones_at_intervals() -> None:
    """The first word is whole only once the next one begins: an interval after the first token would delay it."""
    clock = ManualClock()
    throttle = Throttle(0.05, clock, first=3)
    assert [throttle.is_due() for _ in range(3)] == [True] * 3
    assert not throttle.is_due()
    await clock.sleep(timedelta(milliseconds=49))
    assert not throttle.is_due()
    await clock.sleep(timedelta(milliseconds=2))
    assert throttle.is_due()
    assert not throttle.is_due()


def test_without_an_interval_it_is_always_due() -> None:
    throttle = Throttle(0.0, ManualClock(), first=1)
    assert all(throttle.is_due() for _ in range(5))
