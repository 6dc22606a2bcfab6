"""Convert Telegram's messages into ours, and leave out those that change nothing."""

from collections.abc import Iterable, Mapping, Set
from datetime import UTC, datetime
from typing import Any

from pyrogram import raw

from edge.userbot.chat.incoming import Edited, Incoming, Message, OwnMessage
from edge.userbot.chat_tokens import GENERAL, HIGHEST_CHANNEL, NO_TOPIC, ChatToken
from edge.userbot.people import Person

SERVICE_USERS = frozenset({777000, 489000, 333000, 42777})
"""Telegram's own accounts, which send login codes and news. Their messages are nobody's."""


def to_message(
    account: str, message: Any, users: Mapping[int, Any], *, bots: bool, names: Set[str] = frozenset()
) -> Message | None:
    """Return a message of a user or of the account itself, None for one that changes nothing."""
    if not isinstance(message, raw.types.Message):
        return None
    return _own(account, message) or to_incoming(account, message, users, bots=bots, names=names)


def _own(account: str, message: Any) -> OwnMessage | None:
    """Return a message that was sent from the account. Telegram marks those in its own chat as incoming."""
    chat = chat_of(message)
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


def to_incoming(
    account: str, message: Any, users: Mapping[int, Any], *, bots: bool, names: Set[str] = frozenset()
) -> Incoming | None:
    """Return a user's message.

    None for own and service messages, for what is written in the name of a channel or group, by Telegram's own accounts
    and its support, and, unless enabled, by bots. `names`: the account's current usernames, in lower case.
    """
    if not isinstance(message, raw.types.Message) or message.out or not message.message:
        return None
    chat = chat_of(message)
    sender = _sender(message)
    if chat is None or sender is None or str(sender) == account or sender in SERVICE_USERS:
        return None
    user = _known(users.get(sender))
    if user is not None and (user.support or (user.bot and not bots)):
        return None
    return Incoming(
        account=account,
        chat=str(chat),
        message_id=message.id,
        text=message.message,
        locale=getattr(user, "lang_code", None) or "",
        date=datetime.fromtimestamp(message.date, UTC),
        forwarded=message.fwd_from is not None,
        sender=person_of(sender, user),
        reply_to=replied(message),
        mentions_us=_mentions(message, account, names),
        by_machine=_is_by_machine(message),
    )


def to_edited(account: str, message: Any) -> Edited | None:
    """Return the new text of a user's message, None for our own and service messages."""
    if not isinstance(message, raw.types.Message) or message.out:
        return None
    chat = chat_of(message)
    return None if chat is None else Edited(account, str(chat), message.id, message.message or "")


def chat_token(peer: Any, topic: int | None = None) -> ChatToken | None:
    """Return the chat of a `Peer`. `topic`: of a forum, None for none."""
    match peer:
        case raw.types.PeerUser(user_id=user_id):
            return ChatToken(int(user_id))
        case raw.types.PeerChat(chat_id=chat_id):
            return ChatToken(-int(chat_id))
        case raw.types.PeerChannel(channel_id=channel_id):
            return ChatToken(HIGHEST_CHANNEL - int(channel_id), _topic(topic))
    return None


def chat_of(message: Any) -> ChatToken | None:
    """Return the chat of a message, None for a channel's post."""
    if message.post:
        return None
    header = message.reply_to
    is_in_topic = getattr(header, "forum_topic", None)
    return chat_token(message.peer_id, (header.reply_to_top_id or header.reply_to_msg_id) if is_in_topic else None)


def replied(message: Any) -> int | None:
    """Return the id of the message that another replies to, None if there is none in this chat.

    What replies to nothing in a topic names the message that began it
    (https://core.telegram.org/constructor/messageReplyHeader).
    """
    header = message.reply_to
    if getattr(header, "reply_to_peer_id", None) or _is_only_in_topic(header):
        return None
    return getattr(header, "reply_to_msg_id", None)


def active_names(one: str | None, several: Iterable[Any] | None) -> frozenset[str]:
    """Return the usernames that are in use, in lower case: the ordinary one, and those of a list."""
    active = [name.username for name in several or () if name.active]
    return frozenset(name.lower() for name in (one, *active) if name)


def _known(user: Any) -> Any:
    """Return None for a user of whom Telegram shows nothing."""
    return None if isinstance(user, raw.types.UserEmpty) else user


def person_of(user_id: int, user: Any) -> Person:
    """Return a sender. A partial (`min`) user, as groups show them, does not say whether it is a contact."""
    if user is None:
        return Person(id=str(user_id), contact=None)
    return Person(
        id=str(user_id),
        usernames=active_names(user.username, user.usernames),
        name=" ".join(filter(None, (user.first_name, user.last_name))),
        contact=None if user.min else bool(user.contact),
    )


def _topic(topic: int | None) -> int:
    return topic if topic and topic != GENERAL else NO_TOPIC


def _is_only_in_topic(header: Any) -> bool:
    """Return whether a header only says in which topic a message is."""
    return bool(getattr(header, "forum_topic", None)) and header.reply_to_top_id in (None, header.reply_to_msg_id)


def _sender(message: Any) -> int | None:
    """Return the sender's id. Private chats may leave it out: it is the id of the chat."""
    author = message.from_id or message.peer_id
    return int(author.user_id) if isinstance(author, raw.types.PeerUser) else None


def _mentions(message: Any, account: str, names: Set[str]) -> bool:
    """Return whether a message names the account, by a username or a link (https://core.telegram.org/api/mentions)."""
    for entity in message.entities or ():
        match entity:
            case raw.types.MessageEntityMention():
                if _cut(message.message, entity).removeprefix("@").lower() in names:
                    return True
            case raw.types.MessageEntityMentionName():
                if str(entity.user_id) == account:
                    return True
    return False


def _cut(text: str, entity: Any) -> str:
    """Return the part of a text that an entity is about. Its place is in UTF-16 units."""
    units = text.encode("utf-16-le", errors="surrogatepass")
    return units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le", errors="replace")


def _is_by_machine(message: Any) -> bool:
    """Return whether an inline bot, a connected bot or a greeting by itself has written in a person's name."""
    return any(getattr(message, field, None) for field in ("via_bot_id", "via_business_bot_id", "offline"))
