"""Messages of users and of the owner, as the intake takes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from edge.userbot.chat.commands import Command
from edge.userbot.chat_tokens import is_group
from edge.userbot.people import SOMEONE, Person
from edge.userbot.text import strip_invisible
from events.ids import RequestId
from events.speakers import speaker_name


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message of a user. `account` and `chat` are tokens of a request id, `trace` is its W3C trace context.

    `doubtful`: it may have been answered before the records were lost. `before_restore`: it was written before a
    backup of the records was restored. `answered`: in addition the chat shows that it was answered. `command`: what
    `text` asks for, if it is parsed already. `forwarded`: the words are not the sender's own. `sender`: who wrote it,
    also in a group. `reply_to`: the message that it replies to, None if there is none. `mentions_us`: it names the
    account. `by_machine`: an app has written it, e.g. an inline bot.
    """

    account: str
    chat: str
    message_id: int
    text: str
    locale: str
    date: datetime
    trace: Mapping[str, str] = field(default_factory=dict)
    doubtful: bool = False
    before_restore: bool = False
    answered: bool = False
    command: Command | None = None
    forwarded: bool = False
    sender: Person = SOMEONE
    reply_to: int | None = None
    mentions_us: bool = False
    by_machine: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from all other messages of the account."""
        return self.chat, self.message_id

    @property
    def request_id(self) -> RequestId:
        """Return the id of the request that it makes if it is a question."""
        return RequestId(self.account, self.chat, str(self.message_id))

    @property
    def author(self) -> str:
        """Return whose bursts it belongs to. In a private chat there is one person."""
        return self.sender.id or self.chat

    @property
    def speaker(self) -> str:
        """Return the sender's name for the model, empty outside groups, where it is always the same person."""
        return speaker_name(strip_invisible(self.sender.name)) if is_group(self.chat) else ""


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """A message that was sent from the account itself, by the owner or by us.

    `text`: empty for a photo and the like. `reply_to`: the message that it replies to, None if there is none.
    `is_ours`: Telegram says that we have sent it, as it does of what a bot sends through a business connection.
    """

    account: str
    chat: str
    message_id: int
    text: str
    date: datetime
    reply_to: int | None = None
    is_ours: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from all other messages of the account."""
        return self.chat, self.message_id


@dataclass(frozen=True, slots=True)
class Edited:
    """A message has a new text."""

    account: str
    chat: str
    message_id: int
    text: str

    @property
    def key(self) -> None:
        """It counts again if it is repeated: another edit may have come between."""
        return


@dataclass(frozen=True, slots=True)
class Deleted:
    """Messages were deleted. `group`: the supergroup that numbers them, None if the account numbers them."""

    account: str
    message_ids: frozenset[int]
    group: str | None = None

    @property
    def key(self) -> None:
        """It names no chat."""
        return


@dataclass(frozen=True, slots=True)
class Typing:
    """The person `sender` is typing in a chat; `stops`: no more."""

    chat: str
    sender: str
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Press:
    """A press of a button of `message_id`, by the person whose chat with the bot is `chat`. `data`: what it says."""

    chat: str
    message_id: int
    data: str


@dataclass(frozen=True, slots=True)
class Reaction:
    """What `reader` thinks of a message. `vote`: 1 for a thumb up, -1 for a thumb down, 0 if it was taken back."""

    account: str
    chat: str
    message_id: int
    reader: Person
    vote: Literal[1, 0, -1]

    @property
    def key(self) -> None:
        """None, as it says how something is now: if repeated, it must count again."""


@dataclass(frozen=True, slots=True)
class Reactions:
    """What several readers think of one message."""

    of_readers: tuple[Reaction, ...]

    @property
    def key(self) -> None:
        """None, as for one of them."""


Message = Incoming | OwnMessage
Change = Message | Edited | Deleted | Reactions
"""What an account's changes contain that matters here."""
