"""An edge for business connections, and its Telegram: a bot that two persons have connected to their accounts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

from pyrogram import raw

from edge.business.accounts import Accounts
from edge.business.connection import BusinessMessage, Connection, ConnectionChanged, MessageEdited, MessagesDeleted
from edge.business.connections import Connections
from edge.business.kept import Kept
from edge.business.leaving import Leaving, PersonsDeparture
from edge.business.reasons import CONNECTION_INVALID
from edge.business.receiving import Receiving
from edge.business.telegram.connection_api import ConnectionApi
from edge.business.telegram.messenger import messengers
from edge.business.telling import Telling
from edge.userbot.account_edge import AccountEdge
from edge.userbot.chat.incoming import Change, Deleted, Edited, Incoming, Message, OwnMessage
from edge.userbot.chat.record import Notice
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.messenger import Messenger, Undeliverable
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.intake.account_updates import Counter, Keyed, LiveChange, UpdatesDifference, UpdatesState
from edge.userbot.intake.catch_up import CatchUp
from edge.userbot.intake.intake import Intake
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.intake.reactions import ReactionIntake
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from edge.userbot.storage.watermark import Watermark
from edge.userbot.telegram.api import AlreadyDone, CallRefused
from edge.userbot.telegram.client_differences import replied_id
from edge.userbot.telegram.update_reader import UpdateReader
from edge.userbot.telegram.updates import Updates
from events.runtime.retrying import Retrying
from events.schema import Sampling
from events.transport import Channel
from observability.telemetry import noop_telemetry
from tests.crashes.chat import Chat
from tests.crashes.places import FusedSubscription, Places
from tests.crashes.stories import Scenario, World
from tests.fuses import Fuse, Fused

BOT, PERSONS = "77", ("1", "3")
MADE = datetime(2026, 11, 25, 11, tzinfo=UTC)
THEIR_PTS = 5000
"""Of a person's account; the bot counts by itself."""


@dataclass(frozen=True)
class Variant:
    """How Telegram may behave. `folds`: a repeated random id gives the same message, or else is refused.

    `echoes`: the bot is told of what it has sent. `remembers`: for long enough, which message had a random id.
    """

    folds: bool
    echoes: bool
    remembers: bool = True

    @property
    def tells_ids(self) -> bool:
        """Whether the id of a message whose sending was not recorded is ever known."""
        return self.folds or self.echoes


@dataclass(frozen=True)
class Sent:
    """What the connection brings: `message`, in our form already."""

    id: int
    message: Message
    peer_id: None = None


class UpdateBotNewBusinessMessage(SimpleNamespace):
    """Known by its name: pyrogram has no such type."""


