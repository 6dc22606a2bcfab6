"""Chat tokens: Telegram's id of a chat, as in the Bot API, and of a forum's topic if the chat is one."""

import re
from dataclasses import dataclass
from typing import Self

TOPIC_MARK = "t"
_TOKEN = re.compile(rf"(-?[1-9][0-9]{{0,18}})(?:{TOPIC_MARK}([1-9][0-9]{{0,9}}))?")
NO_TOPIC = 0
"""Also the General topic, whose messages are like those of a group without topics."""
GENERAL = 1
"""The topic that every forum has (https://core.telegram.org/api/forum#forum-topics)."""
HIGHEST_CHANNEL = -1_000_000_000_000
"""Channels and supergroups, whose ids are not above this, number their messages themselves."""


@dataclass(frozen=True, slots=True)
class ChatToken:
    """`peer`: a user, a group (below 0) or a supergroup (below `HIGHEST_CHANNEL`). `topic`: a forum's."""

    peer: int
    topic: int = NO_TOPIC

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the output of `str()`. Raises ValueError."""
        found = _TOKEN.fullmatch(text)
        if not found:
            raise ValueError(f"{text[:40]!r} is no chat of Telegram's")
        return cls(int(found[1]), int(found[2] or NO_TOPIC))

    @property
    def is_group(self) -> bool:
        return self.peer < 0

    @property
    def is_supergroup(self) -> bool:
        return self.peer <= HIGHEST_CHANNEL

    @property
    def without_topic(self) -> str:
        return str(self.peer)

    def __str__(self) -> str:
        return f"{self.peer}{TOPIC_MARK}{self.topic}" if self.topic else str(self.peer)


def is_chat_token(text: str) -> bool:
    """Return whether `text` is the token of a chat."""
    return bool(_TOKEN.fullmatch(text))


def is_group(chat: str) -> bool:
    """Return whether several people may write in a chat."""
    return chat.startswith("-")


def names_of(chat: str) -> set[str]:
    """Return a chat's token, and that of its group if it is a topic."""
    return {chat, chat.partition(TOPIC_MARK)[0]}
