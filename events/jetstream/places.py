"""How far durable consumers have come, so that a recreated one does not deliver everything again."""

from dataclasses import dataclass, field
from datetime import datetime

from nats.js.api import ConsumerInfo, StreamInfo


@dataclass(frozen=True, slots=True)
class Place:
    """`made` tells a stream from an earlier one of the same name."""

    made: datetime | None
    acknowledged: int


@dataclass(slots=True)
class Places:
    """The last known place of each consumer, by its name."""

    _known: dict[str, Place] = field(default_factory=dict)

    def remember(self, stream: StreamInfo, consumer: ConsumerInfo) -> None:
        """Note the consumer's acknowledgement floor: everything up to it is settled."""
        floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
        self._known[consumer.name] = Place(stream.created, floor)

    def next(self, stream: StreamInfo, durable: str, *, unknown: datetime | None) -> int | datetime | None:
        """Return where a recreated consumer must start: a sequence number, a time, or None for the stream's beginning.

        `unknown` is returned for a consumer that was never seen.
        """
        place = self._known.get(durable)
        if place is None:
            return unknown
        return place.acknowledged + 1 if place.made == stream.created else None
