"""How events travel: what memory, JetStream and RabbitMQ all guarantee (tests/transports)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from events.event import Event
from events.ids import RequestId

MAX_FETCH_WAIT = timedelta(seconds=1)
"""A pull request that is lost with its server still waits for its own timeout, so that must be short."""


class Channel(StrEnum):
    """Where an event goes. Within a channel its address is its request id, in FEEDBACK together with the reader."""

    REQUESTS = "requests"
    REPLIES = "replies"
    DEADLETTERS = "deadletters"
    FEEDBACK = "feedback"


ANSWERING = (Channel.REQUESTS, Channel.REPLIES, Channel.DEADLETTERS)
"""What it takes to answer questions: generate functions and bridges know no other channel."""


class Published(StrEnum):
    """What publishing an event has done."""

    STORED = "stored"
    ALREADY_THERE = "already_there"


class Delivery(Protocol):
    """One event to be settled once, with `ack`, `retry` or `discard`; otherwise it is delivered again."""

    @property
    def event(self) -> Event: ...

    @property
    def attempt(self) -> int:
        """The number of this delivery, from 1."""
        ...

    @property
    def published_at(self) -> datetime: ...

    async def age(self) -> timedelta | None:
        """Return how long ago the event was published, by the broker's clock; None if the broker does not tell.

        Raises TransportError.
        """
        ...

    async def extend(self) -> None:
        """Renew the lease: the work goes on."""
        ...

    async def ack(self) -> None:
        """Acknowledge the event, and return when the broker has confirmed that."""
        ...

    async def retry(self, delay: timedelta) -> None:
        """Have the event delivered again after `delay`."""
        ...

    async def discard(self) -> None:
        """Have the event never delivered again."""
        ...


class Subscription(Protocol):
    """A durable position in a channel, shared by all processes that use its name."""

    @property
    def lease(self) -> timedelta:
        """How long a delivery is reserved for its receiver."""
        ...

    async def leave(self, *, last_attempt: int) -> Sequence[Delivery]:
        """Stop receiving and return unfetched deliveries; fetched ones can still be settled. Never raises.

        Each return counts as an attempt. Those for which this is attempt `last_attempt` or a later one are therefore
        not returned but become the result: nobody would handle them afterwards.
        """
        ...

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[Delivery]:
        """Return at most `limit` deliveries; none if none came within `timeout` or the broker is away."""
        ...


class Publisher(Protocol):
    """Stores events in channels."""

    async def publish(self, channel: Channel, event: Event) -> Published:
        """Return when the broker has stored the event. After a TransportError publish the same event again."""
        ...


class Progress(Protocol):
    """Sends partial answers to processes that listen now."""

    async def publish(self, event: Event) -> None:
        """Send `event` to the listeners. It is not stored and may be lost."""
        ...


class Log(Publisher, Protocol):
    """A publisher that stores one event for each request id and channel; the first one stays.

    FEEDBACK stores one for each request id and reader, and the newest replaces those before it.
    """

    async def find(self, channel: Channel, request_id: RequestId) -> Event | None:
        """Return the event stored under the id, if any; of several the newest."""
        ...

    async def erase(self, channel: Channel, request_id: RequestId) -> None:
        """Overwrite what is stored under the id, if anything."""
        ...

    async def erase_chat(self, account: str, chat: str, *, up_to: int) -> int:
        """Overwrite a chat's events in every channel up to message `up_to`; return how many.

        Events whose message has no number are overwritten too.
        """
        ...

    async def erase_account(self, account: str) -> int:
        """Overwrite all events of an account in every channel; return how many."""
        ...
