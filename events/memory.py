"""The transport, records and marks in memory, for tests and for replaying without brokers."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from events.errors import Conflict
from events.event import NATS_PREFIX, Event, from_headers, to_headers
from events.ids import RequestId
from events.records import LONG_AGO, Stored, Take
from events.runtime.clock import Clock
from events.runtime.retrying import Retrying
from events.subjects import destination, subject_of
from events.transport import Channel, Published


class MemoryLog:
    """Implements `events.transport.Log`; `subscribe` returns its subscriptions."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._stored: dict[Channel, dict[str, Event]] = {channel: {} for channel in Channel}
        self._queues: dict[tuple[Channel, str], MemorySubscription] = {}

    def subscribe(self, channel: Channel, durable: str, *, lease: timedelta) -> "MemorySubscription":
        """Return the shared subscription named `durable`; a new one starts with the channel's first event."""
        key = (channel, durable)
        if key not in self._queues:
            self._queues[key] = MemorySubscription(lease, clock=self._clock)
            for event in self._stored[channel].values():
                self._queues[key].put(event)
        return self._queues[key]

    async def publish(self, channel: Channel, event: Event) -> Published:
        key = subject_of(channel, event).removeprefix(f"{destination(channel)}.")
        if key in self._stored[channel] and channel is not Channel.FEEDBACK:
            return Published.ALREADY_THERE
        # Encode and decode, so that an event loses here what it would lose over a broker.
        event = from_headers(to_headers(event, NATS_PREFIX), event.body, NATS_PREFIX, place=str(event.request_id))
        self._stored[channel].pop(key, None)  # the newest is the last one
        self._stored[channel][key] = event
        for (subscribed, _), queue in self._queues.items():
            if subscribed is channel:
                queue.put(event)
        return Published.STORED

    async def find(self, channel: Channel, request_id: RequestId) -> Event | None:
        if channel is not Channel.FEEDBACK:
            return self._stored[channel].get(str(request_id))
        found = [event for event in self._stored[channel].values() if event.request_id == request_id]
        return found[-1] if found else None

    async def erase(self, channel: Channel, request_id: RequestId) -> None:
        self._erase([channel], lambda stored: stored == request_id)

    async def erase_chat(self, account: str, chat: str, *, up_to: int) -> int:
        return self._erase(
            Channel, lambda stored: (stored.account, stored.chat) == (account, chat) and stored.is_up_to(up_to)
        )

    async def erase_account(self, account: str) -> int:
        return self._erase(Channel, lambda stored: stored.account == account)

    def _erase(self, channels: Iterable[Channel], matches: Callable[[RequestId], bool]) -> int:
        erased = 0
        for stored in map(self._stored.__getitem__, channels):
            for key in [key for key, event in stored.items() if matches(event.request_id)]:
                del stored[key]
                erased += 1
        return erased


class MemorySubscription:
    """Implements `events.transport.Subscription`."""

    def __init__(self, lease: timedelta, *, clock: Clock) -> None:
        self.lease = lease
        self.clock = clock
        self._ready: asyncio.Queue[MemoryDelivery] = asyncio.Queue()

    def put(self, event: Event, attempt: int = 1, published_at: datetime | None = None) -> None:
        self._ready.put_nowait(MemoryDelivery(self, event, attempt, published_at or self.clock.now()))

    async def leave(self, *, last_attempt: int) -> Sequence["MemoryDelivery"]:
        """Do nothing: there are no deliveries to hand back."""
        return []

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence["MemoryDelivery"]:
        deliveries: list[MemoryDelivery] = []
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                deliveries.append(await self._ready.get())
        except TimeoutError:
            return []
        while len(deliveries) < limit and not self._ready.empty():
            deliveries.append(self._ready.get_nowait())
        for delivery in deliveries:
            delivery.start_lease()
        return deliveries


class MemoryDelivery:
    """Implements `events.transport.Delivery`."""

    def __init__(self, queue: MemorySubscription, event: Event, attempt: int, published_at: datetime) -> None:
        self.event = event
        self.attempt = attempt
        self.published_at = published_at
        self._queue = queue
        self._lease: asyncio.TimerHandle | None = None

    def start_lease(self) -> None:
        self._end_lease()
        self._redeliver_after(self._queue.lease)

    async def age(self) -> timedelta:
        return self._queue.clock.now() - self.published_at

    async def extend(self) -> None:
        self.start_lease()

    async def ack(self) -> None:
        self._end_lease()

    async def retry(self, delay: timedelta) -> None:
        self._end_lease()
        self._redeliver_after(delay)

    async def discard(self) -> None:
        self._end_lease()

    def _redeliver_after(self, delay: timedelta) -> None:
        loop = asyncio.get_running_loop()
        again = partial(self._queue.put, self.event, self.attempt + 1, self.published_at)
        self._lease = loop.call_later(delay.total_seconds(), again)

    def _end_lease(self) -> None:
        if self._lease:
            self._lease.cancel()


class MemoryMarks:
    """Implements `events.records.Marks`."""

    def __init__(self, created_at: datetime = LONG_AGO) -> None:
        self._created_at = created_at
        self._marks: dict[str, int] = {}
        self._versions = itertools.count(1)

    async def created_at(self, clock: Clock | None = None) -> datetime:
        return self._created_at

    async def add(self, key: str) -> int:
        self._marks[key] = next(self._versions)
        return self._marks[key]

    async def drop(self, key: str, version: int) -> None:
        if self._marks.get(key) == version:
            del self._marks[key]

    async def version(self, key: str) -> int | None:
        return self._marks.get(key)

    async def is_ours(self, key: str) -> bool:
        return key in self._marks

    async def keys(self, prefix: str) -> Sequence[str]:
        return [key for key in self._marks if key.startswith(prefix)]


class MemoryRecords:
    """Implements `events.records.Records`."""

    def __init__(self, created_at: datetime = LONG_AGO) -> None:
        self._created_at = created_at
        self._records: dict[str, Stored] = {}

    async def created_at(self, clock: Clock | None = None) -> datetime:
        return self._created_at

    async def load(self, key: str) -> Stored | None:
        return self._records.get(key)

    async def save(self, key: str, value: bytes, version: int | None) -> int:
        found = self._records.get(key)
        if (found.version if found else None) != version:
            raise Conflict(f"record {key} was changed by somebody else")
        self._records[key] = Stored(value, (version or 0) + 1)
        return self._records[key].version

    async def remove(self, key: str, version: int) -> None:
        found = self._records.get(key)
        if found and found.version <= version:
            del self._records[key]

    async def each(self, prefix: str, take: Take, *, retrying: Retrying) -> None:
        for key in [key for key in self._records if key.startswith(prefix)]:
            if stored := await self.load(key):
                await take(key, stored)
