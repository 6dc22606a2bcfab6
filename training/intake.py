"""Items of an export into cleaned messages, and what is counted on the way."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from re import Pattern
from typing import Any

from training import private_data
from training.export_file import Chat
from training.messages import Fate, Message, parse
from training.owner import Speaker


@dataclass(slots=True)
class Intake:
    """The counts are complete once `messages` has ended."""

    blocked: Pattern[str] | None = None
    bots: frozenset[str] = frozenset()
    """Names and ids."""
    speakers: dict[str, Speaker] = field(default_factory=dict)
    never_messages: Counter[Fate] = field(default_factory=Counter)

    def messages(self, items: Iterable[tuple[Chat, Any]]) -> Iterator[tuple[int, Message]]:
        """(number of the chat, message without links and addresses)."""
        for chat, item in items:
            match parse(item, chat):
                case Fate() as fate:
                    self.never_messages[fate] += 1
                case message:
                    yield chat.number, self._take(message)

    def _take(self, message: Message) -> Message:
        cleaned = private_data.without_addresses(message.text)
        if message.fate is not Fate.NO_TEXT:
            speaker = self.speakers.setdefault(message.author, Speaker(message.author, message.name))
            speaker.messages += 1
        return replace(message, text=cleaned, fate=self._fate(message))

    def _fate(self, message: Message) -> Fate | None:
        if message.fate is None and not self.bots.isdisjoint((message.author, message.name)):
            return Fate.BOT
        if message.fate in (None, Fate.FORWARDED, Fate.VIA_BOT) and self.blocked and self.blocked.search(message.text):
            return Fate.BLOCKLISTED
        return message.fate
