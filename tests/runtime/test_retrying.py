"""Trying again: growing pauses on a clock of the test's own."""

from datetime import timedelta
from random import Random

import pytest

from events.runtime.retrying import Backoff, Retrying
from tests.clocks import ManualClock


class Waits(Exception):
    wait = timedelta(seconds=7)


def failing(times: int, error: type[Exception] = OSError):
    left = times

    async def ask() -> str:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error
        return "done"

    return ask


def is_os_error(error: Exception) -> bool:
    return isinstance(error, OSError)


async def test_pauses_double_up_to_a_limit_and_are_shortened_by_at_most_half() -> None:
    clock = ManualClock()
    retrying = Retrying(clock, Random(1))
    backoff = Backoff(timedelta(seconds=1), timedelta(seconds=4))
    assert await retrying(failing(5), passing=is_os_error, backoff=backoff) == "done"
    full = [1, 2, 4, 4, 4]
    assert all(whole / 2 <= pause <= whole for pause, whole in zip(clock.slept, full, strict=True))


async def test_what_does_not_pass_is_raised_at_once() -> None:
    clock = ManualClock()
    with pytest.raises(KeyError):
        await Retrying(clock, Random(1))(failing(1, KeyError), passing=is_os_error)
    assert clock.slept == []


async def test_attempts_are_bounded() -> None:
    clock, heard = ManualClock(), []
    with pytest.raises(ConnectionError):
        await Retrying(clock, Random(1))(
            failing(9, ConnectionError),
            passing=is_os_error,
            attempts=3,
            failed=lambda error, pause: heard.append(type(error)),
        )
    assert heard == [ConnectionError, ConnectionError]


async def test_patience_ends() -> None:
    clock = ManualClock()
    with pytest.raises(ConnectionError):
        await Retrying(clock, Random(1))(
            failing(99, ConnectionError), passing=is_os_error, patience=timedelta(seconds=10)
        )
    assert 10 <= clock.monotonic() < 60


async def test_the_time_for_which_the_process_was_stopped_is_not_taken_for_a_failure_that_lasts() -> None:
    clock, patience = ManualClock(), timedelta(seconds=9)
    passes = failing(2)

    async def ask() -> str:
        await clock.sleep(timedelta(seconds=100 if not clock.slept else 0))  # stopped in the first attempt
        return await passes()

    assert await Retrying(clock, Random(1))(ask, passing=is_os_error, patience=patience) == "done"


async def test_an_error_that_names_its_wait_gets_it() -> None:
    clock = ManualClock()
    await Retrying(clock, Random(1))(failing(2, Waits), passing=lambda error: isinstance(error, Waits))
    assert clock.slept == [7, 7]


def test_pauses_start_anew_after_a_success() -> None:
    pauses = Retrying(ManualClock(), Random(1)).pauses(Backoff(timedelta(seconds=1)))
    for _ in range(5):
        pauses.next()
    pauses.reset()
    assert pauses.next() <= timedelta(seconds=1)


def test_a_thousand_failures_are_no_overflow() -> None:
    assert Backoff().pause(10_000, Random(1)) <= timedelta(seconds=30)
