"""What outlives the edge, a worker included."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from edge.userbot.chat.record import ChatRecord
from edge.userbot.storage.chats import Chats
from events.event import Event
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.runtime.retrying import Retrying
from events.schema import FailureReason, FinishReason, GenerationCompleted, GenerationFailed, GenerationProgressed
from events.transport import Channel
from tests.crashes.chat import Chat
from tests.fuses import Fuse, Fused


@dataclass
class Places:
    """`answer` gives the reply's text for a question's, None fails it, and "" leaves it without a reply.

    `chats`: those in which the story is told, at the same time. `hear`: takes the growing text of an answer.
    """

    answer: Callable[[str], str | None]
    chats: Sequence[Chat]
    retrying: Retrying
    records: MemoryRecords = field(default_factory=MemoryRecords)
    marks: MemoryMarks = field(default_factory=MemoryMarks)
    positions: MemoryRecords = field(default_factory=MemoryRecords)
    """The bucket `telegram`."""
    hear: Callable[[Event], None] = lambda event: None

    def __post_init__(self) -> None:
        self.log = MemoryLog(clock=self.retrying.clock)

    async def record(self, chat: Chat) -> ChatRecord:
        return await Chats(self.records, self.marks, chat.account, retrying=self.retrying).load(chat.id)

    async def is_marked(self, chat: Chat) -> bool:
        return bool(await self.marks.keys(f"unfinished.{chat.account}."))

    def event(self, data: Any) -> Event:
        return Event.of(data, source="/test", time=self.retrying.clock.now())

    async def work(self) -> None:
        requests = self.log.subscribe(Channel.REQUESTS, "generate", lease=timedelta(seconds=60))
        while True:
            for delivery in await requests.fetch(1, timedelta(seconds=1)):
                request = delivery.event.data()
                text = self.answer(request.turns[-1].text)
                if text and request.live:
                    await self._write(request.request_id, text)
                if text != "":
                    await self.log.publish(Channel.REPLIES, self.event(_reply(request.request_id, text)))

    async def _write(self, request_id: str, text: str) -> None:
        """Until an edge has shown the first words, or none is there that could."""
        words = text.partition(" ")[0]
        account = request_id.partition(".")[0]
        for sequence in range(1, 20):
            self.hear(self.event(GenerationProgressed(request_id=request_id, text=words, sequence=sequence)))
            chat = next(chat for chat in self.chats if chat.account == account)
            if words in chat.drafts or any(said == words for said, _ in chat.texts):
                return
            await asyncio.sleep(0.005)


def _reply(request_id: str, text: str | None) -> GenerationCompleted | GenerationFailed:
    if text is None:
        return GenerationFailed(request_id=request_id, reason=FailureReason.REJECTED)
    return GenerationCompleted(request_id=request_id, text=text, finish_reason=FinishReason.STOP, model="test")


class FusedSubscription:
    """Its deliveries are settled through the fuse."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse
        self.lease = inner.lease

    async def fetch(self, limit: int, timeout: timedelta) -> list[Any]:
        return [Fused(delivery, self._fuse, "ack", "discard") for delivery in await self._inner.fetch(limit, timeout)]
