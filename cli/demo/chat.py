"""The demo's chat: send lines as a Telegram user, and show the replies."""

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from datetime import timedelta

from pyrogram import Client
from pyrogram.enums import ParseMode
from pyrogram.types import Message

from cli.demo.terminal import labelled, with_formatting
from edge.sandbox.server import Sandbox
from edge.userbot import phrases
from edge.userbot.chat.commands import Ask, parse
from edge.userbot.chat.record import ChatRecord
from edge.userbot.storage.chats import Chats
from events.runtime.clock import Clock

LATE_REPLY_WAIT = timedelta(seconds=2)
"""How long to wait for a reply to a message that needs none."""
POLL = timedelta(milliseconds=20)
"""Between two reads of the chat record."""

Show = Callable[[str], None]


@dataclass
class DemoChat:
    """The conversation of the sandbox's user with the account of the userbot.

    `growing` is the text so far of a live answer; `show` gets an answer once, when it is complete.
    """

    telegram: Sandbox
    client: Client
    owner: int
    visitor: int
    chats: Chats
    prefix: str
    names: Set[str]
    """The account's usernames."""
    show: Show
    clock: Clock
    growing: str = ""
    _shown: int = 0
    _asked: dict[int, int] = field(default_factory=dict)
    """Ids of questions, and of the account's copies of them."""
    _lines: set[int] = field(default_factory=set)
    """Ids of thinking lines that may still become answers."""
    _not_the_bots: set[int] = field(default_factory=set)
    """Ids of the account's messages that its owner wrote."""
    _reactions: set[int] = field(default_factory=set)
    """Ids of the user's messages whose reaction is shown."""

    def is_question(self, text: str) -> bool:
        """Return whether the userbot treats `text` as a question."""
        return isinstance(parse(text, self.prefix, self.names), Ask)

    def said_together(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Yield the lines that are said before the outcome of the last of them is waited for."""
        yield from ([line] for line in lines if line.strip())

    async def say(self, text: str) -> int:
        """Send `text` as the user; return the id of the account's copy of it."""
        sent = await self.client.send_message(self.owner, text, parse_mode=ParseMode.DISABLED)
        assert sent
        # Not simply the last message: the account may have replied already.
        copy = next(copy for copy in reversed(self.telegram.messages(self.owner, self.visitor)) if not copy.out)
        if self.is_question(text):
            self._asked[sent.id] = copy.id
        self.show(labelled("you> ", text))
        return copy.id

    async def show_outcome(self, text: str, message_id: int) -> None:
        """Show replies until the message is finished, or `(no reply)`."""
        before = self._progress
        while not await self._is_settled(text, message_id):
            await self.clock.sleep(POLL)
        if self._progress == before:
            await self.clock.sleep(LATE_REPLY_WAIT)
            await self.refresh()
        if self._progress == before:
            self.show("(no reply)")

    @property
    def _progress(self) -> tuple[int, ...]:
        """What changes when something new is shown."""
        return (self._shown,)

    async def _is_settled(self, text: str, message_id: int) -> bool:
        """Show what is new; return whether nothing more will come of the message."""
        return parse(text, self.prefix, self.names) is None or _is_finished(await self.refresh(), message_id)

    async def refresh(self) -> ChatRecord:
        """Show new messages; return the chat record as it was just before."""
        record = await self.chats.load(str(self.visitor))
        messages = await self._recent_messages()
        self._show_reactions()  # only now: one to a question comes before its answer
        replied_to = {message.reply_to_message_id for message in messages}
        self.growing = ""
        for message in messages:
            question = self._asked.get(message.reply_to_message_id or 0)
            if question is not None:
                self._show_line(message, whole=_is_finished(record, question) or message.id in replied_to)
            elif message.id > self._shown and message.id not in self._not_the_bots:
                self.show(labelled("bot> ", _formatted(message)))
            self._shown = max(self._shown, message.id)
        return record

    def _show_reactions(self) -> None:
        for message in self.telegram.messages(self.visitor, self.owner):
            if self.owner in message.reactions and message.id not in self._reactions:
                self._reactions.add(message.id)
                self.show(labelled("bot~ ", message.reactions[self.owner].emoji))

    def _show_line(self, line: Message, *, whole: bool) -> None:
        """Show a reply to the question: a thinking line, the answer that it has become by edits, or an answer."""
        if line.id > self._shown:
            if not line.edit_date and str(line.text) not in phrases.thinking_lines():
                self.show(labelled("bot> ", _formatted(line)))
                return
            self._lines.add(line.id)
            if not line.edit_date:
                self.show(labelled("bot~ ", str(line.text)))
        if line.id not in self._lines:
            return
        if whole:
            self._lines.remove(line.id)
        if line.edit_date and whole:
            self.show(labelled("bot> ", _formatted(line)))
        elif line.edit_date:
            self.growing = str(line.text)

    async def _recent_messages(self) -> list[Message]:
        """Return the account's messages that are new or may have changed, the oldest first."""
        history = self.client.get_chat_history(self.owner)
        assert history
        recent: list[Message] = []
        async for message in history:
            if message.id < min([self._shown + 1, *self._lines]):
                break
            if not message.outgoing:
                recent.insert(0, message)
        return recent


def _formatted(message: Message) -> str:
    return with_formatting(str(message.text), message.entities)


def _is_finished(record: ChatRecord, message_id: int) -> bool:
    """Return whether nothing more will come of the message, unless its answer is approved."""
    open_ids = {question.message_id for question in record.waiting} | {notice.message_id for notice in record.notices}
    if record.current and is_open(record):
        open_ids.add(record.current.question.message_id)
    return message_id in record.seen and message_id not in open_ids


def is_open(record: ChatRecord) -> bool:
    """Return whether a question is being answered, and its answer does not just wait for the owner's approval."""
    current = record.current
    return current is not None and not (current.state == "awaiting_approval" and current.submitted)
