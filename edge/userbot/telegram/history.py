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
