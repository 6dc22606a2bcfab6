"""How far durable consumers have come, so that one that is made again does not deliver everything once more."""

from dataclasses import dataclass, field
from datetime import datetime

from nats.js.api import ConsumerInfo, StreamInfo


@dataclass(frozen=True, slots=True)
class Place:
    """`made` tells a stream from one of the same name that was there before."""

    made: datetime | None
    acknowledged: int


@dataclass(slots=True)
class Places:
    """By the consumer's name, as of the last look."""

    _known: dict[str, Place] = field(default_factory=dict)

    def remember(self, stream: StreamInfo, consumer: ConsumerInfo) -> None:
        """Everything up to its acknowledgement floor is settled."""
        floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
        self._known[consumer.name] = Place(stream.created, floor)

    def next(self, stream: StreamInfo, durable: str) -> int | None:
        """The first sequence number of `stream` that may be unsettled; None: its first."""
        place = self._known.get(durable)
        if place is None or place.made != stream.created:
            return None
        return place.acknowledged + 1
