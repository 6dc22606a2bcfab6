"""An account in Telegram, who is around it, and one life of its edge: the real reading, intake, drivers and replies."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from pyrogram import raw

from edge.userbot.chat.incoming import Deleted, Incoming, OwnMessage, Typing
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.intake import Intake
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from edge.userbot.telegram.incoming import to_edited, to_message
from events.event import Event
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.runtime.retrying import Retrying
from events.schema import FinishReason, GenerationCompleted, Sampling
from events.transport import Channel
from observability.telemetry import noop_telemetry
from tests.fuzz.owner.world import FOR_EVER, Patient

ACCOUNT = OWNER = "10001"
NAMES = frozenset({"me"})
CHANNEL_BASE = -1_000_000_000_000
USERS = {
    20002: raw.types.User(id=20002, username="anna", first_name="Анна", contact=True),
    30003: raw.types.User(id=30003, first_name="Борис"),
    40004: raw.types.User(id=40004, username="Vera", first_name="Вера"),
    50005: raw.types.User(id=50005, username="some_bot", first_name="Робот", bot=True),
    60006: raw.types.User(id=60006, first_name="Поддержка", support=True),
    777000: raw.types.User(id=777000, first_name="Telegram"),
}
GROUP, OTHER_GROUP, BASIC = -1001000000001, -1001000000002, -500
TOPIC = 45


@dataclass
class Post:
    """A message as Telegram has it; `at`: when it came; `chat`: its chat's token for us."""

    chat: str
    message: Any
    at: datetime
    deleted: bool = False

    @property
    def key(self) -> tuple[str, int]:
        return self.chat, self.message.id


@dataclass
class Shown:
    """What we showed: a text or a sign, in answer to message `root`; None for typing."""

    chat: str
    root: int | None
    text: str
    at: datetime


@dataclass
class Telegram:
    """`about_to_show`: is called with whatever somebody else gets to see, before they do."""

    now: Callable[[], datetime]
    posts: dict[tuple[str, int], Post] = field(default_factory=dict)
    ours: dict[tuple[str, int], int | None] = field(default_factory=dict)
    """What each of our messages replies to."""
    by_random_id: dict[int, int] = field(default_factory=dict)
    about_to_show: Callable[[Shown], None] = lambda shown: None
    sent: list[OwnMessage] = field(default_factory=list)
    """Messages of ours that the account was not told of yet."""
    _private: "count[int]" = field(default_factory=lambda: count(101))
    _numbers: dict[int, "count[int]"] = field(default_factory=dict)

    def number(self, peer: int) -> int:
        """Return the next id in a chat: supergroups number by themselves, all other chats together."""
        if peer > CHANNEL_BASE:
            return next(self._private)
        return next(self._numbers.setdefault(peer, count(101)))

    def _show(self, chat: str, reply_to: int | None, text: str) -> None:
        root = reply_to
        while root is not None and (chat, root) in self.ours:
            root = self.ours[chat, root]
        self.about_to_show(Shown(chat, root, text, self.now()))

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        if random_id not in self.by_random_id:
            self._show(chat, reply_to, message.text)
            number = self.number(int(chat.partition("t")[0]))
            self.by_random_id[random_id], self.ours[chat, number] = number, reply_to
            self.sent.append(OwnMessage(ACCOUNT, chat, number, message.text, self.now(), reply_to))
        return self.by_random_id[random_id]

    async def edit(self, chat: str, message_id: int, message: FormattedText) -> None:
        self._show(chat, message_id, message.text)

    async def preview(self, chat: str, message_id: int, message: FormattedText) -> bool:
        self._show(chat, message_id, message.text)
        return True

    def takes_live_drafts(self, chat: str) -> bool:
        return False

    async def react(self, chat: str, message_id: int, emoji: str) -> None:
        self._show(chat, message_id, emoji)

    async def typing(self, chat: str) -> None:
        self._show(chat, None, "")

    async def delete(self, chat: str, message_id: int) -> None:
        pass

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        return None

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        raise AssertionError("nothing was lost or restored")

    async def find_chat(self, name: str) -> str | None:
        users = {f"@{(user.username or '').lower()}": str(id_) for id_, user in USERS.items()}
        return users.get(name.lower(), name if name.lstrip("-").isdecimal() else None)

    async def wrote_first(self, chat: str) -> bool | None:
        return int(chat) == 30003 if int(chat) > 0 else None


class Account:
    """The edge of the account, which lives as long as the story. `rules` may be replaced at any time."""

    def __init__(self, retrying: Retrying, telegram: Telegram, rules: Rules, *, bots: bool) -> None:
        self.telegram, self.rules, self._bots, self._clock = telegram, rules, bots, retrying.clock
        self.log = MemoryLog(clock=retrying.clock)
        self.ports = Ports(
            account=ACCOUNT,
            chats=Chats(MemoryRecords(), MemoryMarks(), ACCOUNT, retrying=retrying),
            log=self.log,
            messenger=telegram,
            sampling=Sampling(),
            deadline=rules.deadline,
            telemetry=noop_telemetry(),
            retrying=retrying,
            rules=lambda: self.rules,
            owner_chat=OWNER,
        )
        self.drivers = Drivers(self.ports)
        self.intake = Intake(self.ports, self.drivers, lambda: self.rules, names=lambda: NAMES)
        self.own_intake = OwnIntake(self.ports, self.drivers, lambda: self.rules, names=lambda: NAMES)
        replies = Patient(self.log.subscribe(Channel.REPLIES, "edge", lease=FOR_EVER))
        self.tasks = [
            asyncio.create_task(Replies(self.ports, self.drivers, replies).run()),  # type: ignore[arg-type]
            asyncio.create_task(self._work()),
        ]

    async def _work(self) -> None:
        requests = Patient(self.log.subscribe(Channel.REQUESTS, "generate", lease=FOR_EVER))
        while True:
            for delivery in await requests.fetch(64, FOR_EVER):
                await asyncio.sleep(0.5)
                request = delivery.event.data()
                data = GenerationCompleted(
                    request_id=request.request_id, text="ответ", finish_reason=FinishReason.STOP, model="test"
                )
                await self.log.publish(Channel.REPLIES, Event.of(data, source="/test", time=self._clock.now()))
                await delivery.ack()

    async def take(self, message: Any) -> None:
        """Take a message of Telegram's, after those that we have sent meanwhile."""
        while self.telegram.sent:
            await self.own_intake.receive(self.telegram.sent.pop(0))
        match to_message(ACCOUNT, message, USERS, bots=self._bots, names=NAMES):
            case Incoming() as incoming:
                await self.intake.receive(incoming)
            case OwnMessage() as own:
                await self.own_intake.receive(own)

    async def take_edit(self, message: Any) -> None:
        if edited := to_edited(ACCOUNT, message):
            await self.intake.receive_edit(edited)

    async def take_deletion(self, post: Post) -> None:
        peer = post.chat.partition("t")[0]
        group = peer if int(peer) <= CHANNEL_BASE else None
        await self.intake.receive_deletion_from_bursts(Deleted(ACCOUNT, frozenset({post.message.id}), group))

    def types(self, chat: str, sender: str) -> None:
        self.drivers.note_typing(Typing(chat, sender))

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.drivers.stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)
