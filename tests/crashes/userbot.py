"""An edge that answers for a user account, and its Telegram."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from edge.userbot.chat.incoming import Change, Deleted, Edited, OwnMessage
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.account_updates import LiveChange, UpdatesDifference, UpdatesState
from edge.userbot.intake.catch_up import CatchUp
from edge.userbot.intake.intake import Intake
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from edge.userbot.storage.watermark import Watermark
from events.runtime.retrying import Retrying
from events.schema import Sampling
from events.transport import Channel
from observability.telemetry import noop_telemetry
from tests.crashes.chat import FIRST_OWN, Chat
from tests.crashes.places import FusedSubscription, Places
from tests.crashes.stories import Scenario, World
from tests.fuses import Fuse, Fused

ACCOUNT, CHAT = "1", "2"


@dataclass
class Telegram:
    """The account's changes in one chat; it has forgotten every random id. `ago`: as of a `Chat`.

    `shut`: nobody may look into the chat, as with a bot; then the random ids are remembered.
    """

    shut: bool
    now: Callable[[], datetime]
    ago: timedelta = timedelta(0)
    changes: list[Change] = field(default_factory=list)
    live: Callable[[LiveChange], None] = lambda change: None

    def __post_init__(self) -> None:
        self.chat = Chat(ACCOUNT, CHAT, self.now, self._show, self.ago)

    def _show(self, chat: Chat, change: Change) -> None:
        self.changes.append(change)
        self.live(LiveChange(len(self.changes), 1, change))

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        if self.shut and random_id in self.chat.by_random_id:
            return self.chat.by_random_id[random_id]
        sent = self.chat.add(message.text, reply_to)
        self.chat.by_random_id[random_id] = sent.message_id
        self._show(self.chat, sent)
        return sent.message_id

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        seen = (text, reply_to) in self.chat.texts and not self.shut
        return FIRST_OWN + self.chat.texts.index((text, reply_to)) if seen else None

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        if self.shut:
            return False
        texts = self.chat.texts
        direct = [FIRST_OWN + at for at, (_, replied) in enumerate(texts) if replied == message_id]
        told = thinking is not None and any(texts[id_ - FIRST_OWN][0] not in thinking for id_ in direct)
        return told or any(replied in direct for _, replied in texts)

    async def edit(self, chat: str, message_id: int, message: FormattedText) -> None:
        self.chat.edit(message_id, message.text)

    async def preview(self, chat: str, message_id: int, message: FormattedText) -> bool:
        self.chat.edit(message_id, message.text)
        return True

    def takes_live_drafts(self, chat: str) -> bool:
        return self.chat.takes_drafts

    async def live_draft(self, chat: str, random_id: int, message: FormattedText) -> bool:
        self.chat.drafts.append(message.text)
        return True

    async def delete(self, chat: str, message_id: int) -> None:
        self.chat.deleted.add(message_id)

    async def find_chat(self, name: str) -> str | None:
        return name if name == CHAT else None

    async def wrote_first(self, chat: str) -> bool | None:
        return None if self.shut else True

    async def react(self, chat: str, message_id: int, emoji: str) -> None:
        pass

    async def typing(self, chat: str) -> None:
        pass

    async def state(self) -> UpdatesState:
        return UpdatesState(pts=len(self.changes))

    async def difference(self, since: UpdatesState) -> UpdatesDifference:
        return UpdatesDifference(await self.state(), self.changes[since.pts :], complete=True)

    @property
    def can_read_back(self) -> bool:
        return True

    async def recent(self, since: datetime) -> list[Change]:
        return self.changes


@dataclass
class Life:
    """One life of the edge."""

    telegram: Telegram
    places: Places
    rules: Rules
    fuse: Fuse
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def start(self) -> None:
        places, fuse, retrying = self.places, self.fuse, self.places.retrying
        records, marks = Fused(places.records, fuse, "save"), Fused(places.marks, fuse, "add", "drop")
        ports = Ports(
            account=ACCOUNT,
            chats=Chats(records, marks, ACCOUNT, retrying=retrying),
            log=Fused(places.log, fuse, "publish", "erase", "erase_chat"),
            messenger=Fused(self.telegram, fuse, "send", "edit", "preview", "live_draft", "delete"),
            sampling=Sampling(),
            deadline=self.rules.deadline,
            telemetry=noop_telemetry(),
            retrying=retrying,
            rules=lambda: self.rules,
            owner_chat=ACCOUNT,
        )
        self.drivers = drivers = Drivers(ports)
        intake = Intake(ports, drivers, lambda: self.rules)
        own_intake = OwnIntake(ports, drivers, lambda: self.rules)

        async def receive(change: Change) -> None:
            match change:
                case OwnMessage():
                    await own_intake.receive(change)
                case Edited():
                    await intake.receive_edit(change)
                case Deleted():
                    await intake.receive_deletion_from_bursts(change)
                case _:
                    await intake.receive(change)

        self.catch_up = CatchUp(
            self.telegram,
            Watermark(Fused(places.positions, fuse, "save"), ACCOUNT, retrying=retrying),
            receive,  # type: ignore[arg-type]
            retrying=retrying,
            window=timedelta(minutes=10),
            known_since=ports.chats.created_at,
        )
        subscription = places.log.subscribe(Channel.REPLIES, "edge", lease=timedelta(seconds=0.1))
        self.replies = Replies(ports, drivers, FusedSubscription(subscription, fuse))
        self.tasks = [asyncio.create_task(self._run())]

    async def _run(self) -> None:
        self.drivers.hold()
        await self.drivers.resume()
        self.telegram.live = self.catch_up.put
        self.places.hear = self.drivers.take_progress
        await asyncio.gather(self.catch_up.run(), self._release(), self.replies.run())

    async def _release(self) -> None:
        await self.catch_up.wait_until_caught_up()
        self.drivers.release()

    async def stop(self) -> None:
        self.telegram.live = lambda change: None
        self.places.hear = lambda event: None
        for task in self.tasks:
            task.cancel()
        await self.drivers.stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def world(scenario: Scenario, retrying: Retrying, *, shut: bool = False) -> World:
    telegram = Telegram(shut, retrying.clock.now)
    places = Places(scenario.answer, [telegram.chat], retrying)
    return World(places, lambda fuse: Life(telegram, places, scenario.rules, fuse), lambda: open_places(places))


async def open_places(places: Places) -> None:
    """An edge has been here before: what it had not seen yet when it died is fetched."""
    await Watermark(places.positions, ACCOUNT, retrying=places.retrying).save(UpdatesState(pts=0))
    await places.marks.add(f"built.{ACCOUNT}")
