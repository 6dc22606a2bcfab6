"""Recognise a stream that has lost confirmed messages: its files were damaged, or an old copy was put back."""

import structlog
from nats.js import JetStreamContext
from nats.js.api import StreamInfo

from events.jetstream.api import lost_bytes
from events.jetstream.faults import translate_errors

MAX_DETAILS = 1_000_000
"""Deleted messages up to which the server is asked for details: it lists the number of each, about 10 MB then."""


log = structlog.get_logger(__name__)


async def lack_messages(js: JetStreamContext, *buckets: str) -> bool:
    """Return whether nats-server has dropped messages of one of the buckets at its last start, and log it.

    Raises TransportError.
    """
    found = False
    for bucket in buckets:
        with translate_errors(f"bucket {bucket} could not be looked at"):
            loss = await dropped_at_start(js, await js.stream_info(f"KV_{bucket}"))
        if loss:
            log.error("topology.damaged", what=f"bucket {bucket}", error=loss)
        found = found or bool(loss)
    return found


async def dropped_at_start(js: JetStreamContext, found: StreamInfo) -> str:
    """Return what nats-server has dropped of a stream's files at its last start, empty if nothing. Raises NatsError.

    Where a block of messages is damaged, it keeps what comes before that place. A later start shows nothing any more.
    """
    if (found.state.num_deleted or 0) > MAX_DETAILS:
        return ""
    lost = await lost_bytes(js, found.config.name or "")
    return f"nats-server found a file damaged when it started, and dropped {lost} bytes of it" if lost else ""


def went_back(seen: StreamInfo, found: StreamInfo) -> str:
    """Return how a stream lacks messages that it had when it was `seen`, empty if it does not.

    With replicas another node may answer now, which has not come as far.
    """
    if found.created != seen.created or (found.config.num_replicas or 1) > 1:
        return ""
    before, now = seen.state.last_seq, found.state.last_seq
    return f"its last message was number {before}, and is number {now} now" if now < before else ""
