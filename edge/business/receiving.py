"""Give what Telegram sends the bot to the edge of the person whom it concerns."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from edge.business.accounts import Accounts
from edge.business.connect_hints import ConnectHints
from edge.business.connection import BusinessMessage, ConnectionChanged, MessageEdited, MessagesDeleted
from edge.business.connections import Connections
from edge.business.leaving import Leaving
from edge.business.reasons import Reason
from edge.userbot.account_edge import AccountEdge
from edge.userbot.chat.commands import Ask, AskHint, Collect
from edge.userbot.chat.incoming import Edited, Incoming, Message, OwnMessage, Press
from edge.userbot.chat_tokens import is_group
from edge.userbot.driving.messenger import MessengerError, Undeliverable, UnknownAnswer
from edge.userbot.error_lines import describe_error
from edge.userbot.intake.account_updates import Keyed
from edge.userbot.owner.orders import Help, Misused, Unknown, parse_order
from events.errors import TransportError
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.runtime.retrying import Retrying

START = "/start"
HELP = "/help"
"""What Telegram's button of a new chat with a bot sends, and what it stands for here."""

ToMessage = Callable[[str, BusinessMessage], Message | None]
"""Returns a person's message in our form, None if it changes nothing."""

log = structlog.get_logger(__name__)


def asks(edge: AccountEdge, message: Message) -> bool:
    """Return whether a message asks a question."""
    return isinstance(message, Incoming) and isinstance(edge.intake.parse(message), Ask | AskHint | Collect)


def is_order(message: Incoming) -> bool:
    """Return whether a message to the bot orders more than to say what can be ordered."""
    return not message.forwarded and not isinstance(parse_order(message.text), Help | Misused | Unknown | None)


class Receiving:
    """`receive` returns once the effect of what Telegram has sent is stored, or can't be stored for good.

    `refused`: tells a person of a reason for silence.
    """

    def __init__(
        self,
        connections: Connections,
        accounts: Accounts,
        leaving: Leaving,
        hints: ConnectHints,
        to_message: ToMessage,
        *,
        refused: Callable[[str, Reason], Awaitable[None]],
        retrying: Retrying,
    ) -> None:
        self._connections = connections
        self._accounts = accounts
        self._leaving = leaving
        self._hints = hints
        self._to_message = to_message
        self._refused = refused
        self._retrying = retrying

    async def receive(self, content: Keyed) -> None:
        """Take in a message or a change of a connection. One that can't be taken in harms no other."""
        await self._retry(type(content).__name__, lambda: self._take(content))

    async def receive_press(self, press: Press) -> None:
        """Take in a press of a button in a person's chat with the bot."""
        await self._retry(type(press).__name__, lambda: self._take_press(press))

    async def _retry(self, kind: str, take: Callable[[], Awaitable[None]]) -> None:
        faults = 0

        def passing(error: Exception) -> bool:
            nonlocal faults
            if isinstance(error, TransportError) and error.fault is not Fault.UNKNOWN:
                return error.fault is not Fault.FINAL
            if isinstance(error, MessengerError) and not isinstance(error, UnknownAnswer):
                return True
            faults += 1
            return not isinstance(error, Undeliverable) and faults < UNKNOWN_ATTEMPTS

        def failed(error: Exception, pause: timedelta) -> None:
            log.warning("update.again", kind=kind, error=describe_error(error))

        try:
            await self._retrying(take, passing=passing, failed=failed)
        except Exception as error:  # noqa: BLE001 - one bad update must not hold up the others
            log.error("update.dropped", kind=kind, error=describe_error(error))

    async def _take(self, content: Keyed) -> None:
        match content:
            case ConnectionChanged(connection):
                await self._connections.change(connection)
                kept = self._connections.of(connection.person)
                if kept and kept.answers:
                    await self._accounts.edge(connection.person)
            case BusinessMessage():
                await self._take_message(content)
            case MessageEdited():
                await self._take_edit(content)
            case MessagesDeleted():
                await self._take_deletion(content)
            case Incoming() if not is_group(content.chat):
                await self._take_from_person(content)

    async def _take_message(self, content: BusinessMessage) -> None:
        person = await self._connections.person_of(content.connection_id)
        message = self._to_message(person, content)
        if message is None:
            return
        known = self._connections.of(person)
        if known is None or known.ignores(content.connection_id):
            return
        async with self._leaving.serving(person) as kept:
            if kept is None:
                log.info("message.received", chat=message.chat, message=message.message_id, effect=Reason.ENDED)
                return
            edge = await self._accounts.edge(person)
            if not kept.is_enabled:
                await self._keep_silent(edge, message, Reason.ENDED)
                return
            if content.access_hash is not None:
                await self._connections.learn(person, message.chat, content.access_hash)
            if kept.may_reply or not asks(edge, message):
                await edge.receive(message)
            else:
                await self._keep_silent(edge, message, Reason.NO_RIGHT)

    async def _keep_silent(self, edge: AccountEdge, message: Message, reason: Reason) -> None:
        if asks(edge, message):
            log.info("message.received", chat=message.chat, message=message.message_id, effect=reason)
            edge.ports.telemetry.metrics.count_silenced(reason)
            await self._refused(message.account, reason)

    async def _take_edit(self, content: MessageEdited) -> None:
        person = await self._connections.person_of(content.connection_id)
        async with self._leaving.serving(person) as kept:
            if kept and kept.takes(content.connection_id):
                edge = await self._accounts.edge(person)
                await edge.intake.receive_edit(Edited(person, content.chat, content.message_id, content.text))

    async def _take_deletion(self, content: MessagesDeleted) -> None:
        person = await self._connections.person_of(content.connection_id)
        async with self._leaving.serving(person) as kept:
            if kept and kept.takes(content.connection_id):
                edge = await self._accounts.edge(person)
                await edge.intake.receive_deletion(content.chat, set(content.message_ids))

    async def _take_press(self, press: Press) -> None:
        person = press.chat
        async with self._leaving.serving(person) as kept:
            if kept:
                await (await self._accounts.edge(person)).own_intake.receive_press(press)

    async def _take_from_person(self, message: Incoming) -> None:
        """Take in what a person writes to the bot itself: an order, as in Saved Messages of a userbot's account.

        If there is no connection, that is how to make one.
        """
        person = message.chat
        async with self._leaving.serving(person) as served:
            if served:
                await self._take_order(person, message)
                return
        kept = self._connections.of(person)
        # The message may be the `/disconnect` itself, fetched again.
        if kept is None or kept.is_closed or (kept.erased_at and message.date > kept.erased_at):
            if is_order(message):  # their connection may come only with what was missed
                log.info("order.dropped", person=person, message=message.message_id)
            self._hints.offer(message, has_left=kept is not None and kept.left)

    async def _take_order(self, person: str, message: Incoming) -> None:
        edge = await self._accounts.edge(person)
        starts = message.text.split(maxsplit=1)[:1] == [START]
        if starts:
            await self._connections.tell_again(person)
        text = HELP if starts else message.text
        await edge.receive(
            OwnMessage(
                account=person,
                chat=person,
                message_id=message.message_id,
                text="" if message.forwarded else text,
                date=message.date,
                reply_to=message.reply_to,
            )
        )
