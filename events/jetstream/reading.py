"""Reading streams without a durable place in them: what they have now, and what comes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from events import subjects
from events.errors import TransportError
from events.event import Event
from events.jetstream.configs import ACK_WAIT
from events.jetstream.faults import failed
from events.jetstream.subscription import JetStreamSubscription
from events.transport import MAX_FETCH_WAIT, Channel

BATCH = 256
MAX_IDLE = timedelta(seconds=30)
"""A consumer of ours that nobody asks any more is removed by the server after this."""


async def stored(
    js: JetStreamContext, channel: Channel, filter_subject: str, *, random: Random
) -> Sequence[tuple[datetime, Event]]:
    """What the channel has under the matching subjects, and since when, oldest first. Raises TransportError."""
    found: list[tuple[datetime, Event]] = []
    try:
        consumer, left = await _consumer(js, channel, filter_subject, AckPolicy.NONE, random)
        subscription = await JetStreamSubscription.bind(js, channel, consumer, random=random)
        while left > 0:
            deliveries = await subscription.fetch(min(BATCH, left), MAX_FETCH_WAIT)
            if not deliveries:
                raise TransportError(f"{subjects.stream(channel)} could not be read to its end; try again")
            found += [(delivery.published_at, delivery.event) for delivery in deliveries]
            left -= len(deliveries)
        await subscription.close()
    except (NatsError, OSError) as error:
        raise failed(f"stream {subjects.stream(channel)} could not be read", error) from None
    return found


async def following(
    js: JetStreamContext, channel: Channel, filter_subject: str, *, random: Random
) -> JetStreamSubscription:
    """Everything under the matching subjects, for this process alone. Raises TransportError."""
    try:
        consumer, _ = await _consumer(js, channel, filter_subject, AckPolicy.EXPLICIT, random)
        return await JetStreamSubscription.bind(js, channel, consumer, random=random)
    except (NatsError, OSError) as error:
        raise failed(f"stream {subjects.stream(channel)} could not be followed", error) from None


async def _consumer(
    js: JetStreamContext, channel: Channel, filter_subject: str, acks: AckPolicy, random: Random
) -> tuple[str, int]:
    """Its name, and how many messages it has now."""
    config = ConsumerConfig(
        name=f"{random.getrandbits(128):032x}",
        filter_subject=filter_subject,
        ack_policy=acks,
        ack_wait=ACK_WAIT.total_seconds(),
        inactive_threshold=MAX_IDLE.total_seconds(),
    )
    made = await js.add_consumer(subjects.stream(channel), config)
    return made.name, made.num_pending or 0
