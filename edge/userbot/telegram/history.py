"""The messages of one chat, a page at a time. Telegram refuses this to bots."""

from typing import Any

from pyrogram import raw

from edge.userbot.telegram.calls import Calls


async def page(calls: Calls, peer: Any, *, limit: int, before: int = 0) -> list[Any]:
    """Return at most `limit` messages, the last one first; with `before` older ones than that message.

    Raises what `Calls.invoke` raises.
    """
    query = raw.functions.messages.GetHistory(
        peer=peer, offset_id=before, offset_date=0, add_offset=0, limit=limit, max_id=0, min_id=0, hash=0
    )
    return list(getattr(await calls.invoke(query), "messages", []))


async def following(calls: Calls, peer: Any, message_id: int, *, limit: int) -> list[Any]:
    """Return the messages after that one, the last one first: of all of them the oldest, fewer than `limit`.

    Raises what `Calls.invoke` raises.
    """
    query = raw.functions.messages.GetHistory(
        peer=peer, offset_id=message_id, offset_date=0, add_offset=-limit, limit=limit, max_id=0, min_id=0, hash=0
    )
    page = getattr(await calls.invoke(query), "messages", [])
    return [message for message in page if message.id > message_id]
