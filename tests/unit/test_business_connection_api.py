"""Calls in a person's name: over which connection, and what follows when Telegram refuses one. For either client."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from edge.business.connection import Connection
from edge.business.connections import Connections
from edge.business.reasons import Reason
from edge.business.telegram import connection_api
from edge.business.telegram.connection_api import ConnectionApi
from edge.userbot.driving.messenger import FloodWaited, MessengerError, Undeliverable, UnknownAnswer
from edge.userbot.telegram.api import CallRefused
from events.memory import MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from tests.unit.conftest import VirtualClock

PERSON, OTHER = "5", "6"
FIRST = Connection("a", PERSON, 2, datetime(2026, 1, 1, tzinfo=UTC), is_enabled=True, may_reply=True)
SECOND = replace(FIRST, id="b", dc_id=4, date=datetime(2026, 1, 2, tzinfo=UTC))
INVALID = "BUSINESS_CONNECTION_INVALID"


@dataclass
class Wrapped:
    connection_id: str
    query: Any


class Deletion:
    """A call that deletes messages."""


class Typing:
    """A call that shows an action."""


@pytest.fixture(autouse=True)
def _functions(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = SimpleNamespace(
        InvokeWithBusinessConnection=Wrapped, messages=SimpleNamespace(DeleteMessages=Deletion, SetTyping=Typing)
    )
    monkeypatch.setattr(connection_api, "functions", functions)


@dataclass
class Telegram:
    """`refuses`: by connection id, with what each call through it is refused. `calls`: connection, query, centre."""

    refuses: dict[str, str] = field(default_factory=dict)
    known: dict[str, Connection] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    calls: list[tuple[str, Any, int]] = field(default_factory=list)
    fails: Exception | None = None

    async def ask(self, connection_id: str) -> Connection:
        self.asked.append(connection_id)
        if connection_id not in self.known:
            raise Undeliverable("CONNECTION_ID_INVALID")
        return self.known[connection_id]

    async def at_centre(self, wrapped: Wrapped, centre: int) -> str:
        self.calls.append((wrapped.connection_id, wrapped.query, centre))
        if self.fails:
            raise self.fails
        if reason := self.refuses.get(wrapped.connection_id):
            raise CallRefused(reason)
        return "done"

    async def invoke(self, query: Any, *, call: Any) -> Any:
        return await call(query)

    async def invoke_quietly(self, query: Any, *, call: Any, take: Any) -> None:
        await call(query)


@dataclass
class Calling:
    telegram: Telegram
    connections: Connections
    told: list[tuple[str, Reason]] = field(default_factory=list)
    is_stalled: bool = False
    """Updates that were missed can't be fetched now."""

    def api(self, person: str = PERSON) -> ConnectionApi:
        async def refused(person: str, reason: Reason) -> None:
            self.told.append((person, reason))

        centres = SimpleNamespace(invoke=self.telegram.at_centre)
        return ConnectionApi(
            self.telegram, centres, self.connections, person, refused=refused, fetch_missed=self.fetch_missed
        )

    async def fetch_missed(self) -> None:
        if self.is_stalled:
            await asyncio.Event().wait()


async def calling(*connections: Connection, **telegram: Any) -> Calling:
    fake = Telegram(**telegram)
    kept = Connections(MemoryRecords(), "9", ask=fake.ask, retrying=Retrying(SystemClock(), Random(0)))
    for connection in connections:
        await kept.change(connection)
    return Calling(fake, kept)


async def test_a_call_goes_through_the_newest_connection_to_its_data_centre() -> None:
    made = await calling(FIRST, SECOND, replace(FIRST, id="c", person=OTHER))
    assert await made.api().invoke("hello") == "done"
    assert await made.api(OTHER).invoke("hello") == "done"
    assert made.telegram.calls == [("b", "hello", 4), ("c", "hello", 2)]


@pytest.mark.parametrize(
    ("connection", "reason"),
    [
        (replace(FIRST, may_reply=False), Reason.NO_RIGHT),
        (replace(FIRST, is_enabled=False), Reason.ENDED),
        (replace(FIRST, person=OTHER), Reason.ENDED),
    ],
    ids=["no right", "disabled", "never connected"],
)
async def test_without_a_connection_that_takes_messages_telegram_is_not_asked(connection, reason) -> None:
    made = await calling(connection)
    with pytest.raises(CallRefused):
        await made.api().invoke("hello")
    assert await made.api().invoke_quietly("typing")
    assert (made.telegram.calls, made.told) == ([], [(PERSON, reason)])


