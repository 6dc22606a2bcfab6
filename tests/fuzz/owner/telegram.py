"""An account's Telegram: its chats share their ids, every message comes back as a change, and calls fail on demand."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Literal

from edge.userbot.chat.incoming import Deleted, Edited, Incoming, Message, OwnMessage
from edge.userbot.driving.messenger import FloodWaited, MessengerError, PeerFlooded, Undeliverable, UnknownAnswer
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.people import Person

ACCOUNT = OWNER = "10001"
ANNA, BORIS = Person("20002", frozenset({"anna"}), "Анна", contact=True), Person("30003", name="Борис")
PEOPLE = {person.id: person for person in (ANNA, BORIS)}

Fault = Literal["lost", "away", "flooded", "unknown", "refused", "spam"] | None
"""Of the next call: done but without an answer, not done, to be repeated later, nonsense, not done for good."""


@dataclass
class Post:
    """A message. `said`: its first text; `meant`: what it was sent as a reply to, also if that is deleted."""

    id: int
    chat: str
    by: Literal["user", "owner", "bot"]
    said: str
    at: datetime
    moment: int
    meant: int | None = None
    reply_to: int | None = None
    text: str = ""
    deleted: bool = False
    edited: bool = False


@dataclass
class Telegram:
    """`latency`: of each half of a call. `about_to_show` is called as soon as we ask for a text to be shown.

    `moment`: numbers whatever happens anywhere.
    """

    now: Callable[[], datetime]
    latency: float = 0.0
    posts: dict[int, Post] = field(default_factory=dict)
    changes: list[Post | Edited | Deleted] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    faults: deque[Fault] = field(default_factory=deque)
    refused: set[str] = field(default_factory=set)
    by_random_id: dict[int, int] = field(default_factory=dict)
    about_to_show: Callable[[str, int | None, str], None] = lambda chat, root, text: None
    posted: Callable[[Post], None] = lambda post: None
    _moments: "count[int]" = field(default_factory=lambda: count(1))

    def moment(self) -> int:
        return next(self._moments)

    def post(self, chat: str, by: Literal["user", "owner", "bot"], text: str, meant: int | None = None) -> Post:
        """Add a message, whoever wrote it. `{id}` in it becomes its id."""
        number = 101 + len(self.posts)
        target = self.posts.get(meant) if meant else None
        said = text.replace("{id}", str(number)) if by != "bot" else text
        shown_reply = None if target is None or target.deleted else meant
        post = Post(number, chat, by, said, self.now(), self.moment(), meant, shown_reply, said)
        self.posts[number] = post
        self.changes.append(post)
        self.posted(post)
        self.changed.set()
        return post

    def edits(self, post: Post) -> None:
        """A user edits their message."""
        self._tell(Edited(ACCOUNT, post.chat, post.id, f"правка №{post.id}."))

    def deletes(self, post: Post) -> None:
        """Somebody deletes a message. What becomes of ours and the owner's does not matter to us."""
        post.deleted = True
        if post.by == "user":
            self._tell(Deleted(ACCOUNT, frozenset({post.id})))

    def _tell(self, change: Edited | Deleted) -> None:
        self.changes.append(change)
        self.changed.set()

    def root(self, post: Post) -> int | None:
        """Return the message of somebody else's to which `post`, one of ours, replies in the end."""
        meant = post.meant
        while meant and self.posts[meant].by == "bot":
            meant = self.posts[meant].meant
        return meant

    def ours(self, chat: str) -> list[Post]:
        return [post for post in self.posts.values() if post.chat == chat and post.by == "bot"]

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        self._ask_to_show(chat, reply_to, message.text)
        fault = await self._begin(chat)
        if random_id not in self.by_random_id:
            self.by_random_id[random_id] = self.post(chat, "bot", message.text, reply_to).id
        await self._end(fault)
        return self.by_random_id[random_id]

    async def edit(self, chat: str, message_id: int, message: FormattedText) -> None:
        self._ask_to_show(chat, message_id, message.text)
        if self.posts[message_id].text == message.text and not self.posts[message_id].deleted:
            self.posts[message_id].edited = True
            return  # MESSAGE_NOT_MODIFIED
        fault = await self._begin(chat)
        self._change(message_id, message.text, edited=True)
        await self._end(fault)

    async def preview(self, chat: str, message_id: int, message: FormattedText) -> bool:
        self._ask_to_show(chat, message_id, message.text)
        await asyncio.sleep(self.latency)
        self._change(message_id, message.text, edited=False)
        return True

    def takes_live_drafts(self, chat: str) -> bool:
        return False

    async def delete(self, chat: str, message_id: int) -> None:
        fault = await self._begin(chat)
        self.posts[message_id].deleted = True
        await self._end(fault)

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        found = (post for post in reversed(self.ours(chat)) if not post.deleted and post.text == text)
        return next((post.id for post in found if _replies(post, reply_to)), None)

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        raise AssertionError("nothing was lost or restored")

    async def find_chat(self, name: str) -> str | None:
        return next((person.id for person in PEOPLE.values() if name[1:] in person.usernames), None)

    async def wrote_first(self, chat: str) -> bool | None:
        return True

    async def react(self, chat: str, message_id: int, emoji: str) -> None:
        self._ask_to_show(chat, message_id, emoji)

    async def typing(self, chat: str) -> None:
        pass

    def _ask_to_show(self, chat: str, reply_to: int | None, text: str) -> None:
        target = self.posts.get(reply_to or 0)
        root = self.root(target) if target and target.by == "bot" else reply_to
        self.about_to_show(chat, root, text)

    def _change(self, message_id: int, text: str, *, edited: bool) -> None:
        post = self.posts[message_id]
        if post.deleted:
            raise Undeliverable("MESSAGE_ID_INVALID")
        post.text, post.edited = text, post.edited or edited

    async def _begin(self, chat: str) -> Fault:
        fault = self.faults.popleft() if self.faults else None
        await asyncio.sleep(self.latency)
        match fault:
            case "away":
                raise MessengerError("no connection")
            case "flooded":
                raise FloodWaited(timedelta(seconds=40))
            case "unknown":
                self.refused.add(chat)  # for good, if there are several
                raise UnknownAnswer("what?")
            case "refused":
                self.refused.add(chat)
                raise Undeliverable("USER_IS_BLOCKED")
            case "spam":
                self.refused.add(chat)
                raise PeerFlooded("PEER_FLOOD")
        return fault

    async def _end(self, fault: Fault) -> None:
        await asyncio.sleep(self.latency)
        if fault == "lost":
            raise MessengerError("no answer")


def as_message(post: Post) -> Message:
    """Return a message as the account is told of it. Telegram's dates are in whole seconds."""
    date = post.at.replace(microsecond=0)
    if post.by == "user":
        return Incoming(
            ACCOUNT, post.chat, post.id, post.said, "ru", date, sender=PEOPLE[post.chat], reply_to=post.reply_to
        )
    return OwnMessage(ACCOUNT, post.chat, post.id, post.said, date, post.reply_to)


def _replies(post: Post, reply_to: int | None) -> bool:
    """Return whether it replies to that message, or to none as it may be deleted."""
    is_later = post.reply_to is None and reply_to is not None and post.id > reply_to
    return post.reply_to == reply_to or is_later
