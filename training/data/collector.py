"""Turn the items of an export into cleaned messages, and count what they contain."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from re import Pattern
from typing import Any

from training.data import private_data
from training.data.owner import Speaker
from training.data.telegram.export_reader import ExportedChat
from training.data.telegram.messages import DropReason, ExportedMessage, created_topic, parse_item


@dataclass(slots=True)
class MessageCollector:
    """Collects messages and counts; the counts are complete once `messages` is exhausted."""

    blocked: Pattern[str] | None = None
    speakers: dict[str, Speaker] = field(default_factory=dict)
    dropped_items: Counter[DropReason] = field(default_factory=Counter)
    """Items that are not messages."""
    topics: list[tuple[int, int]] = field(default_factory=list)
    """(chat, id) of the messages that created a topic of a forum."""
    reordered: int = 0
    """Messages that came after newer ones of their chat."""
    quoted: int = 0
    """Messages whose quotations were omitted."""
    _newest: tuple[int, int, int] = (-1, 0, 0)
    """Number of the chat being read, and time and id of its newest message so far."""

    def messages(self, items: Iterable[tuple[ExportedChat, Any]]) -> Iterator[tuple[int, ExportedMessage]]:
        """Yield (number of the chat, message whose links and addresses are replaced)."""
        for chat, item in items:
            match parse_item(item, chat):
                case DropReason() as drop_reason:
                    self.dropped_items[drop_reason] += 1
                    if (topic := created_topic(item)) is not None:
                        self.topics.append((chat.number, topic))
                case message:
                    yield chat.number, self._clean(self._correct_time(chat.number, message), chat)

    def _correct_time(self, chat: int, message: ExportedMessage) -> ExportedMessage:
        """Correct the time of `message` if the clock was set back, and count the message if it is out of order."""
        number, time, last = self._newest
        if chat == number and message.id > last:
            message = replace(message, when=message.when.corrected_after(time))
        if chat == number and (message.when.time, message.id) < (time, last):
            self.reordered += 1
        else:
            self._newest = (chat, message.when.time, message.id)
        return message

    def _clean(self, message: ExportedMessage, chat: ExportedChat) -> ExportedMessage:
        cleaned = private_data.replace_addresses(message.text)
        if message.drop_reason is not DropReason.NO_TEXT:
            speaker = self.speakers.setdefault(message.author, Speaker(message.author, message.name))
            speaker.messages += 1
            self.quoted += message.has_quote
            speaker.buttons += message.has_buttons
            speaker.chats.add(chat.type)
        return replace(message, text=cleaned, drop_reason=self._drop_reason(message))

    def _drop_reason(self, message: ExportedMessage) -> DropReason | None:
        if (
            message.drop_reason in (None, DropReason.FORWARDED, DropReason.VIA_BOT)
            and self.blocked
            and self.blocked.search(message.text)
        ):
            return DropReason.BLOCKLISTED
        return message.drop_reason
