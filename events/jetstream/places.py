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

    def next(self, stream: StreamInfo, durable: str, *, unknown: datetime | None) -> int | datetime | None:
        """Where `stream` may hold something unsettled: from a sequence number or a time on; None: from its beginning.

        `unknown` is for a consumer that was never seen.
        """
        place = self._known.get(durable)
        if place is None:
            return unknown
        return place.acknowledged + 1 if place.made == stream.created else None