@dataclass
class Telegram:
    """A bot and the chats of those who have connected it. `notes`: each person's chat with the bot.

    `refuses`: what it answers to whatever is sent through a connection. `sent`: is called for what is sent there.
    """

    variant: Variant
    now: Callable[[], datetime]
    refuses: str = ""
    sent: Callable[[Chat], None] = lambda chat: None
    changes: list[Keyed] = field(default_factory=list)
    written: list[Incoming] = field(default_factory=list)
    live: Callable[[LiveChange], None] = lambda change: None

    def __post_init__(self) -> None:
        # The users have the ids of the persons' friends; what one person's chat has is nobody else's.
        self.chats = {person: Chat(person, f"{person}0", self.now, self._show) for person in PERSONS}
        self.notes = {person: Chat(person, person, self.now, self._show) for person in PERSONS}
        self.connected = dict.fromkeys(PERSONS, 0)
        """How often; only the last connection of each counts."""

    def connects(self, person: str) -> None:
        self.renews(person)
        self.tells_of_connection(person)

    def renews(self, person: str) -> None:
        """The connection before is no longer valid, e.g. because the person has changed the bot's rights."""
        self.connected[person] += 1

    def tells_of_connection(self, person: str) -> None:
        self._changed(ConnectionChanged(self.connection(person)))

    def connection(self, person: str) -> Connection:
        made = MADE + timedelta(minutes=self.connected[person])
        return Connection(self._id(person), person, dc_id=2, date=made, is_enabled=True, may_reply=True)

    def _id(self, person: str) -> str:
        return f"{person} for the {self.connected[person]}. time"

    def _person(self, connection_id: str) -> str:
        return next(person for person in PERSONS if self._id(person) == connection_id)

    async def ask(self, connection_id: str) -> Connection:
        if connection_id not in map(self._id, PERSONS):
            raise Undeliverable("CONNECTION_ID_INVALID")
        return self.connection(self._person(connection_id))

    def person_writes_to_the_bot(self, person: str, text: str, reply_to: int) -> None:
        number = len(self.written) + 1
        message = Incoming(BOT, person, number, text, "ru", self.now(), reply_to=reply_to)
        self.written.append(message)
        self.live(LiveChange(number, 1, message))

    def _show(self, chat: Chat, change: Change) -> None:
        connection = self._id(chat.account)
        match change:
            case Edited(message_id=message_id, text=text):
                self._changed(MessageEdited(connection, chat.id, message_id, text))
            case Deleted(message_ids=message_ids):
                self._changed(MessagesDeleted(connection, chat.id, tuple(message_ids)))
            case Incoming() | OwnMessage():
                self._changed(BusinessMessage(connection, Sent(change.message_id, change), {}))

    def _changed(self, content: Keyed) -> None:
        self.changes.append(content)
        self.live(LiveChange(len(self.changes), 1, content, Counter.QTS))

    async def state(self) -> UpdatesState:
        return UpdatesState(pts=len(self.written), qts=len(self.changes))

    async def difference(self, since: UpdatesState) -> UpdatesDifference:
        found = [*self.written[since.pts :], *self.changes[since.qts :]]
        return UpdatesDifference(await self.state(), found, complete=True)

    @property
    def can_read_back(self) -> bool:
        return False

    async def recent(self, since: datetime) -> list[Keyed]:
        return []

    # The calls

    async def send(self, query: Any, connection: str | None) -> Any:
        chat = self._chat(query, connection)
        if connection and self.refuses:
            raise CallRefused(self.refuses)
        if query.random_id in chat.by_random_id and self.variant.remembers:
            if not self.variant.folds:
                raise AlreadyDone("RANDOM_ID_DUPLICATE")
        else:
            sent = chat.add(query.message, replied_id(query))
            chat.by_random_id[query.random_id] = sent.message_id
            if connection:
                self.sent(chat)
            if connection and self.variant.echoes:
                self._show(chat, OwnMessage(**vars_of(sent), is_ours=True))
        number = chat.by_random_id[query.random_id]
        if connection:
            return SimpleNamespace(updates=[UpdateBotNewBusinessMessage(message=SimpleNamespace(id=number))])
        return SimpleNamespace(updates=[raw.types.UpdateMessageID(id=number, random_id=query.random_id)])

    async def edit(self, query: Any, connection: str | None) -> Any:
        self._chat(query, connection).edit(query.id, query.message)
        return SimpleNamespace(updates=[])

    async def live_draft(self, query: Any, connection: str | None) -> Any:
        chat = self._chat(query, connection)
        if not chat.takes_drafts:
            raise CallRefused("CHAT_TYPE_INVALID")
        chat.drafts.append(query.action.text.text)
        return True

    async def delete(self, query: Any, connection: str | None) -> Any:
        chats = self.chats if connection else self.notes
        for person, chat in chats.items():
            if connection in (None, self._id(person)):
                chat.deleted |= set(query.id)
        return raw.types.messages.AffectedMessages(pts=THEIR_PTS, pts_count=1)

    def _chat(self, query: Any, connection: str | None) -> Chat:
        """Nobody's connection reaches the chats of another."""
        peer = str(query.peer.user_id)
        if connection is None:
            return self.notes[peer]
        if connection not in map(self._id, PERSONS):
            raise CallRefused(CONNECTION_INVALID)
        person = self._person(connection)
        assert peer == self.chats[person].id
        return self.chats[person]


def vars_of(message: OwnMessage) -> dict[str, Any]:
    return {name: getattr(message, name) for name in ("account", "chat", "message_id", "text", "date", "reply_to")}


class Api:
    """Stands in for `TelegramApi`, which calls as the bot, or by `call` through a connection."""

    is_bot, shows_chats, counts_deletions, account = True, True, True, BOT

    def __init__(self, telegram: Any) -> None:
        self._telegram = telegram

    async def invoke(self, query: Any, *, call: Callable[[Any], Awaitable[Any]] | None = None) -> Any:
        return await (call(query) if call else self.answer(query, None))

    async def invoke_quietly(self, query: Any, *, call: object = None, take: object = None) -> str | None:
        return None

    async def answer(self, query: Any, connection: str | None) -> Any:
        match type(query).__name__:
            case "SendMessage":
                return await self._telegram.send(query, connection)
            case "EditMessage":
                return await self._telegram.edit(query, connection)
            case "DeleteMessages":
                return await self._telegram.delete(query, connection)
            case "SetTyping":
                return await self._telegram.live_draft(query, connection)
        if connection:
            raise CallRefused("BUSINESS_CONNECTION_NOT_ALLOWED")
        return SimpleNamespace(messages=[])


class ThroughConnection(ConnectionApi):
    """Wraps no call: pyrogram has no type for that."""

    def _through(self, kept: Kept) -> Callable[[Any], Awaitable[Any]]:
        api: Any = self._api
        return lambda query: api.answer(query, kept.connection_id)


class MemoryEdge(AccountEdge):
    """Hears of a worker's text without NATS, and has stores that drop nothing."""

    async def store_lacks_some(self) -> bool:
        return False

    async def run(self) -> None:
        await self.replies.run()


