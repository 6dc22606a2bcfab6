"""What every store of records promises: changes only by compare-and-set."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from events.errors import Conflict
from events.records import LONG_AGO, by_clock
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from tests.clocks import ManualClock, SteppedClock


async def test_a_record_is_created_once(records) -> None:
    version = await records.save("1.2", b"a", None)
    with pytest.raises(Conflict):
        await records.save("1.2", b"b", None)
    stored = await records.load("1.2")
    assert (stored.value, stored.version) == (b"a", version)


async def test_only_the_current_version_can_be_replaced(records) -> None:
    first = await records.save("1.2", b"a", None)
    second = await records.save("1.2", b"b", first)
    with pytest.raises(Conflict):
        await records.save("1.2", b"c", first)
    assert (await records.load("1.2")).value == b"b"
    assert second != first


async def test_a_missing_record_is_none(records) -> None:
    assert await records.load("1.404") is None


async def test_every_record_of_a_prefix_is_handed_over_with_its_version(records) -> None:
    versions = {key: await records.save(key, key.encode(), None) for key in ("1.2", "1.-3", "11.2", "1.4")}
    versions["1.4"] = await records.save("1.4", b"anew", versions["1.4"])
    found = {}

    async def take(key, stored) -> None:
        found[key] = (stored.value, stored.version)

    retrying = Retrying(SystemClock(), Random())
    await records.each("9.", take, retrying=retrying)
    assert found == {}
    await records.each("1.", take, retrying=retrying)
    assert found == {
        "1.2": (b"1.2", versions["1.2"]),
        "1.-3": (b"1.-3", versions["1.-3"]),
        "1.4": (b"anew", versions["1.4"]),
    }


async def test_a_store_says_since_when_it_knows_anything(records) -> None:
    assert await records.created_at() <= datetime.now(UTC)


async def test_a_store_says_that_by_the_clock_that_asks(jetstream_records) -> None:
    created = await jetstream_records.created_at()
    assert await jetstream_records.created_at(SystemClock()) == created
    for ahead in (timedelta(hours=1), timedelta(hours=-1)):
        off = await jetstream_records.created_at(SteppedClock(ahead)) - created - ahead
        assert abs(off) < timedelta(seconds=30)


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=str)
def test_a_moment_is_as_long_ago_by_every_clock(ahead) -> None:
    clock = ManualClock()
    store = clock.now() - ahead
    assert by_clock(clock, store - timedelta(minutes=5), store) == clock.now() - timedelta(minutes=5)


def test_a_store_from_the_future_tells_nothing_as_its_clock_was_set_back() -> None:
    clock = ManualClock()
    assert by_clock(clock, clock.now() + timedelta(hours=1), clock.now()) == LONG_AGO


def test_clocks_that_are_nearly_the_same_move_no_moment() -> None:
    clock = ManualClock()
    moment = clock.now() - timedelta(minutes=5)
    assert by_clock(clock, moment, clock.now() - timedelta(seconds=1)) == moment
    assert by_clock(clock, LONG_AGO, clock.now() + timedelta(hours=1)) == LONG_AGO
    assert by_clock(clock, moment, None) == moment


async def test_a_removed_record_is_gone_but_one_that_was_saved_since_stays(records) -> None:
    old = await records.save("1.2", b"a", None)
    await records.save("1.3", b"b", None)
    new = await records.save("1.2", b"c", old)
    await records.remove("1.2", old)
    assert (await records.load("1.2")).value == b"c"

    await records.remove("1.2", new)
    await records.remove("1.2", new)
    assert await records.load("1.2") is None
    assert (await records.load("1.3")).value == b"b"
    assert await records.save("1.2", b"afresh", None)


async def test_a_removed_record_leaves_no_trace(records) -> None:
    await records.remove("1.2", await records.save("1.2", b"a", None))
    found = []

    async def take(key, stored) -> None:
        found.append(key)

    await records.each("1.", take, retrying=Retrying(SystemClock(), Random()))
    assert found == []
