"""Whose connection it is: what is kept of each person's connections, and what Telegram is asked."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from edge.business import kept as kept_module
from edge.business.connection import Connection
from edge.business.connections import Connections
from edge.business.kept import MAX_EARLIER
from edge.userbot.driving.messenger import Undeliverable
from events.memory import MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

FIRST = Connection("a", "5", 2, datetime(2026, 1, 1, tzinfo=UTC), is_enabled=True, may_reply=True)
SECOND = replace(FIRST, id="b", dc_id=4, date=FIRST.date + timedelta(days=1))


class Telegram:
    """Knows some connections by their ids."""

    def __init__(self, *known: Connection) -> None:
        self.known = {connection.id: connection for connection in known}
        self.asked: list[str] = []

    async def ask(self, connection_id: str) -> Connection:
        self.asked.append(connection_id)
        try:
            return self.known[connection_id]
        except KeyError:
            raise Undeliverable("CONNECTION_ID_INVALID") from None


@pytest.fixture
def records():
    return MemoryRecords()


@pytest.fixture
def start(records):
    """Begin a process that knows what the earlier ones have kept."""

    async def begin(telegram: Telegram) -> Connections:
        connections = Connections(records, "9", ask=telegram.ask, retrying=Retrying(SystemClock(), Random(0)))
        await connections.load()
        return connections

    return begin


async def test_a_connection_from_before_the_first_start_is_asked_for_once(start) -> None:
    telegram = Telegram(FIRST)
    connections = await start(telegram)
    assert [await connections.person_of("a"), await connections.person_of("a")] == ["5", "5"]
    assert await (await start(telegram)).person_of("a") == "5"
    assert telegram.asked == ["a"]


async def test_one_that_telegram_does_not_know_is_nobodys(start) -> None:
    with pytest.raises(Undeliverable):
        await (await start(Telegram())).person_of("a")


async def test_a_message_through_an_earlier_connection_is_still_that_persons(start) -> None:
    connections = await start(Telegram())
    await connections.change(FIRST)
    await connections.change(SECOND)
    later = await start(Telegram())
    assert [await later.person_of("a"), await later.person_of("b")] == ["5", "5"]
    kept = later.of("5")
    assert kept
    assert (kept.connection_id, kept.dc_id) == ("b", 4)


async def test_a_late_word_about_an_earlier_connection_changes_nothing(start) -> None:
    connections = await start(Telegram())
    await connections.change(SECOND)
    await connections.change(replace(FIRST, is_enabled=False))
    kept = connections.of("5")
    assert kept
    assert (kept.connection_id, kept.answers) == ("b", True)


async def test_only_so_many_earlier_connections_are_kept(start) -> None:
    connections = await start(Telegram())
    for number in range(MAX_EARLIER + 5):
        await connections.change(replace(FIRST, id=str(number), date=FIRST.date + timedelta(days=number)))
    kept = connections.of("5")
    assert kept
    assert kept.earlier == tuple(str(number) for number in range(4, MAX_EARLIER + 4))


async def test_access_hashes_outlive_a_restart_and_a_new_connection_but_only_the_newest_are_kept(
    start, monkeypatch
) -> None:
    monkeypatch.setattr(kept_module, "MAX_PEERS", 2)
    connections = await start(Telegram())
    await connections.change(FIRST)
    for user, access_hash in (("1", 11), ("2", 22), ("1", 12), ("3", 33)):
        await connections.learn("5", user, access_hash)
    await connections.change(SECOND)
    assert (await start(Telegram())).of("5").peers == {"1": 12, "3": 33}


async def test_what_the_person_was_told_is_forgotten_with_a_change_but_not_with_a_repeat_or_a_new_peer(start) -> None:
    connections = await start(Telegram())
    await connections.change(FIRST)
    await connections.tell("5", "no_right")
    await connections.learn("5", "1", 11)
    await connections.change(FIRST)
    assert connections.of("5").told == ("no_right",)
    await connections.change(replace(FIRST, may_reply=False))
    assert connections.of("5").told == ()


def test_waiting_for_another_connection_ends_when_it_comes_and_a_new_peer_is_none(start, virtually) -> None:
    async def life(retrying: Retrying) -> None:
        connections = await start(Telegram())
        await connections.change(FIRST)
        waiting = asyncio.create_task(connections.changed("5", connections.of("5"), patience=timedelta(seconds=5)))
        await connections.learn("5", "1", 11)
        await asyncio.sleep(1)
        assert not waiting.done()
        await connections.change(SECOND)
        assert await waiting
        assert not await connections.changed("5", connections.of("5"), patience=timedelta(seconds=5))

    virtually(life)
