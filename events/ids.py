"""Request ids: the same Telegram message always makes the same request."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from events.errors import MalformedEvent

_TOKEN = re.compile(r"-?[A-Za-z0-9_-]{1,64}")
_REVISION = re.compile(r"0|[1-9][0-9]{0,8}")
"""Only as `str()` writes it, so that an id has one spelling."""


@dataclass(frozen=True, slots=True)
class RequestId:
    """`<account>.<chat>.<message>.<revision>`: four tokens that are safe in a NATS subject.

    A deliberate retry of the same message has the next revision.

    Raises
    ------
    MalformedEvent
        A token is empty, too long, or has a character that is special in a subject.
    """

    account: str
    chat: str
    message: str
    revision: int = 0

    def __post_init__(self) -> None:
        tokens = (self.account, self.chat, self.message)
        if self.revision < 0 or not all(_TOKEN.fullmatch(token) for token in tokens):
            raise MalformedEvent(f"{str(self)[:200]!r} is not a request id: expected account.chat.message.revision")

    @classmethod
    @lru_cache(maxsize=1024)  # a process parses the id of one event five times
    def parse(cls, text: str) -> Self:
        """Parse the output of `str()`."""
        match text.split("."):
            case [account, chat, message, revision] if _REVISION.fullmatch(revision):
                return cls(account, chat, message, int(revision))
        raise MalformedEvent(f"{text[:200]!r} is not a request id: expected account.chat.message.revision")

    def next_revision(self) -> Self:
        """Return the id of a deliberate retry."""
        return type(self)(self.account, self.chat, self.message, self.revision + 1)

    def is_up_to(self, message: int) -> bool:
        """Return whether this is about `message` or an earlier one; True if messages have no numbers."""
        return not self.message.isdigit() or int(self.message) <= message

    def __str__(self) -> str:
        return f"{self.account}.{self.chat}.{self.message}.{self.revision}"
