"""The business edge of one bot on memory, and everything that outlives its process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from edge.business.connect_hints import ConnectHints
from edge.business.connection import BusinessMessage, Connection, ConnectionChanged, MessagesDeleted
from edge.business.connections import KEY, Connections
from edge.business.kept import Kept
from edge.business.leaving import Leaving, PersonsDeparture
from edge.business.receiving import Receiving
from edge.userbot.chat.incoming import Incoming
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.messenger import Undeliverable
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.intake import Intake
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.records import Stored
from events.runtime.retrying import Retrying
from events.runtime.tasks import cancel
from events.schema import Sampling
from events.transport import Channel
from observability.telemetry import noop_telemetry
from tests.fuses import Fuse, Fused

BOT, PERSON, CHAT, OTHER = "90", "1", "2", "3"
RULES = Rules(locale="en", prefix="bot,")
DIRECT: set[str] = {PERSON}


@dataclass
class Telegram:
    """Chats by message; a repeated random id sends nothing."""

    texts: list[tuple[str, str, int | None]] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    by_random_id: dict[int, int] = field(default_factory=dict)
    before_send: Callable[[str, str], None] = lambda chat, text: None
    delays: dict[str, float] = field(default_factory=dict)

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        self.before_send(chat, message.text)
        await asyncio.sleep(self.delays.get(chat, 0.0))
        if random_id not in self.by_random_id:
            self.texts.append((chat, message.text, reply_to))
            self.by_random_id[random_id] = 1000 + len(self.texts)
        return self.by_random_id[random_id]

    async def find_own(self, *_: Any, **__: Any) -> int | None:
        return None

    async def has_outcome(self, *_: Any, **__: Any) -> bool:
        return False

    async def wrote_first(self, chat: str) -> bool | None:
        return None

    async def delete(self, chat: str, message_id: int) -> None:
        self.deleted.append(message_id)

    async def typing(self, chat: str) -> None:
        pass

    def said_to(self, chat: str) -> list[str]:
        return [text for to, text, _ in self.texts if to == chat]


@dataclass
class Places:
    """What outlives a process."""

    retrying: Retrying
    telegram: Telegram = field(default_factory=Telegram)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    marks: MemoryMarks = field(default_factory=MemoryMarks)
    bucket: MemoryRecords = field(default_factory=MemoryRecords)
    asked_for: dict[str, Connection] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log = MemoryLog(clock=self.retrying.clock)

    @property
    def now(self) -> datetime:
        return self.retrying.clock.now()

    def connection(self, id_: str, *, is_enabled: bool = True, made: timedelta = timedelta(0)) -> Connection:
        return Connection(id_, PERSON, 2, self.now.replace(microsecond=0) + made, is_enabled, True)

    async def kept(self) -> Kept | None:
        stored = await self.bucket.load(f"{BOT}.{KEY}{PERSON}")
        return Kept.model_validate_json(stored.value) if stored else None

    async def stored(self) -> dict[str, list[str]]:
        """Return the keys of everything that is stored about the person, but for the connection.

        That their index is complete says nothing of them; every start marks it.
        """
        found: list[str] = []

        async def take(key: str, stored: Stored) -> None:
            found.append(key)

        await self.records.each(f"{PERSON}.", take, retrying=self.retrying)
        marks = [key for key in await self.marks.keys("") if f".{PERSON}." in key]
        events = [f"{channel} {key}" for channel in Channel for key in self.log._stored[channel]]
        return {"records": found, "marks": marks, "events": events}


class Life:
    """One life of the process."""

    def __init__(self, places: Places, fuse: Fuse | None = None) -> None:
        self.places = places
        self.fuse = fuse or Fuse(0, False)
        self._tasks: list[Any] = []
        self._edges: dict[str, Any] = {}
        self.closed: list[str] = []
        fused = lambda inner, *names: Fused(inner, self.fuse, *names)  # noqa: E731
        self._records = fused(places.records, "save", "remove")
        self._marks = fused(places.marks, "add", "drop")
        self._log = fused(places.log, "publish", "erase", "erase_account")
        self._telegram = fused(places.telegram, "send", "delete")
        retrying = places.retrying
        self.connected = 0
        self.connections = Connections(
            fused(places.bucket, "save", "remove"),
            BOT,
            ask=self._ask,
            retrying=retrying,
            connected=self._count,
        )
        self.leaving = Leaving(self.connections, self, self._log, retrying=retrying)
        self.hints = ConnectHints(lambda person: self._telegram, BOT, lambda: RULES, retrying=retrying)
        self.receiving = Receiving(
            self.connections, self, self.leaving, self.hints, _to_message, refused=_refused, retrying=retrying
        )

    def _count(self, change: int) -> None:
        self.connected += change

    async def _ask(self, id_: str) -> Connection:
        if id_ not in self.places.asked_for:
            raise Undeliverable("CONNECTION_ID_INVALID")
        return self.places.asked_for[id_]

    async def begin(self, *, replies: bool = True) -> None:
        import asyncio

        await self.connections.load()
        for person in self.connections.served:
            await self.edge(person)
        if replies:
            for edge in self._edges.values():
                self._tasks.append(asyncio.create_task(edge.replies.run()))
        parts = (self.leaving.run(), self.connections.run(), self.hints.run())
        self._tasks += [asyncio.create_task(part) for part in parts]

    async def edge(self, person: str) -> Any:
        if person not in self._edges:
            self._edges[person] = await self._open(person)
        return self._edges[person]

    async def _open(self, person: str) -> Any:
        places = self.places
        ports = Ports(
            account=person,
            chats=Chats(self._records, self._marks, person, retrying=places.retrying),
            log=self._log,
            messenger=self._telegram,
            sampling=Sampling(),
            deadline=timedelta(hours=1),
            telemetry=noop_telemetry(),
            retrying=places.retrying,
            rules=lambda: RULES,
            owner_chat=person,
            by_bot=True,
            departure=PersonsDeparture(self.connections, timedelta, person),
        )
        drivers = Drivers(ports)
        intake = Intake(ports, drivers, lambda: RULES)
        own_intake = OwnIntake(ports, drivers, lambda: RULES)
        subscription = places.log.subscribe(Channel.REPLIES, f"edge-{person}", lease=timedelta(seconds=10))
        edge = SimpleNamespace(
            ports=ports,
            drivers=drivers,
            intake=intake,
            own_intake=own_intake,
            replies=Replies(ports, drivers, subscription),
        )
        edge.receive = lambda message: (intake if isinstance(message, Incoming) else own_intake).receive(message)
        await drivers.resume()
        return edge

    async def close(self, person: str) -> None:
        self.closed.append(person)
        if edge := self._edges.pop(person, None):
            await edge.drivers.stop()

    async def connects(self, connection: Connection) -> None:
        await self.receiving.receive(ConnectionChanged(connection))

    async def asks(self, connection_id: str, chat: str, message_id: int, text: str) -> None:
        message = SimpleNamespace(id=message_id, chat=chat, peer_id=None, text=text, date=self.places.now)
        await self.receiving.receive(BusinessMessage(connection_id, message, {}))

    async def deletes(self, connection_id: str, chat: str, *message_ids: int) -> None:
        await self.receiving.receive(MessagesDeleted(connection_id, chat, message_ids))

    async def tells_the_bot(self, text: str, message_id: int, *, person: str = PERSON, locale: str = "en") -> None:
        await self.receiving.receive(Incoming(BOT, person, message_id, text, locale, self.places.now))

    async def die(self) -> None:
        """As kill -9 does: nothing is finished."""
        await cancel(*self._tasks)
        for edge in self._edges.values():
            await edge.drivers.stop()


async def _refused(person: str, reason: str) -> None:
    raise AssertionError(reason)


def _to_message(person: str, content: BusinessMessage) -> Incoming:
    message = content.message
    return Incoming(person, message.chat, message.id, message.text, "en", message.date)
