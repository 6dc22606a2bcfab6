"""A Telegram user in the terminal: says lines, and shows what came back."""

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from datetime import timedelta

from pyrogram import Client
from pyrogram.enums import ParseMode
from pyrogram.types import Message

from cli.demo.terminal import labelled, looking
from edge.sandbox.server import Sandbox
from edge.userbot.chat.commands import Ask, parse
from edge.userbot.chat.record import ChatRecord
from edge.userbot.storage.chats import Chats
from events.runtime.clock import Clock

SILENCE = timedelta(seconds=2)
"""After a message was recorded as silence nothing more is waited for than this."""
POLL = timedelta(milliseconds=20)
"""Between two looks at the chat record."""

Show = Callable[[str], None]


@dataclass
class DemoChat:
    """The conversation of the sandbox's user with the account that the userbot answers from.

    `growing` is what can be read so far of a live answer; it is shown, once, when it is whole.
    """

    telegram: Sandbox
    client: Client
    owner: int
    visitor: int
    chats: Chats
    prefix: str
    names: Set[str]
    """The account's."""
    show: Show
    clock: Clock
    growing: str = ""
    _shown: int = 0
    _asked: dict[int, int] = field(default_factory=dict)
    """From questions to the account's own copies of them."""
    _lines: set[int] = field(default_factory=set)
    """Thinking lines that may yet become answers."""

    def asks(self, text: str) -> bool:
        """Whether the userbot takes `text` for a question."""
        return isinstance(parse(text, self.prefix, self.names), Ask)

    async def say(self, text: str) -> int:
        """Send `text` as the user; the id of the account's own copy of it comes back."""
        sent = await self.client.send_message(self.owner, text, parse_mode=ParseMode.DISABLED)
        assert sent
        # Not just the last one: the account may have replied already.
        copy = next(copy for copy in reversed(self.telegram.messages(self.owner, self.visitor)) if not copy.out)
        if self.asks(text):
            self._asked[sent.id] = copy.id
        self.show(labelled("you> ", text))
        return copy.id

    async def outcome(self, text: str, message_id: int) -> None:
        """Wait for the one outcome of the message, showing what comes."""
        before = self._shown
        if parse(text, self.prefix, self.names) is not None:
            while not _settled(await self.refresh(), message_id):
                await self.clock.sleep(POLL)
        if self._shown == before:
            await self.clock.sleep(SILENCE)
            await self.refresh()
        if self._shown == before:
            self.show("(no reply)")

    async def refresh(self) -> ChatRecord:
        """Show what is new; the record that comes back is from a moment before."""
        record = await self.chats.load(str(self.visitor))
        messages = await self._recent()
        replied_to = {message.reply_to_message_id for message in messages}
        self.growing = ""
        for message in messages:
            question = self._asked.get(message.reply_to_message_id or 0)
            if question is not None:
                self._show_line(message, whole=_settled(record, question) or message.id in replied_to)
            elif message.id > self._shown:
                self.show(labelled("bot> ", _looking(message)))
            self._shown = max(self._shown, message.id)
        return record

    def _show_line(self, line: Message, *, whole: bool) -> None:
        """A thinking line, which replies to the question; a live one is edited until it is the answer."""
        if line.id > self._shown:
            self._lines.add(line.id)
            if not line.edit_date:
                self.show(labelled("bot~ ", str(line.text)))
        if line.id not in self._lines:
            return
        if whole:
            self._lines.remove(line.id)
        if line.edit_date and whole:
            self.show(labelled("bot> ", _looking(line)))
        elif line.edit_date:
            self.growing = str(line.text)

    async def _recent(self) -> list[Message]:
        """The account's messages that are new or may have changed, the oldest first."""
        history = self.client.get_chat_history(self.owner)
        assert history
        recent: list[Message] = []
        async for message in history:
            if message.id < min([self._shown + 1, *self._lines]):
                break
            if not message.outgoing:
                recent.insert(0, message)
        return recent


def _looking(message: Message) -> str:
    return looking(str(message.text), message.entities)


def _settled(record: ChatRecord, message_id: int) -> bool:
    """Whether nothing more will come of the message."""
    open_ids = {question.message_id for question in record.waiting} | {notice.message_id for notice in record.notices}
    if record.current:
        open_ids.add(record.current.question.message_id)
    return message_id in record.seen and message_id not in open_ids
