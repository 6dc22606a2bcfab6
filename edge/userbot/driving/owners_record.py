"""Change the record of the owner's chat where another chat needs that, which it must not hold up."""

from collections.abc import Callable

import structlog

from edge.userbot.chat.record import ChatRecord, UnreadableRecord
from edge.userbot.driving.ports import Ports
from edge.userbot.storage.chats import Transition
from events.errors import TransportError
from events.faults import Fault

log = structlog.get_logger(__name__)


async def change_owners_record(
    ports: Ports, wake: Callable[[str], None], transition: Transition[ChatRecord]
) -> ChatRecord | None:
    """Return the changed record, None if there is none, or it can't be changed for good. Raises TransportError.

    `wake`: have a chat's record looked at.
    """
    owner_chat = ports.owner_chat
    if owner_chat is None:
        return None
    try:
        record = await ports.chats.change(owner_chat, transition)
    except UnreadableRecord as error:
        ports.chats.unreadable.note(owner_chat, error)
        return None
    except TransportError as error:
        if error.fault is not Fault.FINAL:
            raise
        log.error("draft.not_stored", error=str(error))
        return None
    wake(owner_chat)
    return record