async def test_after_they_have_left_nothing_is_sent_for_a_person_but_messages_are_deleted() -> None:
    made = await calling(FIRST)
    assert await made.connections.leave(PERSON, since=FIRST.date)
    with pytest.raises(CallRefused):
        await made.api().invoke("an answer that was on its way")
    assert await made.api().invoke_quietly("typing")
    thinking_line = Deletion()
    assert await made.api().invoke(thinking_line) == "done"
    assert made.telegram.calls == [("a", thinking_line, 2)]


async def test_a_refusal_is_passed_on_and_told_if_it_means_something_to_the_person() -> None:
    made = await calling(FIRST, refuses={"a": "BUSINESS_PEER_INVALID"})
    with pytest.raises(CallRefused, match="BUSINESS_PEER_INVALID"):
        await made.api().invoke("hello")
    made.telegram.refuses["a"] = "MESSAGE_ID_INVALID"
    with pytest.raises(CallRefused, match="MESSAGE_ID_INVALID"):
        await made.api().invoke("hello")
    made.telegram.refuses["a"] = "BOT_ACCESS_FORBIDDEN"
    with pytest.raises(CallRefused):
        await made.api().invoke(Deletion())
    assert made.told == [(PERSON, Reason.OUTSIDE), (PERSON, Reason.NO_RIGHT_TO_DELETE)]


async def test_an_invalid_connection_is_asked_for_once_and_the_call_repeated_through_what_it_is_now() -> None:
    made = await calling(FIRST, refuses={"a": INVALID}, known={"a": SECOND})
    assert await made.api().invoke("hello") == "done"
    assert (made.telegram.asked, made.telegram.calls[1:]) == (["a"], [("b", "hello", 4)])
    assert made.told == []


async def test_a_connection_that_telegram_says_is_over_is_over() -> None:
    made = await calling(FIRST, refuses={"a": INVALID}, known={"a": replace(FIRST, is_enabled=False)})
    with pytest.raises(CallRefused):
        await made.api().invoke("hello")
    assert (len(made.telegram.calls), made.told) == (1, [(PERSON, Reason.ENDED)])


def test_the_update_about_another_connection_is_waited_for(virtually) -> None:
    async def life(retrying: Retrying) -> None:
        made = await calling(FIRST, refuses={"a": INVALID})
        waiting = asyncio.create_task(made.api().invoke("hello"))
        await VirtualClock().sleep(connection_api.RENEWAL_PATIENCE / 2)
        await made.connections.change(SECOND)
        assert await waiting == "done"
        assert made.told == []

    virtually(life)


def test_if_none_comes_the_call_is_refused_and_the_person_told(virtually) -> None:
    async def life(retrying: Retrying) -> None:
        made = await calling(FIRST, refuses={"a": INVALID})
        with pytest.raises(CallRefused, match=INVALID):
            await made.api().invoke("hello")
        assert (made.telegram.asked, made.told) == (["a"], [(PERSON, Reason.ENDED)])

    virtually(life)


def test_while_updates_can_not_be_fetched_the_call_is_tried_again(virtually) -> None:
    async def life(retrying: Retrying) -> None:
        made = await calling(FIRST, refuses={"a": INVALID})
        made.is_stalled = True
        with pytest.raises(MessengerError):
            await made.api().invoke("hello")
        assert made.told == []

    virtually(life)


async def test_a_flood_wait_is_no_refusal() -> None:
    made = await calling(FIRST, fails=FloodWaited(timedelta(seconds=1)))
    with pytest.raises(FloodWaited):
        await made.api().invoke("hello")
    assert made.told == []


async def test_after_an_answer_that_is_not_known_the_next_try_goes_where_the_connection_is_now() -> None:
    made = await calling(FIRST, fails=UnknownAnswer("303"), known={"a": replace(FIRST, dc_id=4)})
    with pytest.raises(UnknownAnswer):
        await made.api().invoke("hello")
    made.telegram.fails = None
    await made.api().invoke("hello")
    assert [centre for _, _, centre in made.telegram.calls] == [2, 4]


async def test_access_hashes_are_those_of_the_persons_own_chats() -> None:
    made = await calling(FIRST, replace(FIRST, id="c", person=OTHER))
    await made.connections.learn(PERSON, "77", 1)
    await made.connections.learn(OTHER, "77", 2)
    assert (made.api().access_hash("77"), made.api(OTHER).access_hash("77")) == (1, 2)
    assert made.api().access_hash("78") is None
