"""A chat of an account with a user, as Telegram has it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from edge.userbot import phrases
from edge.userbot.chat.incoming import Change, Deleted, Edited, Incoming, OwnMessage
from edge.userbot.driving.messenger import Undeliverable

FIRST_OWN = 1001


@dataclass
class Chat:
    """`show` tells the edge of a message. `ago`: how old everything is when it comes.

    `texts`: what was sent from the account, with what it replies to; the first has the id `FIRST_OWN`.
    `takes_drafts`: answers may grow in live drafts. `drafts`: their texts.
    """

    account: str
    id: str
    now: Callable[[], datetime]
    show: Callable[["Chat", Change], None]
    ago: timedelta = timedelta(0)
    texts: list[tuple[str, int | None]] = field(default_factory=list)
    by_random_id: dict[int, int] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    asked: int = 0
    takes_drafts: bool = False
    drafts: list[str] = field(default_factory=list)

    def user_says(self, text: str) -> None:
        self.asked += 1
        self.show(self, Incoming(self.account, self.id, self.asked, text, "ru", self.now() - self.ago))

    def user_edits(self, message_id: int, text: str) -> None:
        self.show(self, Edited(self.account, self.id, message_id, text))

    def user_deletes(self, message_id: int) -> None:
        self.show(self, Deleted(self.account, frozenset({message_id})))

    def owner_says(self, text: str) -> None:
        """From another device."""
        self.show(self, self.add(text, None))

    def add(self, text: str, reply_to: int | None) -> OwnMessage:
        self.texts.append((text, reply_to))
        number = FIRST_OWN - 1 + len(self.texts)
        return OwnMessage(self.account, self.id, number, text, self.now() - self.ago, reply_to)

    def edit(self, message_id: int, text: str) -> None:
        if message_id in self.deleted:
            raise Undeliverable("MESSAGE_ID_INVALID")
        self.texts[message_id - FIRST_OWN] = (text, self.texts[message_id - FIRST_OWN][1])

    @property
    def replies(self) -> list[str]:
        """What was said to the user, without thinking lines."""
        lines = {phrases.thinking("ru", f"{self.account}.{self.id}.{number}.0") for number in range(1, 9)}
        return [text for text, _ in self.texts if text not in lines]

    @property
    def thoughts(self) -> int:
        return len(self.texts) - len(self.replies)
