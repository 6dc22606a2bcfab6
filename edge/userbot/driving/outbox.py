"""Send a chat's messages one after the other, each in its span."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

import structlog

from edge.userbot.chat.own_messages import SentMessage
from edge.userbot.chat.record import NO_MESSAGE
from edge.userbot.driving.messenger import (
    Button,
    Messenger,
    MessengerError,
    PeerFlooded,
    SlowModeWaited,
    Undeliverable,
    UnknownAnswer,
    WritingForbidden,
)
from edge.userbot.formatting.styled_text import FormattedText
from events.faults import UNKNOWN_ATTEMPTS
from events.ids import RequestId
from observability.spans import Spans

log = structlog.get_logger(__name__)


KINDS = frozenset({"question", "notice", "draft"})
"""What messages are about. Those of one kind are sent in order."""


class Outbox:
    """Sends the messages of one chat. `check_first`: after a restart, as the first of a kind may already be sent.

    `flooded` is called if Telegram considers the account a spammer, `forbidden`, with the reason, if it takes no
    messages in the group.
    """

    def __init__(
        self,
        chat: str,
        messenger: Messenger,
        spans: Spans,
        *,
        check_first: bool,
        flooded: Callable[[], Awaitable[None]],
        forbidden: Callable[[str], Awaitable[None]],
    ) -> None:
        self._chat = chat
        self._messenger = messenger
        self._spans = spans
        self._to_check = set(KINDS if check_first else ())
        self._flooded = flooded
        self._forbidden = forbidden
        self._unknown_answers: tuple[str, int] = "", 0
        self.recorded: Collection[int] = ()
        """Our messages that the chat's record knows: none of them is the one that is looked for."""
        self._failed = ""
        """The message that was tried last in vain: it may have been sent."""
        self._accepted: tuple[str, SentMessage | None] = "", None
        """The message that Telegram took last: it is asked for again if the store did not take that it was sent."""

    def check_before_next_send(self) -> None:
        """Look for the next message in the chat before it is sent: it may already be there."""
        self._to_check = set(KINDS)

    async def send(
        self,
        message: FormattedText,
        *,
        reply_to: int | None,
        key: str,
        part: str,
        index: int = 0,
        buttons: Sequence[Button] = (),
    ) -> SentMessage | None:
        """Send a message and return it, None if it can't be delivered.

        `key`, a request id, and `part` identify it. Raises MessengerError (FloodWaited, UnknownAnswer).
        """
        found, name, kind = None, f"{key} {part}", _kind(part)
        if self._accepted[0] == name:
            return self._accepted[1]
        try:
            if kind in self._to_check:
                found = await self._find(message.text, reply_to, f"{name} in the chat")
            sent = found
            if sent is None:
                with self._limit_attempts(name), self._spans.send_telegram(RequestId.parse(key), part=index):
                    sent = await self._messenger.send(
                        self._chat, message, reply_to=reply_to, random_id=random_id(key, part), buttons=buttons
                    )
        except Undeliverable as error:
            log.warning("message.undeliverable", chat=self._chat, part=part, error=str(error))
            if isinstance(error, PeerFlooded):
                await self._flooded()
            if isinstance(error, WritingForbidden):
                await self._forbidden(str(error))
            # An earlier try, of which the result was lost, may have got through.
            sent = await self._find(message.text, reply_to, f"{name} in the chat") if self._failed == name else None
        except SlowModeWaited:
            raise  # it was not sent
        except MessengerError:
            self._failed = name
            raise
        # If this one had not been sent before, the next ones of its kind were not either. Those of another kind may
        # have been: a new notice is sent before a question's message that was not recorded.
        if found is None:
            self._to_check.discard(kind)
        if sent is None:
            return None
        self._accepted = name, SentMessage(sent, message.text, reply_to or NO_MESSAGE)
        return self._accepted[1]

    def may_have_sent(self, key: str, part: str) -> bool:
        """Return whether this message may be in the chat: an earlier process or a failed try may have sent it."""
        return _kind(part) in self._to_check or f"{key} {part}" in (self._failed, self._accepted[0])

    async def withdraw(self, message_id: int) -> None:
        """Delete one of our messages, unless Telegram refuses that for good. Raises MessengerError."""
        try:
            with self._limit_attempts(f"{message_id} deleted"):
                await self._messenger.delete(self._chat, message_id)
        except Undeliverable as error:
            log.warning("message.not_deleted", chat=self._chat, message=message_id, error=str(error))

    async def has_outcome(self, message_id: int, *, thinking: Collection[str] | None) -> bool:
        """Return whether the chat has the outcome of the user's message. Raises MessengerError."""
        try:
            with self._limit_attempts(f"{message_id} in the chat"):
                return await self._messenger.has_outcome(self._chat, message_id, thinking=thinking)
        except Undeliverable as error:
            log.warning("chat.not_looked_into", chat=self._chat, error=str(error))
            return False

    async def shows(self, text: str, *, reply_to: int, name: str, edited: int | None) -> bool:
        """Return whether the chat has this text: in a message that nobody has recorded, or in the one that was edited.

        Raises MessengerError.
        """
        return await self._find(text, reply_to, f"{name} in the chat", but=edited) is not None

    async def _find(self, text: str, reply_to: int | None, what: str, *, but: int | None = None) -> int | None:
        """Return the id of our message with this text, None if there is none or the chat can't be read.

        In the latter case Telegram still recognises the random id. What is recorded is another one, `but` for this.
        """
        try:
            with self._limit_attempts(what):
                found = await self._messenger.find_own(self._chat, text, reply_to=reply_to)
        except Undeliverable as error:
            log.warning("chat.not_looked_into", chat=self._chat, error=str(error))
            return None
        return None if found in self.recorded and found != but else found

    @contextmanager
    def _limit_attempts(self, what: str) -> Iterator[None]:
        """Raise Undeliverable if `what` has got an unknown answer UNKNOWN_ATTEMPTS times in a row."""
        try:
            yield
        except UnknownAnswer as error:
            before, times = self._unknown_answers
            self._unknown_answers = what, times + 1 if before == what else 1
            if self._unknown_answers[1] >= UNKNOWN_ATTEMPTS:
                raise Undeliverable(f"{error}, {UNKNOWN_ATTEMPTS} times") from None
            raise

    async def edit(self, message_id: int, message: FormattedText, *, key: str) -> bool:
        """Edit a message. Return False if Telegram refuses that for good. Raises MessengerError or FloodWaited."""
        try:
            with self._limit_attempts(f"{key} edit"), self._spans.send_telegram(RequestId.parse(key)):
                await self._messenger.edit(self._chat, message_id, message)
        except Undeliverable as error:
            log.warning("message.not_edited", chat=self._chat, message=message_id, error=str(error))
            return False
        return True


def _kind(part: str) -> str:
    if part.startswith("draft"):
        return "draft"
    return "question" if part in ("thinking", "failure") or part.isdigit() else "notice"


def random_id(request_id: str, part: str) -> int:
    """Return the same 64 bits for the same message, signed and never 0, so that Telegram recognises a repeat."""
    digest = sha256(f"{request_id}:{part}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True) or 1
