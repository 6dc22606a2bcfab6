"""What the driver asks of Telegram, and what can become of it."""

from collections.abc import Collection
from datetime import timedelta
from typing import Protocol

from edge.userbot.formatting.styled_text import FormattedText
from events.errors import TimokhaError


class MessengerError(TimokhaError):
    """Telegram could not be asked, or did not answer: send the same again, under the same random id."""


class FloodWaited(MessengerError):
    """Telegram takes nothing more in this chat before `wait` has passed."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"Telegram asks to wait {wait.total_seconds():.0f} s")
        self.wait = wait


class UnknownAnswer(MessengerError):
    """An answer that is in no table: after `events.faults.UNKNOWN_ATTEMPTS` of them it counts as Undeliverable."""


class Undeliverable(TimokhaError):
    """Telegram will never take this message or edit, e.g. because the user has blocked the account."""


class Messenger(Protocol):
    async def send(self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int) -> int:
        """Send one message of at most 4,096 UTF-16 units and return its id, 0 if that can't be told.

        The same random id again sends nothing. Paced, so it may take a few seconds.
        Raises MessengerError (FloodWaited, UnknownAnswer) or Undeliverable.
        """
        ...

    async def edit(self, chat: str, message_id: int, message: FormattedText) -> None:
        """Give a message of our own another text; the one that it has is fine too. Paced as `send` is.

        Raises MessengerError (FloodWaited, UnknownAnswer) or Undeliverable, e.g. when the message is gone.
        """
        ...

    async def preview(self, chat: str, message_id: int, message: FormattedText) -> bool:
        """`edit`, unless that could make a message wait for its turn; whether it was done."""
        ...

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        """The id of a recent message of our own with this text, whatever its formatting, and reply.

        Raises MessengerError (FloodWaited, UnknownAnswer) or Undeliverable.
        """
        ...

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        """Whether the chat shows that the user's message has been dealt with: a reply to our reply to it, or one to it
        that is none of the lines of `thinking`. With None no reply to it tells anything by itself.

        Raises MessengerError (FloodWaited, UnknownAnswer) or Undeliverable.
        """
        ...

    async def typing(self, chat: str) -> None:
        """Show the typing action; failures don't matter and raise nothing."""
        ...
