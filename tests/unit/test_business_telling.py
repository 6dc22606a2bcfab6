"""A person learns once of each reason why their chats get no answers, whichever process dies when."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random

import pytest

from edge.business.connection import Connection
from edge.business.connections import Connections
from edge.business.phrases import refusal
from edge.business.reasons import Reason
from edge.business.telling import Telling
from edge.userbot.driving.notices import add_own_notice
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.rules import Rules
from events.errors import TransportError
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from tests.unit.conftest import ACCOUNT, Edge, Places

CONNECTION = Connection("a", ACCOUNT, 2, datetime(2026, 1, 1, tzinfo=UTC), is_enabled=True, may_reply=True)


async def unknown(_connection_id: str) -> Connection:
    raise AssertionError


@pytest.fixture
def told(places: Places, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the person got in the chat with the bot: Telegram folds a repeated random id."""
    texts: dict[int, str] = {}

    async def send(
        chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        assert (chat, reply_to) == (ACCOUNT, None)
        if random_id not in texts:
            texts[random_id] = message.text
            seen.append(message.text)
        return 7

    seen: list[str] = []
    monkeypatch.setattr(places.telegram, "send", send)
    return seen


Begin = Callable[[], Awaitable[tuple[Telling, Connections, Edge]]]


@pytest.fixture
def begin(places: Places) -> Begin:
    """Begin a process."""

    async def process() -> tuple[Telling, Connections, Edge]:
        edge = places.edge()
        connections = Connections(places.records, "9", ask=unknown, retrying=Retrying(SystemClock(), Random(0)))
        await connections.load()

        async def notify(person: str, notice: object) -> None:
            await add_own_notice(edge.ports, edge.drivers.wake, person, notice)

        return Telling(connections, notify, lambda: Rules(locale="en")), connections, edge

    return process


async def settled(places: Places, edge: Edge) -> None:
    async def idle() -> bool:
        return not (await edge.ports.chats.load(ACCOUNT)).notices and not edge.drivers.busy

    await places.until(idle)


async def test_each_reason_is_told_once_also_by_many_at_once_and_after_a_restart(places, told, begin) -> None:
    telling, connections, edge = await begin()
    await connections.change(CONNECTION)
    await asyncio.gather(*(telling.tell(ACCOUNT, Reason.OUTSIDE) for _ in range(5)))
    await telling.tell(ACCOUNT, Reason.TOO_LATE)
    await settled(places, edge)
    await edge.die()
    telling, connections, edge = await begin()
    await telling.tell(ACCOUNT, Reason.OUTSIDE)
    await settled(places, edge)
    assert told == [refusal("en", Reason.OUTSIDE), refusal("en", Reason.TOO_LATE)]


async def test_a_process_that_dies_before_it_knows_that_it_has_told_tells_nothing_twice(
    places, told, begin, monkeypatch
) -> None:
    telling, connections, edge = await begin()
    await connections.change(CONNECTION)

    async def dies(person: str, reason: str) -> None:
        raise TransportError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(connections, "tell", dies)
        with pytest.raises(TransportError):
            await telling.tell(ACCOUNT, Reason.OUTSIDE)
    await settled(places, edge)
    await edge.die()
    telling, _, edge = await begin()
    await telling.tell(ACCOUNT, Reason.OUTSIDE)
    await settled(places, edge)
    assert told == [refusal("en", Reason.OUTSIDE)]


async def test_after_a_change_of_the_connection_a_reason_is_told_anew(places, told, begin) -> None:
    telling, connections, edge = await begin()
    await connections.change(CONNECTION)
    await telling.tell(ACCOUNT, Reason.OUTSIDE)
    await connections.change(Connection("b", ACCOUNT, 2, datetime(2026, 1, 2, tzinfo=UTC), True, True))
    await telling.tell(ACCOUNT, Reason.OUTSIDE)
    await settled(places, edge)
    assert told == [refusal("en", Reason.OUTSIDE)] * 2


async def test_whoever_has_left_or_was_never_connected_is_told_nothing(places, told, begin) -> None:
    telling, connections, edge = await begin()
    await telling.tell(ACCOUNT, Reason.ENDED)
    await connections.change(CONNECTION)
    assert await connections.leave(ACCOUNT, since=CONNECTION.date)
    await telling.tell(ACCOUNT, Reason.ENDED)
    await settled(places, edge)
    assert told == []
