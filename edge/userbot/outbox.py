"""A chat's messages out, one after the other, each in its span."""

import structlog

from edge.userbot.messenger import Messenger, Undeliverable, random_id
from edge.userbot.record import NO_MESSAGE
from events.ids import RequestId
from observability.spans import Spans

log = structlog.get_logger(__name__)


class Outbox:
    """`unsure` after a restart: the first message may have been sent before it."""

    def __init__(self, chat: str, messenger: Messenger, spans: Spans, *, unsure: bool) -> None:
        self._chat = chat
        self._messenger = messenger
        self._spans = spans
        self._unsure = unsure

    async def send(self, text: str, *, reply_to: int, key: str, part: str, index: int = 0) -> int:
        """The id of the message. One that can't be delivered counts as sent: there is nobody to tell.

        `key`, a request id, and `part` tell it from all others. Raises MessengerError or FloodWaited.
        """
        messenger = self._messenger
        try:
            sent = await messenger.find_own(self._chat, text, reply_to=reply_to) if self._unsure else None
            if sent is None:
                with self._spans.send_telegram(RequestId.parse(key), part=index):
                    sent = await messenger.send(self._chat, text, reply_to=reply_to, random_id=random_id(key, part))
        except Undeliverable as error:
            log.warning("message.undeliverable", chat=self._chat, part=part, error=str(error))
            sent = NO_MESSAGE
        # Sends are serial, so only the first one after a restart can have happened before it.
        self._unsure = False
        return sent

    async def edit(self, message_id: int, text: str, *, key: str) -> bool:
        """Whether the message has `text` now; if not, it never will. Raises MessengerError or FloodWaited."""
        try:
            with self._spans.send_telegram(RequestId.parse(key)):
                await self._messenger.edit(self._chat, message_id, text)
        except Undeliverable as error:
            log.warning("message.not_edited", chat=self._chat, message=message_id, error=str(error))
            return False
        return True
