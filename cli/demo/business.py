"""The demo's chat with a bot that the owner has connected: it answers as the owner, and talks to them as itself."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cli.demo.chat import POLL
from cli.demo.owner import BY_HAND, ChatWithOwner
from cli.demo.terminal import labelled, with_formatting
from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from events.errors import SettingsError

IN_SETTINGS = ">>>"
"""What lines start with that are acts of the owner in Telegram's settings."""
CONNECT, NO_REPLY, DISCONNECT = ACTS = "connect", "no reply", "disconnect"
HOW = (
    "the owner has connected a bot, which answers as the owner; you are the guest; a line that starts with > is the"
    " owner's, to the bot: > /status, > /pause all, > + to send a draft (with --owner), > /disconnect; with >> the"
    " owner writes to the guest; >>> no reply, >>> disconnect, >>> connect: what the owner does in Telegram's settings"
)
PATIENCE = timedelta(seconds=5)
"""How long to wait for a word to the owner while the guest gets no answers."""


def require_business() -> None:
    """Raise SettingsError if the installed client does not know business connections."""
    if not HAS_BUSINESS:
        raise SettingsError(
            "pyrogram knows no business connections, kurigram does: run `make demo CLIENT=kurigram ARGS=--business`"
        )


def add_bot(telegram: Sandbox, owner: Account) -> Account:
    """Add a bot that the owner has written to, but not connected yet."""
    bot = telegram.add_user(first_name="Помощник", username="timokha_bot", bot=True, business=True)
    bot.met.add(owner.id)
    return bot


@dataclass(kw_only=True)
class ChatWithBusiness(ChatWithOwner):
    """A demo's chat in which the owner also writes to the bot, and changes what it may do."""

    bot: int
    is_on: bool = False
    """Whether the guest gets answers."""
    _since: float = field(default=0.0)
    """When the last line was said, on the clock's monotonic time."""

    def is_question(self, text: str) -> bool:
        return self.is_on and super().is_question(text)

    def connect(self, *, can_reply: bool = True) -> None:
        """Connect the bot in the owner's name, or change what it may do."""
        self.telegram.connect_business(self.owner, self.bot, can_reply=can_reply)
        self.is_on = can_reply

    async def say(self, text: str) -> int:
        await self._until_known()
        self._since = self.clock.monotonic()
        if not text.startswith(IN_SETTINGS):
            return await super().say(text)
        act = text.removeprefix(IN_SETTINGS).strip()
        self.show(labelled("owner>>> ", act))
        if act not in ACTS:
            self.show(f"there is no such act; there are {', '.join(ACTS)}")
        self._change(act)
        return 0

    async def _until_known(self) -> None:
        """Wait until the bot knows of its first connection, which is counted apart from messages to it."""
        while not await self.chats.index.is_complete():
            await self.clock.sleep(POLL)

    async def show_outcome(self, text: str, message_id: int) -> None:
        if text.startswith(IN_SETTINGS):
            await self.refresh()
        else:
            await super().show_outcome(text, message_id)

    def _change(self, act: str) -> None:
        if act == DISCONNECT and self.owner in self.telegram.state.business.connections:
            self.telegram.disconnect_business(self.owner)
            self.is_on = False
        elif act in {CONNECT, NO_REPLY}:
            self.connect(can_reply=act == CONNECT)

    @property
    def _place(self) -> int:
        return self.bot

    def _shown_to_owner(self, message: StoredMessage) -> str:
        buttons = "".join(f" [{label}]" for label in _labels(message.markup))
        return labelled("@bot> ", with_formatting(message.text, message.entities) + buttons)

    def _as_the_edge_knows(self, sent: StoredMessage) -> int:
        """Return the id of the bot's copy."""
        return self._copy(self.bot, self.owner, sent.key)

    def _as_the_owner_sees(self, message_id: int) -> int:
        """Return the id of the owner's copy of a message of the bot's chat."""
        keys = [message.key for message in self.telegram.messages(self.bot, self.owner) if message.id == message_id]
        return self._copy(self.owner, self.bot, keys[0]) if keys else 0

    def _copy(self, user: int, peer: int, key: int) -> int:
        return next((message.id for message in self.telegram.messages(user, peer) if message.key == key), 0)

    async def _order(self, text: str) -> int:
        if text.split(maxsplit=1)[0] == "/disconnect":
            self.is_on = False
        return await super()._order(text)

    async def _is_settled(self, text: str, message_id: int) -> bool:
        # Without a connection the owner's record may be erased, or not be there.
        if not self.is_on and not text.startswith(BY_HAND):
            return await self._is_quiet()
        return await super()._is_settled(text, message_id)

    async def _is_quiet(self) -> bool:
        """Return whether the owner was told something, or it is too late for that."""
        before = self._progress
        await self.refresh()
        return self._progress != before or self.clock.monotonic() - self._since > PATIENCE.total_seconds()


def _labels(markup: Any) -> list[str]:
    return [button.text for row in getattr(markup, "rows", None) or () for button in row.buttons]
