"""What every store of records promises: changes only by compare-and-set."""

from datetime import UTC, datetime

import pytest

from events.errors import Conflict


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


async def test_keys_are_listed_by_prefix(records) -> None:
    assert list(await records.keys("1.")) == []
    for key in ("1.2", "1.-3", "11.2"):
        await records.save(key, b"x", None)
    assert sorted(await records.keys("1.")) == ["1.-3", "1.2"]


async def test_a_store_says_since_when_it_knows_anything(records) -> None:
    assert await records.made() <= datetime.now(UTC)
