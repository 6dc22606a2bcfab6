"""What the driver needs of Telegram, and the errors that it handles."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from edge.userbot.formatting.styled_text import FormattedText
from events.errors import TimokhaError


class MessengerError(TimokhaError):
    """Telegram could not be reached or did not answer: send the same again with the same random id."""


class FloodWaited(MessengerError):
    """Telegram accepts no more calls until `wait` has passed."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"Telegram asks to wait {wait.total_seconds():.0f} s")
        self.wait = wait


class SlowModeWaited(FloodWaited):
    """The group's slow mode takes this message only after `wait`: it was not sent. Other chats are not concerned."""


class UnknownAnswer(MessengerError):
    """An unknown answer: after `events.faults.UNKNOWN_ATTEMPTS` of them a message counts as undeliverable."""


class Undeliverable(TimokhaError):
    """Telegram refuses this message or edit for good, e.g. because the user has blocked the account."""


class PeerFlooded(Undeliverable):
    """Telegram considers the account a spammer: it refuses this message, and likely others, until it forgets that."""


class WritingForbidden(Undeliverable):
    """Telegram takes no messages of the account's in this group, or in this topic, for now."""


@dataclass(frozen=True, slots=True)
class Button:
    """A button below a message. `data`: what a press of it says, at most 64 bytes."""

    label: str
    data: str


class Messenger(Protocol):
    async def send(
        self,
        chat: str,
        message: FormattedText,
        *,
        reply_to: int | None,
        random_id: int,
        buttons: Sequence[Button] = (),
    ) -> int:
        """Send one message of at most 4,096 UTF-16 units and return its id, 0 if it is not known.

        A user account can show no `buttons` and sends none. A repeated random id sends nothing. The rate is limited, so
        it may take a few seconds.
        Raises MessengerError (FloodWaited, SlowModeWaited, UnknownAnswer) or Undeliverable (WritingForbidden).
        """
        ...

    async def edit(self, chat: str, message_id: int, message: FormattedText) -> None:
        """Change the text of one of our messages, if it is not the same already. The rate is limited as in `send`.

        Raises MessengerError (FloodWaited, UnknownAnswer) or Undeliverable, e.g. when the message is gone.
        """
        ...

    async def preview(self, chat: str, message_id: int, message: FormattedText) -> bool:
        """Edit a message unless that could delay others. Return whether it was edited."""
        ...

    def is_slow(self, chat: str) -> bool:
        """Return whether a group's slow mode is known to apply to the account: it has to wait between two messages."""
        ...

    def takes_live_drafts(self, chat: str) -> bool:
        """Return whether a chat can be shown live drafts: Telegram has not refused one there in this process."""
        ...

    async def live_draft(self, chat: str, random_id: int, message: FormattedText) -> bool:
        """Show a text that is being written as a draft, unless that could delay others. Return whether it is shown.

        The same random id replaces the text. The draft goes with the next message, or after about 30 s. If Telegram
        refuses it, the chat takes no live drafts from then on. Raises MessengerError (FloodWaited).
        """
        ...

    async def delete(self, chat: str, message_id: int) -> None:
        """Delete one of our messages for both sides. One that is gone already is deleted.

        Raises MessengerError (FloodWaited, UnknownAnswer) or Undeliverable.
        """
        ...

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        """Return the id of a recent message of ours with this text and `reply_to`, whatever its formatting.

        Raises MessengerError (FloodWaited, UnknownAnswer) or Undeliverable.
        """
        ...

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        """Return whether the chat has the outcome of the user's message: our reply to it, or our reply to that.

        A direct reply does not count if it is one of the lines of `thinking`, or if `thinking` is None. A chat that
        Telegram never shows counts as having it: nothing is answered twice.

        Raises MessengerError (FloodWaited, UnknownAnswer) or Undeliverable.
        """
        ...

    async def find_chat(self, name: str) -> str | None:
        """Return the chat of a `@username` or an id, None if there is none or the account can't write to it.

        Raises MessengerError (FloodWaited, UnknownAnswer).
        """
        ...

    async def wrote_first(self, chat: str) -> bool | None:
        """Return whether the oldest message of a private chat is the other person's; a bot is always written to first.

        None if that can't be known: the chat is a group or the account's own, it has no messages, or Telegram refuses
        to show them. Raises MessengerError (FloodWaited, UnknownAnswer).
        """
        ...

    async def react(self, chat: str, message_id: int, emoji: str) -> None:
        """Show a reaction to a message, in place of an earlier one of ours. Failures raise nothing."""
        ...

    async def typing(self, chat: str) -> None:
        """Show the typing action. Failures raise nothing."""
        ...
