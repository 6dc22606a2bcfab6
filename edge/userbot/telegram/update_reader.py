"""Read what Telegram's updates contain, live or fetched."""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from pyrogram import raw

from edge.userbot.chat.incoming import Deleted, Message, Reactions, Typing
from edge.userbot.intake.account_updates import Gap, GroupChange, Keyed, LiveChange
from edge.userbot.telegram.incoming import chat_of, chat_token, to_edited, to_message
from edge.userbot.telegram.votes import Votes, read_change

ReadOther = Callable[[Any, Mapping[int, Any]], Keyed | None]
"""Returns what an update that is counted by `qts` contains for us, given the users that came with it."""

log = structlog.get_logger(__name__)

types: Any = raw.types
NEW = (types.UpdateNewMessage, types.UpdateNewChannelMessage)
EDITED = (types.UpdateEditMessage, types.UpdateEditChannelMessage)
BOT_REACTIONS = getattr(types, "UpdateBotMessageReaction", ())
"""What bots get; only newer layers have it."""
TYPING = (types.UpdateUserTyping, types.UpdateChatUserTyping, types.UpdateChannelUserTyping)
WRITING = (types.SendMessageTypingAction, types.SendMessageUploadPhotoAction, types.SendMessageUploadDocumentAction)
"""Actions after which a text, or a caption, is likely to come (https://core.telegram.org/type/SendMessageAction)."""


@dataclass(frozen=True, slots=True)
class UpdateReader:
    """Reads updates for one account. `names`: its current usernames. `bots`: other bots are answered.

    `votes`: those that are known.
    `read_other`: reads the updates that Telegram counts by `qts`; without it they are left out.
    """

    account: str
    names: Callable[[], Set[str]] = frozenset
    bots: bool = False
    read_other: ReadOther | None = None
    votes: Votes = field(default_factory=Votes)

    def read(self, update: Any, users: Mapping[int, Any]) -> Keyed | None:
        """Return what an update contains for us, None if nothing."""
        if self.read_other and hasattr(update, "qts"):
            return self.read_other(update, users)
        if isinstance(update, NEW):
            return self.message(update.message, users)
        if isinstance(update, EDITED):
            return self._reactions_to(update.message, users) or to_edited(self.account, update.message)
        if isinstance(update, types.UpdateDeleteMessages | types.UpdateDeleteChannelMessages):
            return Deleted(self.account, frozenset(update.messages), group_of(update))
        return self._reactions(update, users)

    def _reactions_to(self, message: Any, users: Mapping[int, Any]) -> Reactions | None:
        """Return the votes on a message of ours. Telegram may tell them by an edit, which it counts."""
        chat = chat_of(message) if isinstance(message, types.Message) and message.out else None
        return self.votes.read(self.account, chat, message.id, message.reactions, users) if chat else None

    def _reactions(self, update: Any, users: Mapping[int, Any]) -> Reactions | None:
        match update:
            case types.UpdateMessageReactions() if chat := chat_token(update.peer, update.top_msg_id):
                return self.votes.read(self.account, chat, update.msg_id, update.reactions, users)
            case _ if isinstance(update, BOT_REACTIONS) and (chat := chat_token(update.peer)):
                return read_change(self.account, update, chat, users)
        return None

    def read_all(self, updates: Iterable[Any], users: Iterable[Any]) -> list[Keyed]:
        """Return what updates contain for us, without what can't be read."""
        known = _by_id(users)
        found = (_guarded(update, partial(self.read, users=known)) for update in updates)
        return [content for content in found if content]

    def group_changes(self, updates: Iterable[Any], users: Iterable[Any]) -> list[GroupChange]:
        """Return what updates say of groups that count by themselves, without what can't be read."""
        known = _by_id(users)
        found = (_guarded(update, partial(self.group_change, users=known)) for update in updates)
        return [change for change in found if change]

    def messages(self, messages: Iterable[Any], users: Iterable[Any]) -> list[Message]:
        """Return messages in our form, without those that change nothing or can't be read."""
        known = _by_id(users)
        found = (_guarded(message, partial(self.message, users=known)) for message in messages)
        return [message for message in found if message]

    def message(self, message: Any, users: Mapping[int, Any]) -> Message | None:
        return to_message(self.account, message, users, bots=self.bots, names=self.names())

    def group_change(self, update: Any, users: Mapping[int, Any]) -> GroupChange | None:
        """Return what an update says of a supergroup or channel that counts by itself, None if nothing."""
        group = group_of(update)
        if group is None or not is_of_group(update):
            return None
        if isinstance(update, types.UpdateChannelTooLong):
            return GroupChange(group, Gap("too long", update.pts))
        if isinstance(update, types.UpdateChannel):
            return GroupChange(group, Gap("changed"))
        if hasattr(update, "pts") and hasattr(update, "pts_count"):
            return GroupChange(group, LiveChange(update.pts, update.pts_count, self.read(update, users)))
        return None


def _guarded(value: Any, read: Callable[[Any], Any]) -> Any:
    """Return what `read` makes of it. One unexpected update or message must not hold up the others."""
    try:
        return read(value)
    except Exception as error:  # noqa: BLE001 - see above
        log.warning("telegram.update_unreadable", kind=type(value).__name__, error=type(error).__name__)
        return None


def _by_id(users: Iterable[Any]) -> dict[int, Any]:
    return {user.id: user for user in users}


def is_of_group(update: Any) -> bool:
    """Return whether an update is about one supergroup or channel, which counts its changes itself."""
    return "Channel" in type(update).__name__ and group_of(update) is not None


def group_of(update: Any) -> str | None:
    """Return the supergroup or channel that an update is about, None if it is about none."""
    channel_id = getattr(update, "channel_id", None)
    peer = (
        types.PeerChannel(channel_id=channel_id)
        if channel_id
        else getattr(getattr(update, "message", None), "peer_id", None)
    )
    return str(chat_token(peer)) if isinstance(peer, types.PeerChannel) else None


def read_typing(update: Any) -> Typing | None:
    """Return who is typing where, None if it is not a user."""
    chat = chat_token(_place(update), getattr(update, "top_msg_id", None))
    writer = getattr(update, "from_id", None) or _place(update)
    if chat is None or not isinstance(writer, types.PeerUser):
        return None
    stops = isinstance(update.action, types.SendMessageCancelAction)
    if not stops and not isinstance(update.action, WRITING):
        return None
    return Typing(str(chat), str(writer.user_id), stops)


def _place(update: Any) -> Any:
    match update:
        case types.UpdateUserTyping(user_id=user_id):
            return types.PeerUser(user_id=user_id)
        case types.UpdateChatUserTyping(chat_id=chat_id):
            return types.PeerChat(chat_id=chat_id)
    return types.PeerChannel(channel_id=update.channel_id)
