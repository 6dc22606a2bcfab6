"""How events travel: the promises that memory, JetStream and RabbitMQ make alike (tests/transports)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from events.event import Event
from events.ids import RequestId

MAX_FETCH_WAIT = timedelta(seconds=1)
"""A pull request dies with the server and waits out its own timeout, so it must be short."""


class Channel(StrEnum):
    """Where an event goes. Inside a channel it is addressed by its request id."""

    REQUESTS = "requests"
    REPLIES = "replies"
    DEADLETTERS = "deadletters"


class Published(StrEnum):
    STORED = "stored"
    ALREADY_THERE = "already_there"


class Delivery(Protocol):
    """One event in hand. Settle it once, with `ack`, `retry` or `discard`; unsettled it comes again."""

    @property
    def event(self) -> Event: ...

    @property
    def attempt(self) -> int:
        """1 the first time."""
        ...

    @property
    def published_at(self) -> datetime: ...

    async def extend(self) -> None:
        """Still working: start the lease anew."""
        ...

    async def ack(self) -> None:
        """Done, confirmed by the broker."""
        ...

    async def retry(self, delay: timedelta) -> None:
        """Deliver again, not before `delay` has passed."""
        ...

    async def discard(self) -> None:
        """Never deliver again."""
        ...


class Subscription(Protocol):
    """A durable place in a channel, shared by everyone who names it."""

    @property
    def lease(self) -> timedelta:
        """How long an unsettled delivery stays with its receiver."""
        ...

    async def leave(self) -> None:
        """Take nothing more, and hand back what nobody has fetched; what is in hand can be settled. Never raises."""
        ...

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[Delivery]:
        """At most `limit` deliveries; none if nothing came within `timeout` or the broker is away."""
        ...


class Publisher(Protocol):
    async def publish(self, channel: Channel, event: Event) -> Published:
        """Return once the broker has stored the event. Raises TransportError: publish the same event again."""
        ...


class Progress(Protocol):
    async def publish(self, event: Event) -> None:
        """Whoever listens hears it; nothing is stored, and it may be lost."""
        ...


class Log(Publisher, Protocol):
    """A publisher that keeps what it was given: one event a request id and channel."""

    async def find(self, channel: Channel, request_id: RequestId) -> Event | None:
        """What is stored under the id."""
        ...

    async def erase(self, channel: Channel, request_id: RequestId) -> None:
        """Overwrite what is stored under the id, if anything is."""
        ...

    async def erase_chat(self, account: str, chat: str, *, up_to: int) -> int:
        """Overwrite what one chat has in every channel, up to message `up_to`; how many events that were.

        What is about no numbered message goes too.
        """
        ...
