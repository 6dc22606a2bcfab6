"""Leave a group alone for a while in which Telegram takes none of our messages."""

import structlog

from edge.userbot.chat.record import UnreadableRecord
from edge.userbot.chat.restrictions import REST, leave_alone
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.dropped import report_dropped
from edge.userbot.driving.ports import Ports

log = structlog.get_logger(__name__)


async def leave_group_alone(ports: Ports, chat: str, why: str) -> None:
    """Pause a chat, so that no answers are prepared there in vain. Raises TransportError while the store is away."""
    now = ports.retrying.clock.now()
    try:
        decision = await ports.chats.change(chat, lambda record: leave_alone(record, now))
    except UnreadableRecord:
        return
    report_dropped(ports, chat, decision.dropped, decision.effect)
    if decision.effect is Effect.RESTRICTED:
        log.warning("group.left_alone", chat=chat, seconds=REST.total_seconds(), error=why)
