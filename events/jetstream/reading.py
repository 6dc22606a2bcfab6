"""What a stream has now, read without a consumer.

Whoever may make a consumer chooses where the server delivers, with the server's rights: so the owner's tools may not.
"""

from collections.abc import Sequence
from datetime import datetime

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg

from events import subjects
from events.event import Event
from events.jetstream.faults import failed
from events.jetstream.log import event_of
from events.jetstream.walking import walk
from events.runtime.retrying import Retrying
from events.transport import Channel


async def stored(
    js: JetStreamContext, channel: Channel, filter_subject: str, *, retrying: Retrying
) -> Sequence[tuple[datetime, Event]]:
    """What the channel has under the matching subjects, and since when, oldest first. Raises TransportError."""
    found: list[RawStreamMsg] = []

    async def take(message: RawStreamMsg) -> None:
        found.append(message)

    try:
        await walk(js, subjects.stream(channel), filter_subject, take, retrying=retrying)
    except (NatsError, OSError) as error:
        raise failed(f"stream {subjects.stream(channel)} could not be read", error) from None
    found.sort(key=lambda message: message.seq or 0)
    # What was published anew meanwhile has come twice.
    newest = {message.subject: event_of(message) for message in found}
    return [(since, event) for event, since in newest.values()]
