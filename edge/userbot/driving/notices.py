"""Add notices of our own accord to the owner's chat."""

from collections.abc import Callable

from edge.userbot.chat.own_messages import add_notice
from edge.userbot.chat.record import ChatRecord, Notice, UnreadableRecord
from edge.userbot.driving.ports import Ports


async def add_own_notice(ports: Ports, wake: Callable[[str], None], chat: str, notice: Notice) -> None:
    """Add `notice`, which has a key, to a chat's record unless it is there. Raises TransportError.

    If the record can't be read, there is none. `wake`: have a chat's record looked at.
    """

    def add(record: ChatRecord) -> ChatRecord:
        return record if notice in record.notices else add_notice(record, notice)

    try:
        await ports.chats.change(chat, add)
    except UnreadableRecord as error:
        ports.chats.unreadable.note(chat, error)
    else:
        wake(chat)
