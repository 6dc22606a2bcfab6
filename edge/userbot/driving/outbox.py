"""A chat's messages out, one after the other, each in its span."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256

import structlog

from edge.userbot.driving.messenger import Messenger, Undeliverable, UnknownAnswer
from edge.userbot.formatting.styled_text import FormattedText
from events.faults import UNKNOWN_ATTEMPTS
from events.ids import RequestId
from observability.spans import Spans

log = structlog.get_logger(__name__)


class Outbox:
    """`unsure` after a restart: what is to be sent first may have been before it."""

    def __init__(self, chat: str, messenger: Messenger, spans: Spans, *, unsure: bool) -> None:
        self._chat = chat
        self._messenger = messenger
        self._spans = spans
        self._unsure = unsure
        self._unknown: tuple[str, int] = "", 0

    def doubt(self) -> None:
        """What was to be sent last may have been."""
        self._unsure = True

    async def send(self, message: FormattedText, *, reply_to: int, key: str, part: str, index: int = 0) -> int | None:
        """The id of the message; None if it can't be delivered, which ends the matter: there is nobody to tell.

        `key`, a request id, and `part` tell it from all others. Raises MessengerError (FloodWaited, UnknownAnswer).
        """
        found = None
        try:
            if self._unsure:
                found = await self._find(message.text, reply_to, f"{key} {part} in the chat")
            sent = found
            if sent is None:
                with self._bounded(f"{key} {part}"), self._spans.send_telegram(RequestId.parse(key), part=index):
                    sent = await self._messenger.send(
                        self._chat, message, reply_to=reply_to, random_id=random_id(key, part)
                    )
        except Undeliverable as error:
            log.warning("message.undeliverable", chat=self._chat, part=part, error=str(error))
            sent = None
        # Sends are serial: where one has not happened before the restart, none after it has.
        self._unsure = found is not None
        return sent

    async def has_outcome(self, message_id: int, *, thinking: Collection[str] | None) -> bool:
        """Whether the chat has the outcome of the user's message. Raises MessengerError."""
        try:
            with self._bounded(f"{message_id} in the chat"):
                return await self._messenger.has_outcome(self._chat, message_id, thinking=thinking)
        except Undeliverable as error:
            log.warning("chat.not_looked_into", chat=self._chat, error=str(error))
            return False

    async def _find(self, text: str, reply_to: int, what: str) -> int | None:
        """Where the chat can't be looked into, Telegram's own memory of the random id has to do."""
        try:
            with self._bounded(what):
                return await self._messenger.find_own(self._chat, text, reply_to=reply_to)
        except Undeliverable as error:
            log.warning("chat.not_looked_into", chat=self._chat, error=str(error))
            return None

    @contextmanager
    def _bounded(self, what: str) -> Iterator[None]:
        """An answer that is in no table is final when it has come often enough."""
        try:
            yield
        except UnknownAnswer as error:
            before, times = self._unknown
            self._unknown = what, times + 1 if before == what else 1
            if self._unknown[1] >= UNKNOWN_ATTEMPTS:
                raise Undeliverable(f"{error}, {UNKNOWN_ATTEMPTS} times") from None
            raise

    async def edit(self, message_id: int, message: FormattedText, *, key: str) -> bool:
        """Whether the message is `message` now; if not, it never will. Raises MessengerError or FloodWaited."""
        try:
            with self._bounded(f"{key} edit"), self._spans.send_telegram(RequestId.parse(key)):
                await self._messenger.edit(self._chat, message_id, message)
        except Undeliverable as error:
            log.warning("message.not_edited", chat=self._chat, message=message_id, error=str(error))
            return False
        return True


def random_id(request_id: str, part: str) -> int:
    """Return the same 64 bits for the same message, signed and never 0, so that Telegram recognises a repeat."""
    digest = sha256(f"{request_id}:{part}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True) or 1
