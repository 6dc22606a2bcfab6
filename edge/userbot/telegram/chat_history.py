"""Read dialogs and chat histories in pages, and find our own messages in them.

Every coroutine raises what `TelegramApi.invoke` raises. Telegram refuses dialogs and histories to bots.
"""

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from pyrogram import raw

from edge.userbot.chat_tokens import NO_TOPIC
from edge.userbot.telegram.api import CallsTelegram
from edge.userbot.telegram.incoming import chat_of, replied
from edge.userbot.text import visible

DIALOG_PAGE = 100
"""Dialogs a call."""
PAGE = 100
"""Messages a call."""
OLDEST_READ = 20
"""Messages at the beginning of a chat."""
IDS_A_CALL, CALLS_FOR_OWN = 100, 5
"""A bot searches the ids after a message for replies to it: so many ids a call, in so many calls."""


async def dialog_pages(api: CallsTelegram) -> AsyncIterator[Any]:
    """Yield pages of the account's dialogs: pinned ones first, then the most recent."""
    no_peer = raw.types.InputPeerEmpty()
    offset: dict[str, Any] = {"offset_date": 0, "offset_id": 0, "offset_peer": no_peer}
    while True:
        page = await api.invoke(raw.functions.messages.GetDialogs(limit=DIALOG_PAGE, hash=0, **offset))
        yield page
        last = next((top for dialog, top in reversed(dialog_tops(page)) if not dialog.pinned), None)
        if last is None or not isinstance(page, raw.types.messages.DialogsSlice):
            return
        offset = {"offset_date": last.date, "offset_id": last.id, "offset_peer": no_peer}


def dialog_tops(page: Any) -> list[tuple[Any, Any]]:
    """Return a page's dialogs that have messages, each with its newest one."""
    messages = {(repr(message.peer_id), message.id): message for message in page.messages if hasattr(message, "date")}
    found = [(dialog, messages.get((repr(dialog.peer), dialog.top_message))) for dialog in page.dialogs]
    return [(dialog, top) for dialog, top in found if top is not None]


async def newest_messages(api: CallsTelegram, peer: Any, *, limit: int, topic: int = NO_TOPIC) -> list[Any]:
    """Return at most `limit` messages of a chat, or of a forum's topic, the newest first."""
    query = _history(peer, topic, offset_id=0, limit=limit)
    return list(getattr(await api.invoke(query), "messages", []))


async def messages_since(api: CallsTelegram, peer: Any, since: datetime) -> tuple[list[Any], list[Any]]:
    """Return a chat's messages from `since` on, the newest first, and the users who are shown with them."""
    found: list[Any] = []
    users: dict[int, Any] = {}
    while True:
        query = _history(peer, offset_id=found[-1].id if found else 0, limit=PAGE)
        answer = await api.invoke(query)
        page = list(getattr(answer, "messages", []))
        users |= {user.id: user for user in getattr(answer, "users", [])}
        found += page
        if not page or date_of(page[-1]) < since:
            return [message for message in found if date_of(message) >= since], list(users.values())


async def messages_after(
    api: CallsTelegram, peer: Any, message_id: int, *, limit: int, topic: int = NO_TOPIC
) -> list[Any]:
    """Return the first messages after `message_id`, fewer than `limit`, the newest first."""
    query = _history(peer, topic, offset_id=message_id, add_offset=-limit, limit=limit)
    page = getattr(await api.invoke(query), "messages", [])
    return [message for message in page if message.id > message_id]


async def oldest_message(api: CallsTelegram, peer: Any) -> Any:
    """Return a chat's oldest message that somebody wrote, None if there is none among the first `OLDEST_READ`.

    Telegram begins the chat with a contact who has just signed up with a service message from them.
    """
    query = _history(peer, offset_id=1, add_offset=-OLDEST_READ, limit=OLDEST_READ)
    page = getattr(await api.invoke(query), "messages", [])
    return next((message for message in reversed(page) if isinstance(message, raw.types.Message)), None)


async def messages_by_id(api: CallsTelegram, peer: Any, chat: str, message_id: int) -> list[Any]:
    """Return a chat's messages with ids right after `message_id`, for a bot.

    A supergroup has ids of its own; all other chats of the bot share theirs.
    """
    found: list[Any] = []
    for call in range(CALLS_FOR_OWN if message_id else 0):
        first = message_id + 1 + call * IDS_A_CALL
        page = getattr(await api.invoke(_by_ids(peer, range(first, first + IDS_A_CALL))), "messages", [])
        there = [message for message in page if isinstance(message, raw.types.Message)]
        if not there:
            break
        found += [message for message in there if str(chat_of(message)) == chat]
    return found


def _by_ids(peer: Any, ids: Iterable[int]) -> Any:
    wanted: list[Any] = [raw.types.InputMessageID(id=id_) for id_ in ids]
    if isinstance(peer, raw.types.InputPeerChannel):
        return raw.functions.channels.GetMessages(channel=input_channel(peer), id=wanted)
    return raw.functions.messages.GetMessages(id=wanted)


def input_channel(peer: Any) -> Any:
    """Return the address of a supergroup as its own methods take it."""
    return raw.types.InputChannel(channel_id=peer.channel_id, access_hash=peer.access_hash)


def _history(peer: Any, topic: int = NO_TOPIC, *, offset_id: int, limit: int, add_offset: int = 0) -> Any:
    """Return the call for a page of messages of a chat (https://core.telegram.org/api/offsets), or of a topic."""
    page = {"offset_id": offset_id, "offset_date": 0, "add_offset": add_offset, "limit": limit}
    if topic:
        return raw.functions.messages.GetReplies(peer=peer, msg_id=topic, **page, max_id=0, min_id=0, hash=0)
    return raw.functions.messages.GetHistory(peer=peer, **page, max_id=0, min_id=0, hash=0)


def date_of(message: Any) -> datetime:
    return datetime.fromtimestamp(getattr(message, "date", 0), UTC)


def has_outcome(ours: list[Any], question: int, thinking: Collection[str] | None) -> bool:
    """Return whether one of `ours`, messages of this account, is the outcome of the message `question`.

    That is a reply to one of our replies to it. A direct reply is one too unless it is a line of `thinking`; with
    `thinking` None, no direct reply counts.
    """
    direct = [message for message in ours if replied(message) == question]
    lines = {visible(line) for line in thinking or ()}
    if thinking is not None and any(visible(message.message) not in lines for message in direct):
        return True
    return not {message.id for message in direct}.isdisjoint(map(replied, ours))


def written_by_us(messages: Iterable[Any], *, own_chat: bool) -> list[Any]:
    """Return the messages that were sent from this account; service messages, e.g. about a call, are not.

    Telegram does not mark those in the own chat, Saved Messages, as outgoing. What was forwarded there is not ours.
    """
    texts = [message for message in messages if isinstance(message, raw.types.Message)]
    return [message for message in texts if (not message.fwd_from if own_chat else message.out)]


def is_same(message: Any, text: str, reply_to: int | None) -> bool:
    """Return whether `message` has this text and replies to `reply_to`, or to none as that was deleted."""
    if visible(message.message) != visible(text):
        return False
    target = replied(message)
    return target == reply_to or (target is None and reply_to is not None and message.id > reply_to)
