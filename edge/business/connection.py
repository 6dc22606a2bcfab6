"""A person's business connection to the bot, and what Telegram sends through it.

Source: https://core.telegram.org/api/bots/connected-business-bots.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection as Telegram describes it.

    `dc_id`: the data centre that takes its calls. `date`: when it was made.
    """

    id: str
    person: str
    dc_id: int
    date: datetime
    is_enabled: bool
    may_reply: bool


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """A person has connected the bot, changed what it may do, or disconnected it."""

    connection: Connection

    key = None

    @property
    def date(self) -> datetime:
        return self.connection.date


@dataclass(frozen=True, slots=True)
class BusinessMessage:
    """A new message in a chat of a connected person, theirs or another's: `message`, in Telegram's form.

    `users`: those that came with it, by id.
    """

    connection_id: str
    message: Any
    users: Mapping[int, Any]

    @property
    def key(self) -> tuple[str, int]:
        return self.connection_id, int(self.message.id)

    @property
    def date(self) -> datetime:
        return datetime.fromtimestamp(getattr(self.message, "date", 0), UTC)

    @property
    def access_hash(self) -> int | None:
        """What is needed to address the other in the chat through the connection, None if it did not come along."""
        other = self.users.get(getattr(self.message.peer_id, "user_id", 0))
        known = None if getattr(other, "min", False) else getattr(other, "access_hash", None)
        return known if known is None else int(known)


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """A message of the other person in a chat of a connected person has a new text."""

    connection_id: str
    chat: str
    message_id: int
    text: str

    key = None


@dataclass(frozen=True, slots=True)
class MessagesDeleted:
    """Messages of a chat of a connected person were deleted."""

    connection_id: str
    chat: str
    message_ids: tuple[int, ...]

    key = None