@dataclass
class Life:
    """One life of the edge."""

    telegram: Telegram
    places: Places
    rules: Rules
    fuse: Fuse
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def start(self) -> None:
        places, retrying = self.places, self.places.retrying
        positions, records = (Fused(store, self.fuse, "save") for store in (places.positions, places.records))
        self.connections = Connections(records, BOT, ask=self.telegram.ask, retrying=retrying)
        await self.connections.load()
        client: Any = SimpleNamespace(resolve_peer=unknown)
        api: Any = Api(Fused(self.telegram, self.fuse, "send", "edit", "delete", "live_draft"))
        updates = Updates(client)
        nowhere: Any = None
        telling = Telling(self.connections, self._notify, lambda: self.rules)
        through = partial(
            ThroughConnection, api, nowhere, self.connections, refused=telling.tell, fetch_missed=self._fetch_missed
        )
        messenger_of = messengers(client, api, rate=1000, on_updates=updates.take, through=through)
        topology: Any = SimpleNamespace(ensure_edge=nothing)
        departure_of = partial(PersonsDeparture, self.connections, timedelta)
        self.accounts = Accounts(nowhere, topology, messenger_of, departure_of, open_edge=self._edge)
        self.leaving = Leaving(self.connections, self.accounts, places.log, retrying=retrying)
        receiving = Receiving(
            self.connections, self.accounts, self.leaving, nowhere, to_message, refused=telling.tell, retrying=retrying
        )
        self.catch_up = CatchUp(
            self.telegram,
            Watermark(positions, BOT, retrying=retrying),
            receiving.receive,
            retrying=retrying,
            window=timedelta(minutes=10),
            known_since=places.records.created_at,
            counters=tuple(Counter),
        )
        self.put: Callable[[Any], None] = self.catch_up.put
        updates.listen(UpdateReader(BOT), self.put)
        self.edges: list[AccountEdge] = []
        self.tasks = [asyncio.create_task(self._run())]

    async def _notify(self, person: str, notice: Notice) -> None:
        await self.accounts.notify(person, notice)

    async def _fetch_missed(self) -> None:
        await self.catch_up.fetch("invalid connection")

    async def _edge(self, _context: object, person: str, messenger: Messenger, **options: Any) -> AccountEdge:
        places, fuse, retrying = self.places, self.fuse, self.places.retrying
        records, marks = Fused(places.records, fuse, "save"), Fused(places.marks, fuse, "add", "drop")
        ports = Ports(
            account=person,
            chats=Chats(records, marks, person, retrying=retrying),
            log=Fused(places.log, fuse, "publish", "erase", "erase_chat"),
            messenger=messenger,
            sampling=Sampling(),
            deadline=self.rules.deadline,
            telemetry=noop_telemetry(),
            retrying=retrying,
            rules=lambda: self.rules,
            **options,
        )
        drivers = Drivers(ports)
        subscription = places.log.subscribe(Channel.REPLIES, f"edge-{person}", lease=timedelta(seconds=0.1))
        replies = Replies(ports, drivers, FusedSubscription(subscription, fuse))
        intake, own = Intake(ports, drivers, lambda: self.rules), OwnIntake(ports, drivers, lambda: self.rules)
        reactions = ReactionIntake(ports, drivers.wake, lambda: self.rules, key=b"key")
        self.edges.append(MemoryEdge(None, ports, drivers, intake, own, reactions, replies))  # type: ignore[arg-type]
        return self.edges[-1]

    async def _run(self) -> None:
        await self.accounts.begin(self.connections.served)
        self.telegram.live = self.put
        self.places.hear = lambda event: [edge.drivers.take_progress(event) for edge in self.edges] and None
        await asyncio.gather(self.catch_up.run(), self.accounts.run(), self.leaving.run(), self._release())

    async def _release(self) -> None:
        await self.catch_up.wait_until_caught_up()
        self.accounts.release()

    async def stop(self) -> None:
        self.telegram.live = lambda change: None
        self.places.hear = lambda event: None
        for task in self.tasks:
            task.cancel()
        await self.accounts.stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def to_message(person: str, content: BusinessMessage) -> Message:
    message: Message = content.message.message
    assert message.account == person
    return message


async def unknown(peer: int) -> Any:
    raise KeyError(peer)


async def nothing(account: str) -> None:
    pass


def world(scenario: Scenario, retrying: Retrying, variant: Variant) -> tuple[Telegram, World]:
    telegram = Telegram(variant, retrying.clock.now)
    places = Places(scenario.answer, list(telegram.chats.values()), retrying)

    async def open_places() -> None:
        """The bot has been here before, but nobody was connected."""
        await Watermark(places.positions, BOT, retrying=retrying).save(UpdatesState())
        for person in PERSONS:
            await places.marks.add(f"built.{person}")

    world = World(
        places,
        lambda fuse: Life(telegram, places, scenario.rules, fuse),
        open_places,
        begin=lambda chat: telegram.connects(chat.account),
    )
    return telegram, world
