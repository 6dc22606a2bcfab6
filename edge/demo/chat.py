"""A Telegram user in the terminal: says lines, and shows what came back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from pyrogram import Client

from edge.sandbox.server import Sandbox
from edge.userbot.chats import Chats
from edge.userbot.commands import Ask, parse
from edge.userbot.record import ChatRecord

SILENCE = timedelta(seconds=2)
"""After a message was recorded as silence nothing more is waited for than this."""
POLL = 0.02
"""Seconds between two looks at the chat record."""

Show = Callable[[str], None]


@dataclass
class Chat:
    """The conversation of the sandbox's user with the account that the userbot answers from."""

    telegram: Sandbox
    client: Client
    owner: int
    visitor: int
    chats: Chats
    prefix: str
    show: Show
    _shown: int = 0
    _asked: set[int] = field(default_factory=set)

    def asks(self, text: str) -> bool:
        """Whether the userbot takes `text` for a question."""
        return isinstance(parse(text, self.prefix), Ask)

    async def say(self, text: str) -> int:
        """Send `text` as the user; the id of the account's own copy of it comes back."""
        sent = await self.client.send_message(self.owner, text)
        assert sent
        if self.asks(text):
            self._asked.add(sent.id)
        self.show(labelled("you> ", text))
        # Not just the last one: the account may have replied already.
        return next(copy.id for copy in reversed(self.telegram.messages(self.owner, self.visitor)) if not copy.out)

    async def outcome(self, text: str, message_id: int) -> None:
        """Wait for the one outcome of the message, showing what comes."""
        before = self._shown
        if parse(text, self.prefix) is not None:
            while not _settled(await self.chats.load(str(self.visitor)), message_id):
                await self.refresh()
                await asyncio.sleep(POLL)
            await self.refresh()
        if self._shown == before:
            await asyncio.sleep(SILENCE.total_seconds())
            await self.refresh()
        if self._shown == before:
            self.show("(no reply)")

    async def refresh(self) -> None:
        """Show what is new."""
        for message_id, reply_to, text in reversed([message async for message in self._news()]):
            self._shown = message_id
            # A thinking line replies to the question; the answer replies to the thinking line.
            self.show(labelled("bot~ " if reply_to in self._asked else "bot> ", text))

    async def _news(self) -> AsyncIterator[tuple[int, int | None, str]]:
        history = self.client.get_chat_history(self.owner)
        assert history
        async for message in history:
            if message.id <= self._shown:
                return
            if not message.outgoing:
                yield message.id, message.reply_to_message_id, str(message.text)


def labelled(label: str, text: str) -> str:
    """The first line behind the label, further lines below it."""
    first, *further = text.split("\n")
    return "\n".join([label + first, *((" " * len(label) + line).rstrip() for line in further)])


def _settled(record: ChatRecord, message_id: int) -> bool:
    """Whether nothing more will come of the message."""
    open_ids = {question.message_id for question in record.waiting} | {notice.message_id for notice in record.notices}
    if record.current:
        open_ids.add(record.current.question.message_id)
    return message_id in record.seen and message_id not in open_ids
