"""Give what Telegram sends the bot to the edge of the person whom it concerns."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from edge.business.accounts import Accounts
from edge.business.connection import BusinessMessage, ConnectionChanged, MessagesDeleted
from edge.business.connections import Connections
from edge.business.reasons import Reason
from edge.userbot.account_edge import AccountEdge
from edge.userbot.chat.commands import Ask, AskHint
from edge.userbot.chat.incoming import Incoming, Message, OwnMessage, Press
from edge.userbot.driving.messenger import MessengerError, Undeliverable, UnknownAnswer
from edge.userbot.error_lines import describe_error
from edge.userbot.intake.account_updates import Keyed
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
    return isinstance(message, Incoming) and isinstance(edge.intake.parse(message), Ask | AskHint)


class Receiving:
    """`receive` returns once the effect of what Telegram has sent is stored, or can't be stored for good.

    `refused`: tells a person of a reason for silence.
    """

    def __init__(
        self,
        connections: Connections,
        accounts: Accounts,
        to_message: ToMessage,
        *,
        refused: Callable[[str, Reason], Awaitable[None]],
        retrying: Retrying,
    ) -> None:
        self._connections = connections
        self._accounts = accounts
        self._to_message = to_message
        self._refused = refused
        self._retrying = retrying

    async def receive(self, content: Keyed) -> None:
        """Take in a message or a change of a connection. One that can't be taken in harms no other."""
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
            log.warning("update.again", kind=type(content).__name__, error=describe_error(error))

        try:
            await self._retrying(lambda: self._take(content), passing=passing, failed=failed)
        except Exception as error:  # noqa: BLE001 - one bad update must not hold up the others
            log.error("update.dropped", kind=type(content).__name__, error=describe_error(error))

    async def receive_press(self, press: Press) -> None:
        """Take in a press of a button in a person's chat with the bot."""
        if self._connections.of(press.chat):
            edge = await self._accounts.edge(press.chat)
            await edge.own_intake.receive_press(press)

    async def _take(self, content: Keyed) -> None:
        match content:
            case ConnectionChanged(connection):
                await self._connections.change(connection)
                await self._accounts.edge(connection.person)
            case BusinessMessage():
                await self._take_message(content)
            case MessagesDeleted():
                pass
            case Incoming():
                await self._take_from_person(content)

    async def _take_message(self, content: BusinessMessage) -> None:
        person = await self._connections.person_of(content.connection_id)
        kept = self._connections.of(person)
        message = self._to_message(person, content)
        if message is None or kept is None or not kept.answers:
            return
        if content.access_hash is not None:
            await self._connections.learn(person, message.chat, content.access_hash)
        edge = await self._accounts.edge(person)
        if kept.may_reply or not asks(edge, message):
            await edge.receive(message)
            return
        log.info("message.received", chat=message.chat, message=message.message_id, effect=Reason.NO_RIGHT)
        await self._refused(person, Reason.NO_RIGHT)

    async def _take_from_person(self, message: Incoming) -> None:
        """Take in what a person writes to the bot itself: an order, as in Saved Messages of a userbot's account."""
        person = message.chat
        if self._connections.of(person) is None:
            return
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
