"""Where a message of our own can be: among the chat's newest, or, for a bot, among the ids after another message."""

from collections.abc import Collection
from typing import Any

from pyrogram import raw

from edge.userbot.telegram import history
from edge.userbot.telegram.calls import Calls

HISTORY_LOOKED_THROUGH = 50
"""How many of the chat's newest messages a resumed delivery looks through for its own."""
IDS_A_CALL, CALLS_FOR_OWN = 100, 5
"""A bot looks through so many ids after the message that its own would reply to."""


async def newest(calls: Calls, peer: Any) -> list[Any]:
    """The chat's newest messages, the last one first. Raises what `Calls.invoke` raises, as `after` does."""
    return await history.page(calls, peer, limit=HISTORY_LOOKED_THROUGH)


async def after(calls: Calls, chat: str, message_id: int) -> list[Any]:
    """The private chat's messages whose ids follow on `message_id`: a bot may ask for ids, which its chats share."""
    found: list[Any] = []
    if not message_id or int(chat) < 0:
        return found
    for call in range(CALLS_FOR_OWN):
        first = message_id + 1 + call * IDS_A_CALL
        ids: list[Any] = [raw.types.InputMessageID(id=id_) for id_ in range(first, first + IDS_A_CALL)]
        page = getattr(await calls.invoke(raw.functions.messages.GetMessages(id=ids)), "messages", [])
        there = [message for message in page if isinstance(message, raw.types.Message)]
        if not there:
            break
        found += [message for message in there if getattr(message.peer_id, "user_id", None) == int(chat)]
    return found


async def following(calls: Calls, peer: Any, message_id: int) -> list[Any]:
    """The chat's messages after `message_id`."""
    return await history.following(calls, peer, message_id, limit=HISTORY_LOOKED_THROUGH)


def has_outcome(messages: list[Any], question: int, thinking: Collection[str] | None) -> bool:
    """Whether one of our own `messages` is the outcome of the message `question`.

    That is a reply to a reply to it, or a reply that is none of the lines of `thinking`; without those no direct one.
    """
    ours = [message for message in messages if _is_written_by_us(message)]
    direct = [message for message in ours if _replied(message) == question]
    lines = {_visible(line) for line in thinking or ()}
    if thinking is not None and any(_visible(message.message) not in lines for message in direct):
        return True
    return not {message.id for message in direct}.isdisjoint(map(_replied, ours))


def is_ours(message: Any, text: str, reply_to: int | None) -> bool:
    """Whether `message` is our own with this text, and was sent as this reply, or without it after that had gone."""
    if not _is_written_by_us(message) or _visible(message.message) != _visible(text):
        return False
    replied = _replied(message)
    return replied == reply_to or (replied is None and reply_to is not None and message.id > reply_to)


def _is_written_by_us(message: Any) -> bool:
    """A call, or a message that was pinned, is in the chat as well, and has no text."""
    return isinstance(message, raw.types.Message) and bool(message.out)


def _replied(message: Any) -> int | None:
    return getattr(message.reply_to, "reply_to_msg_id", None)


def _visible(text: str) -> str:
    """What Telegram keeps of white space, and of what can't be seen, is its own affair."""
    return "".join(char for char in text if char.isprintable() and not char.isspace())
