"""The dependencies of intake, drivers and replies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from edge.userbot.chat_tokens import ChatToken
from edge.userbot.driving.messenger import Messenger
from edge.userbot.memory import NO_MEMORY, Memory
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from events.runtime.retrying import Retrying
from events.schema import Sampling
from events.transport import Log
from observability.telemetry import Telemetry


class Departure(Protocol):
    """How a person leaves whose account is one of several."""

    @property
    def has_left(self) -> bool:
        """Return whether nothing may be stored about the person any more."""
        ...

    async def leave(self, since: datetime) -> bool:
        """Record that the person has left: what is stored about them is then erased. Raises TransportError.

        `since`: when they said so. Return False if they have come back later, so that it counts no more.
        """
        ...


REMEMBERED = timedelta(minutes=2)
"""A question so young when the index was lost is asked again: Telegram most likely still knows the `random_id` of its
answer, as apps repeat what they sent before a connection broke."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What intake, drivers and replies depend on. `retrying` has the clock and the random generator.

    `formatted`: show the Markdown of answers as formatting. `rules`: the owner's, as they are now. `owner_chat`: where
    the owner's commands and drafts are, None if there is none. `by_bot`: a bot sends the messages, which may have
    buttons then. `departure`: for a person who may leave, None for the account's only owner. `memory`:
    the owner's earlier exchanges.
    """

    account: str
    chats: Chats
    log: Log
    messenger: Messenger
    sampling: Sampling
    deadline: timedelta
    telemetry: Telemetry
    retrying: Retrying
    formatted: bool = True
    rules: Callable[[], Rules] = Rules
    owner_chat: str | None = None
    by_bot: bool = False
    departure: Departure | None = None
    memory: Memory = NO_MEMORY

    def are_shown(self, chat: str) -> bool:
        """Return whether Telegram shows the messages of a chat: it shows a connected bot none of the person's."""
        return chat == self.owner_chat or not (self.by_bot and self.account == self.owner_chat)

    def are_numbered_together(self, chat: str) -> bool:
        """Return whether the messages of a chat and those of the owner's chat have ids in one order.

        An account numbers the messages of all its chats together, and so does a bot; but a connected person's chats
        are numbered by the person's account, and the chat with the bot by the bot.
        """
        return self.are_shown(chat) and not ChatToken.parse(chat).is_supergroup

    def is_asked_again(self, chat: str, asked_at: datetime, restored_at: datetime) -> bool:
        """Return whether a question from before a restore is asked again without a look into its chat.

        Telegram shows no message of such a chat, but it recognises the repeat of an answer. The index may also be lost
        by itself, which must cost no question.
        """
        return not self.are_shown(chat) and restored_at - asked_at <= REMEMBERED
