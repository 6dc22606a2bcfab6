"""Convert Telegram's messages into ours, and leave out those that change nothing."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pyrogram import raw

from edge.userbot.chat.incoming import Incoming, Message, OwnMessage
from edge.userbot.people import Person

CHANNEL_BASE = -1_000_000_000_000
"""Channels and supergroups have ids from here down, as in the Bot API and pyrogram."""


def to_message(account: str, message: Any, users: Mapping[int, Any], *, groups: bool, bots: bool) -> Message | None:
    """Return a message of a user or of the account itself, None for one that changes nothing."""
    if not isinstance(message, raw.types.Message):
        return None
    return _own(account, message, groups=groups) or to_incoming(account, message, users, groups=groups, bots=bots)


def _own(account: str, message: Any, *, groups: bool) -> OwnMessage | None:
    """Return a message that was sent from the account. Telegram marks those in its own chat as incoming."""
    chat = _chat(message, groups=groups)
    if chat is None or not (message.out or str(chat) == account):
        return None
    return OwnMessage(
        account=account,
        chat=str(chat),
        message_id=message.id,
        # What is forwarded are not the owner's words.
        text="" if message.fwd_from else message.message or "",
        date=datetime.fromtimestamp(message.date, UTC),
        reply_to=replied(message),
    )


def to_incoming(account: str, message: Any, users: Mapping[int, Any], *, groups: bool, bots: bool) -> Incoming | None:
    """Return a user's message. None for own and service messages, channels, and unless enabled for groups and bots."""
    if not isinstance(message, raw.types.Message) or message.out or not message.message:
        return None
    chat = _chat(message, groups=groups)
    sender = _sender(message)
    if chat is None or sender is None or str(sender) == account:
        return None
    user = _known(users.get(sender))
    if user is not None and user.bot and not bots:
        return None
    return Incoming(
        account=account,
        chat=str(chat),
        message_id=message.id,
        text=message.message,
        locale=getattr(user, "lang_code", None) or "",
        date=datetime.fromtimestamp(message.date, UTC),
        forwarded=message.fwd_from is not None,
        sender=_person(sender, user),
        reply_to=replied(message),
    )


def replied(message: Any) -> int | None:
    """Return the id of the message that another replies to, None if there is none in this chat."""
    header = message.reply_to
    elsewhere = getattr(header, "reply_to_peer_id", None)
    return None if elsewhere else getattr(header, "reply_to_msg_id", None)


def active_names(one: str | None, several: Iterable[Any] | None) -> frozenset[str]:
    """Return the usernames that are in use, in lower case: the ordinary one, and those of a list."""
    active = [name.username for name in several or () if name.active]
    return frozenset(name.lower() for name in (one, *active) if name)


def _known(user: Any) -> Any:
    """Return None for a user of whom Telegram shows nothing."""
    return None if isinstance(user, raw.types.UserEmpty) else user


def _person(user_id: int, user: Any) -> Person:
    """Return a sender. A partial (`min`) user does not say whether it is a contact."""
    if user is None:
        return Person(id=str(user_id))
    return Person(
        id=str(user_id),
        usernames=active_names(user.username, user.usernames),
        name=" ".join(filter(None, (user.first_name, user.last_name))),
        contact=bool(user.contact) and not user.min,
    )


def _chat(message: Any, *, groups: bool) -> int | None:
    match message.peer_id:
        case raw.types.PeerUser(user_id=user_id):
            return int(user_id)
        case raw.types.PeerChat(chat_id=chat_id) if groups:
            return -int(chat_id)
        case raw.types.PeerChannel(channel_id=channel_id) if groups and not message.post:
            return CHANNEL_BASE - int(channel_id)
    return None


def _sender(message: Any) -> int | None:
    """Return the sender's id. Private chats may leave it out: it is the id of the chat."""
    author = message.from_id or message.peer_id
    return int(author.user_id) if isinstance(author, raw.types.PeerUser) else None
