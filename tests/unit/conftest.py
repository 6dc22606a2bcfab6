"""Intake, driver and replies together, on memory; whoever runs them decides when an edge dies."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from edge.userbot.chat.incoming import Incoming, OwnMessage, Reaction
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.messenger import Undeliverable
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.intake import Intake
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.intake.reactions import ReactionIntake
from edge.userbot.people import Person
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from events.event import Event
from events.ids import RequestId
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import (
    FailureReason,
    FinishReason,
    GenerationCompleted,
    GenerationFailed,
    GenerationProgressed,
    Sampling,
)
from events.transport import Channel
from observability.telemetry import noop_telemetry

ACCOUNT, CHAT = "1", "2"
READER = Person(CHAT)


@dataclass
class FakeTelegram:
    """A chat that folds repeated random ids, and fails on demand. `looks`: its messages with their formatting.

    `named`: chats by name. `first`: whether the other person wrote first.
    """

    texts: list[tuple[str, int | None]] = field(default_factory=list)
    looks: list[FormattedText] = field(default_factory=list)
    by_random_id: dict[int, int] = field(default_factory=dict)
    before_send: Callable[[str], None] = lambda text: None
    after_send: Callable[[str], None] = lambda text: None
    before_edit: Callable[[str], None] = lambda text: None
    after_edit: Callable[[str], None] = lambda text: None
    takes_previews: bool = True
    before_live_draft: Callable[[str], None] | None = None
    """None: the chat takes no live drafts. An Undeliverable refuses them from then on."""
    live_drafts: list[tuple[int, str]] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)
    deleted: set[int] = field(default_factory=set)
    named: dict[str, str] = field(default_factory=lambda: {CHAT: CHAT})
    first: bool | None = None
    reactions: dict[int, str] = field(default_factory=dict)
    typings: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        assert chat == CHAT
        text = message.text
        self.before_send(text)
        if random_id not in self.by_random_id:
            self.texts.append((text, reply_to))
            self.looks.append(message)
            self.by_random_id[random_id] = 1000 + len(self.texts)
            self.changed.set()
        self.after_send(text)
        return self.by_random_id[random_id]

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        return 1001 + self.texts.index((text, reply_to)) if (text, reply_to) in self.texts else None

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        direct = [1001 + at for at, (_, replied) in enumerate(self.texts) if replied == message_id]
        told = thinking is not None and any(self.texts[id_ - 1001][0] not in thinking for id_ in direct)
        return told or any(replied in direct for _, replied in self.texts)

    async def edit(self, chat: str, message_id: int, message: FormattedText) -> None:
        assert chat == CHAT
        text = message.text
        self.before_edit(text)
        if message_id in self.deleted:
            raise Undeliverable("MESSAGE_ID_INVALID")
        self.edits.append(text)
        self.texts[message_id - 1001] = (text, self.texts[message_id - 1001][1])
        self.looks[message_id - 1001] = message
        self.changed.set()
        self.after_edit(text)

    async def preview(self, chat: str, message_id: int, message: FormattedText) -> bool:
        if not self.takes_previews:
            return False
        await self.edit(chat, message_id, message)
        return True

    def takes_live_drafts(self, chat: str) -> bool:
        return self.before_live_draft is not None

    async def live_draft(self, chat: str, random_id: int, message: FormattedText) -> bool:
        assert self.before_live_draft
        try:
            self.before_live_draft(message.text)
        except Undeliverable:
            self.before_live_draft = None
            return False
        self.live_drafts.append((random_id, message.text))
        self.changed.set()
        return True

    async def delete(self, chat: str, message_id: int) -> None:
        assert chat == CHAT
        self.deleted.add(message_id)
        self.changed.set()

    async def find_chat(self, name: str) -> str | None:
        return self.named.get(name)

    async def wrote_first(self, chat: str) -> bool | None:
        return self.first

    async def react(self, chat: str, message_id: int, emoji: str) -> None:
        self.reactions[message_id] = emoji
        self.changed.set()

    async def typing(self, chat: str) -> None:
        self.typings += 1

    @property
    def seen(self) -> list[str]:
        """The texts that are not deleted."""
        return [text for at, (text, _) in enumerate(self.texts) if 1001 + at not in self.deleted]

    async def count(self, number: int) -> None:
        await self.until(lambda: len(self.texts) >= number)

    async def until(self, condition: Callable[[], object]) -> None:
        """Asked again whenever something was written."""
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - records and streams have no event to wait on
            await asyncio.sleep(0.01)


class Edge:
    """One life of the edge; the log, the records and Telegram outlive it."""

    def __init__(
        self,
        log: MemoryLog,
        records: MemoryRecords,
        marks: MemoryMarks,
        telegram: FakeTelegram,
        rules: Rules,
        *,
        retrying: Retrying,
    ) -> None:
        self.log, self.telegram, self.rules = log, telegram, rules
        self.ports = Ports(
            account=ACCOUNT,
            chats=Chats(records, marks, ACCOUNT, retrying=retrying),
            log=log,
            messenger=telegram,
            sampling=Sampling(),
            deadline=rules.deadline,
            telemetry=noop_telemetry(),
            retrying=retrying,
            rules=lambda: self.rules,
            owner_chat=ACCOUNT,
        )
        self.drivers = Drivers(self.ports)
        self.own_intake = OwnIntake(self.ports, self.drivers, lambda: rules)
        self.intake = Intake(self.ports, self.drivers, lambda: self.rules)
        self.reaction_intake = ReactionIntake(self.ports, self.drivers.wake, lambda: self.rules, key=b"key")
        replies = log.subscribe(Channel.REPLIES, "edge-1", lease=timedelta(seconds=0.2))
        self.replies = asyncio.create_task(Replies(self.ports, self.drivers, replies).run())

    async def says(self, text: str, message_id: int, *, age: timedelta = timedelta(0)) -> Effect:
        return await self.intake.receive(
            Incoming(ACCOUNT, CHAT, message_id, text, "ru", self.ports.retrying.clock.now() - age)
        )

    async def owner_writes(
        self, text: str, message_id: int, *, reply_to: int | None = None, age: timedelta = timedelta(0)
    ) -> Effect:
        """Take a message that was sent from the account, by the owner or by us."""
        date = self.ports.retrying.clock.now() - age
        return await self.own_intake.receive(OwnMessage(ACCOUNT, CHAT, message_id, text, date, reply_to))

    async def reacts(self, message_id: int, vote: int, reader: Person = READER) -> None:
        await self.reaction_intake.receive(Reaction(ACCOUNT, CHAT, message_id, reader, vote))

    async def answer(self, message_id: int, text: str = "ответ") -> None:
        data = GenerationCompleted(
            request_id=f"1.2.{message_id}.0", text=text, finish_reason=FinishReason.STOP, model="test"
        )
        await self.log.publish(Channel.REPLIES, Event.of(data, source="/test", time=datetime.now(UTC)))

    def writes(self, message_id: int, text: str, sequence: int) -> None:
        """As a worker tells it."""
        data = GenerationProgressed(request_id=f"1.2.{message_id}.0", text=text, sequence=sequence)
        self.drivers.take_progress(Event.of(data, source="/test", time=datetime.now(UTC)))

    async def fail(self, message_id: int) -> None:
        data = GenerationFailed(request_id=f"1.2.{message_id}.0", reason=FailureReason.EMPTY)
        await self.log.publish(Channel.REPLIES, Event.of(data, source="/test", time=datetime.now(UTC)))

    async def request(self, message_id: int) -> Event | None:
        return await self.log.find(Channel.REQUESTS, RequestId("1", "2", str(message_id)))

    async def die(self) -> None:
        """As kill -9 does: nothing is finished."""
        self.replies.cancel()
        await self.drivers.stop()
        await asyncio.gather(self.replies, return_exceptions=True)

    async def idle(self) -> None:
        async def idle() -> bool:
            return not (await self.ports.chats.load(CHAT)).current and not self.drivers.busy

        await until(idle)

    async def gone(self, channel: Channel, message_id: int) -> None:
        async def gone() -> bool:
            return await self.log.find(channel, RequestId("1", "2", str(message_id))) is None

        await until(gone)


@dataclass
class Places:
    log: MemoryLog = field(default_factory=lambda: MemoryLog(clock=SystemClock()))
    records: MemoryRecords = field(default_factory=MemoryRecords)
    marks: MemoryMarks = field(default_factory=MemoryMarks)
    telegram: FakeTelegram = field(default_factory=FakeTelegram)
    lives: list[Edge] = field(default_factory=list)
    retrying: Retrying = field(default_factory=lambda: Retrying(SystemClock(), Random()))

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        await until(condition)

    def edge(self, **rules: object) -> Edge:
        self.lives.append(
            Edge(self.log, self.records, self.marks, self.telegram, Rules(**rules), retrying=self.retrying)
        )
        return self.lives[-1]


@pytest.fixture
async def places() -> AsyncIterator[Places]:
    places = Places()
    yield places
    for edge in places.lives:
        await edge.die()


EPOCH = datetime(2026, 11, 25, 12, tzinfo=UTC)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only when there is nothing else to do, and then at once. For what does no real input or output."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0.0
        really = self._selector.select

        def select(timeout: float | None = None) -> list:
            assert timeout is not None, "nothing will ever happen any more"
            # A turn of the loop takes a moment too: asyncio calls a timer due that is less than a nanosecond off.
            self._passed += timeout + 1e-6
            return really(0)

        self._selector.select = select

    def time(self) -> float:
        return getattr(self, "_passed", 0.0)


class VirtualClock:
    """Implements `Clock` on the running loop's time."""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(max(duration.total_seconds(), 0.0))


@pytest.fixture
def virtually() -> Callable[[Callable[[Retrying], Awaitable[None]]], None]:
    """`virtually(life)` runs `life(retrying)` in virtual time: pauses of minutes take no time."""

    def run(life: Callable[[Retrying], Awaitable[None]]) -> None:
        loop = VirtualLoop()
        try:
            loop.run_until_complete(life(Retrying(VirtualClock(), Random(7))))
        finally:
            loop.close()

    return run


@pytest.fixture
def virtual_places(virtually) -> Callable[[Callable[[Places], Awaitable[None]]], None]:
    """`virtual_places(story)` runs `story(places)` in virtual time."""

    def run(story: Callable[[Places], Awaitable[None]]) -> None:
        async def life(retrying: Retrying) -> None:
            places = Places(log=MemoryLog(clock=retrying.clock), retrying=retrying)
            try:
                await story(places)
            finally:
                for edge in places.lives:
                    await edge.die()

        virtually(life)

    return run
