"""The account's dialogs, a page at a time: the most recent first, after those that are pinned."""

from collections.abc import AsyncIterator
from typing import Any

from pyrogram import raw

from edge.userbot.telegram.calls import Calls

PAGE = 100
"""As many dialogs as one call brings."""


async def pages(calls: Calls) -> AsyncIterator[Any]:
    """Yield what `messages.getDialogs` answers until there is no more. Raises what `Calls.invoke` raises."""
    nobody = raw.types.InputPeerEmpty()
    offset: dict[str, Any] = {"offset_date": 0, "offset_id": 0, "offset_peer": nobody}
    while True:
        page = await calls.invoke(raw.functions.messages.GetDialogs(limit=PAGE, hash=0, **offset))
        yield page
        last = next((top for dialog, top in reversed(tops(page)) if not dialog.pinned), None)
        if last is None or not isinstance(page, raw.types.messages.DialogsSlice):
            return
        offset = {"offset_date": last.date, "offset_id": last.id, "offset_peer": nobody}


def tops(page: Any) -> list[tuple[Any, Any]]:
    """Return a page's dialogs, each with its newest message, but for those that have none."""
    messages = {(repr(message.peer_id), message.id): message for message in page.messages if hasattr(message, "date")}
    found = [(dialog, messages.get((repr(dialog.peer), dialog.top_message))) for dialog in page.dialogs]
    return [(dialog, top) for dialog, top in found if top is not None]
