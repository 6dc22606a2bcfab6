"""Tell a story with an edge that dies once, at any chosen effect, and judge what the next one has made of it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol, TypeVar

import pytest

from edge.userbot.chat.record import ChatRecord
from edge.userbot.rules import Rules
from events.runtime.retrying import Retrying
from tests.crashes.chat import Chat
from tests.crashes.places import Places
from tests.fuses import Fuse
from tests.unit.conftest import VirtualClock, VirtualLoop

MOST_EFFECTS = 150
T = TypeVar("T")


@dataclass(frozen=True)
class Edit:
    """The user edits a message."""

    message_id: int
    text: str


@dataclass(frozen=True)
class Delete:
    """The user deletes a message."""

    message_id: int


@dataclass(frozen=True)
class Scenario:
    """`user` does each thing once the text before it is in the record; `holds` is what must be true in the end.

    `owner`: what the owner writes after that.
    """

    user: tuple["str | Edit | Delete", ...]
    holds: Callable[[Chat, ChatRecord], bool]
    answer: Callable[[str], str | None] = lambda text: f"ответ на {text}"
    rules: Rules = field(default_factory=Rules)
    deleted: frozenset[int] = frozenset()
    owner: str = ""
    drafts: tuple[bool, bool] = (False, False)
    """Whether the chats take live drafts, of the first process and of the next."""


class Life(Protocol):
    """One life of the edge."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """As kill -9 does: nothing is finished."""
        ...


@dataclass
class World:
    """`life` makes a life of the edge whose effects go by a fuse.

    `begin`: what happens in a chat before the story. `meanwhile`: what the account's owner does elsewhere.
    """

    places: Places
    life: Callable[[Fuse], Life]
    open: Callable[[], Awaitable[object]]
    begin: Callable[[Chat], None] = lambda chat: None
    meanwhile: Callable[[Chat], Coroutine[Any, Any, None]] | None = None


def rests(record: ChatRecord) -> bool:
    busy = record.current or record.waiting or record.bursts
    return not (busy or record.notices or record.erasing or record.withdrawn)


def tell_with_every_death(make: Callable[[Retrying], World], scenario: Scenario, *, after: bool) -> list[Fuse]:
    """Return the fuses of all lives: the last one did not blow."""
    fuses: list[Fuse] = []
    while not fuses or fuses[-1].blown.is_set():
        if len(fuses) == MOST_EFFECTS:
            pytest.fail("the scenario has no end")
        fuses.append(Fuse(len(fuses) + 1, after))
        tell(make, scenario, fuses[-1])
    return fuses


def tell(make: Callable[[Retrying], World], scenario: Scenario, fuse: Fuse) -> None:
    """The scenario holds, whether the fuse blows or not."""
    in_virtual_time(lambda retrying: _tell(make(retrying), scenario, fuse))


def in_virtual_time(life: Callable[[Retrying], Coroutine[Any, Any, T]]) -> T:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(life(Retrying(VirtualClock(), Random(7))))
    finally:
        loop.close()


async def _tell(world: World, scenario: Scenario, fuse: Fuse) -> None:
    places = world.places
    for chat in places.chats:
        chat.deleted, chat.takes_drafts = set(scenario.deleted), scenario.drafts[0]
    await world.open()
    life = world.life(fuse)
    await life.start()
    for chat in places.chats:
        world.begin(chat)
    talks = [asyncio.create_task(talk(scenario, places, chat)) for chat in places.chats]
    if world.meanwhile:
        talks += [asyncio.create_task(world.meanwhile(chat)) for chat in places.chats]
    done = asyncio.create_task(comes_true(scenario, places, talks))
    others = [asyncio.create_task(places.work()), asyncio.create_task(fuse.blown.wait())]
    try:
        async with asyncio.timeout(60):
            await asyncio.wait({done, others[1]}, return_when=asyncio.FIRST_COMPLETED)
            if fuse.blown.is_set():
                await _die(life, places, fuse)
                for chat in places.chats:
                    chat.takes_drafts = scenario.drafts[1]
                life = world.life(Fuse(0, False))
                await life.start()
            await done
    except TimeoutError:
        records = [await places.record(chat) for chat in places.chats]
        pytest.fail(f"stuck after {fuse.journal}: {[chat.texts for chat in places.chats]}, {records}")
    finally:
        for task in (*talks, done, *others):
            task.cancel()
        await asyncio.gather(*talks, done, *others, return_exceptions=True)
        await _die(life, places, fuse)


async def _die(life: Life, places: Places, fuse: Fuse) -> None:
    """Whatever has something to do then is in the index."""
    await life.stop()
    for chat in places.chats:
        at_rest = rests(await places.record(chat))
        assert at_rest or await places.is_marked(chat), f"not in the index after {fuse.journal}"


async def talk(scenario: Scenario, places: Places, chat: Chat) -> None:
    for act in scenario.user:
        match act:
            case Edit(message_id, text):
                chat.user_edits(message_id, text)
            case Delete(message_id):
                chat.user_deletes(message_id)
            case str():
                chat.user_says(act)
                while chat.asked not in (await places.record(chat)).seen:  # noqa: ASYNC110 - records have no event
                    await asyncio.sleep(0.002)
    if scenario.owner:
        chat.owner_says(scenario.owner)
        while (await places.record(chat)).paused_until is None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.002)


async def comes_true(scenario: Scenario, places: Places, talks: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*talks)
    for chat in places.chats:
        while not (rests(record := await places.record(chat)) and scenario.holds(chat, record)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    # Nothing more may come of what is still under way: replies that come again, messages that are fetched again.
    said = [list(chat.texts) for chat in places.chats]
    await asyncio.sleep(1)
    assert [chat.texts for chat in places.chats] == said
    for chat in places.chats:
        record = await places.record(chat)
        assert rests(record)
        assert scenario.holds(chat, record)
        was_paused = record.paused_until is not None
        assert was_paused is bool(scenario.owner), "our own message was taken for the owner's"
        assert not await places.is_marked(chat), "a chat at rest is looked at by every start"
