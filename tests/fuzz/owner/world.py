"""What outlives the edge, and one life of it: the real intake, drivers and replies, on memory."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from edge.userbot.chat.incoming import Deleted, Edited, OwnMessage
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.intake.intake import Intake
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from events.event import Event
from events.memory import MemoryLog, MemoryMarks, MemoryRecords, MemorySubscription
from events.runtime.retrying import Retrying
from events.schema import (
    FailureReason,
    FinishReason,
    GenerationCompleted,
    GenerationFailed,
    GenerationProgressed,
    GenerationRequested,
    Sampling,
)
from events.transport import Channel
from observability.telemetry import noop_telemetry
from tests.fuses import Fuse, Fused
from tests.fuzz.owner.telegram import ACCOUNT, OWNER, Post, Telegram, as_message

FOR_EVER = timedelta(days=365)
CATCH_UP_AGAIN = 2
"""Changes that a start fetches although an earlier life has taken them in."""


class Patient:
    """A subscription that does not ask again and again: days pass at once."""

    def __init__(self, inner: MemorySubscription) -> None:
        self._inner, self.lease = inner, inner.lease

    async def fetch(self, limit: int, timeout: timedelta) -> Any:
        return await self._inner.fetch(limit, FOR_EVER)

    async def leave(self, *, last_attempt: int) -> Any:
        return await self._inner.leave(last_attempt=last_attempt)


@dataclass
class World:
    """`asked`: what workers have not replied to. `replied`: the texts of replies by request id, None for a failure.
    `questions`: what was asked of them, by request id.

    `taking`: called before and after a message is taken in, afterwards with its effect.
    """

    retrying: Retrying
    telegram: Telegram
    rules: Rules
    lag: float = 0.0
    log: MemoryLog = field(init=False)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    marks: MemoryMarks = field(default_factory=MemoryMarks)
    asked: list[GenerationRequested] = field(default_factory=list)
    replied: dict[str, str | None] = field(default_factory=dict)
    questions: dict[str, str] = field(default_factory=dict)
    taken: int = 0
    taking: Callable[[Post, Effect | None], None] = lambda post, effect: None
    life: "Life | None" = None

    def __post_init__(self) -> None:
        self.log = MemoryLog(clock=self.retrying.clock)

    async def run_workers(self) -> None:
        requests = Patient(self.log.subscribe(Channel.REQUESTS, "generate", lease=timedelta(seconds=60)))
        while True:
            for delivery in await requests.fetch(64, FOR_EVER):
                self.asked.append(request := delivery.event.data())
                self.questions[request.request_id] = request.turns[-1].text
                await delivery.ack()

    async def reply(self, request: GenerationRequested, text: str | None) -> None:
        self.asked.remove(request)
        data: Any = GenerationFailed(request_id=request.request_id, reason=FailureReason.REJECTED)
        if text is not None:
            data = GenerationCompleted(
                request_id=request.request_id, text=text, finish_reason=FinishReason.STOP, model="test"
            )
        self.replied[request.request_id] = text
        await self.log.publish(Channel.REPLIES, Event.of(data, source="/test", time=self.retrying.clock.now()))

    def write(self, request: GenerationRequested, text: str, sequence: int) -> None:
        """Tell how far a worker has come, if an edge hears it."""
        data = GenerationProgressed(request_id=request.request_id, text=text, sequence=sequence)
        if self.life:
            self.life.drivers.take_progress(Event.of(data, source="/test", time=self.retrying.clock.now()))

    async def record(self, chat: str) -> ChatRecord:
        return await Chats(self.records, self.marks, ACCOUNT, retrying=self.retrying).load(chat)

    async def start(self) -> None:
        """Start an edge if none runs."""
        if self.life is None:
            self.taken = max(0, self.taken - CATCH_UP_AGAIN)
            self.life = Life(self)
            await self.life.start()

    async def die(self) -> None:
        """As kill -9 does. Telegram forgets what it need not remember."""
        if self.life:
            await self.life.die()
            self.life = None
        self.telegram.by_random_id.clear()


class Life:
    """One life of the edge. It stands still at the effect that `die_at` names."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.fuse = Fuse(0, False)
        self.tasks: list[asyncio.Task[Any]] = []
        fuse = self.fuse
        records, marks = Fused(world.records, fuse, "save"), Fused(world.marks, fuse, "add", "drop")
        self.ports = Ports(
            account=ACCOUNT,
            chats=Chats(records, marks, ACCOUNT, retrying=world.retrying),
            log=Fused(world.log, fuse, "publish", "erase", "erase_chat"),
            messenger=Fused(world.telegram, fuse, "send", "edit", "delete"),
            sampling=Sampling(),
            deadline=world.rules.deadline,
            telemetry=noop_telemetry(),
            retrying=world.retrying,
            rules=lambda: world.rules,
            owner_chat=OWNER,
        )
        self.drivers = Drivers(self.ports)
        self.intake = Intake(self.ports, self.drivers, lambda: world.rules)
        self.own_intake = OwnIntake(self.ports, self.drivers, lambda: world.rules)

    async def start(self) -> None:
        """As `app.py` does."""
        replies = Patient(self.world.log.subscribe(Channel.REPLIES, "edge", lease=timedelta(seconds=10)))
        self.drivers.hold()
        await self.drivers.resume()
        running = (self._take_in(), Replies(self.ports, self.drivers, replies).run())
        self.tasks = [asyncio.create_task(one) for one in running]

    def die_at(self, effects: int, *, after: bool) -> None:
        """Stand still before or `after` the effect that comes after so many others."""
        self.fuse.at, self.fuse.after = len(self.fuse.journal) + effects + 1, after

    async def _take_in(self) -> None:
        world = self.world
        while True:
            while world.taken < len(world.telegram.changes):
                await asyncio.sleep(world.lag)
                await self._take_change(world.telegram.changes[world.taken])
                world.taken += 1
            self.drivers.release()
            world.telegram.changed.clear()
            await world.telegram.changed.wait()

    async def _take_change(self, change: Post | Edited | Deleted) -> None:
        match change:
            case Edited():
                await self.intake.receive_edit(change)
            case Deleted():
                await self.intake.receive_deletion_from_bursts(change)
            case Post():
                await self._take(change)

    async def _take(self, post: Post) -> None:
        message = as_message(post)
        self.world.taking(post, None)
        own = isinstance(message, OwnMessage)
        self.world.taking(post, await (self.own_intake.receive(message) if own else self.intake.receive(message)))

    async def die(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.drivers.stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)
