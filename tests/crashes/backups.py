"""A backup of the store, taken at any moment of a story and put back later."""

from dataclasses import dataclass
from typing import Any

from edge.userbot.chat.record import ChatRecord
from edge.userbot.storage.chats import Chats
from events.memory import MemoryMarks
from events.transport import Channel
from tests.crashes.chat import Chat
from tests.crashes.places import Places
from tests.fuses import Fuse


@dataclass
class Copying(Fuse):
    """Never blows, but copies what is stored before the `at`th effect."""

    places: Places | None = None
    copy: Places | None = None

    async def around(self, name: str, act: Any) -> Any:
        if len(self.journal) + 1 == self.at:
            assert self.places
            self.copy = copied(self.places)
        return await super().around(name, act)

    async def _blow(self) -> None:
        pass


def copied(places: Places) -> Places:
    """As it is in a backup, beside the same Telegram. The index is not in it."""
    copy = Places(places.answer, places.chats, places.retrying)
    for channel in Channel:
        copy.log._stored[channel].update(places.log._stored[channel])
    copy.records._records.update(places.records._records)
    copy.positions._records.update(places.positions._records)
    return copy


async def make_late(places: Places, chat: Chat) -> None:
    """The deadline of what is under way has passed: until then a live line may be growing."""

    def late(record: ChatRecord) -> ChatRecord:
        if record.current is None:
            return record
        return record.having(current=record.current.having(deadline=places.retrying.clock.now()))

    await Chats(places.records, places.marks, chat.account, retrying=places.retrying).change(chat.id, late)


def put_back(places: Places) -> None:
    """The index is made anew: so it is known when the backup was put back."""
    places.marks = MemoryMarks(created_at=places.retrying.clock.now())
    places.answer = lambda text: f"другой ответ на {text}"
