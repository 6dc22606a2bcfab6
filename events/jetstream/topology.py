"""Streams, consumers and buckets: created by `timokha setup`, verified by every process."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo, KeyValueConfig, StorageType, StreamConfig, StreamInfo
from nats.js.errors import NotFoundError

from events import subjects
from events.errors import TransportError
from events.faults import Fault
from events.jetstream.client import NotPermitted
from events.jetstream.configs import (
    Retention,
    consumer_config,
    marks_config,
    stream_config,
    verify_marks,
    verify_stream,
    verify_writable,
)
from events.jetstream.faults import ERRORS, PATIENCE, SET_UP, classify, patiently, translate_errors
from events.runtime.retrying import Retrying
from events.transport import Channel

T = TypeVar("T")

Ask = Callable[[], Awaitable[T]]

RECENT = timedelta(minutes=10)
"""Longer than questions wait for replies, unless the deadline was raised: then the edge looks up the reply."""


@dataclass(frozen=True, slots=True)
class ConsumerPosition:
    """`made` tells a stream from an earlier one of the same name."""

    made: datetime | None
    acknowledged: int


@dataclass(slots=True)
class ConsumerPositions:
    """The last known position of each durable consumer, so that a recreated one does not deliver everything again."""

    _known: dict[str, ConsumerPosition] = field(default_factory=dict)

    def remember(self, stream: StreamInfo, consumer: ConsumerInfo) -> None:
        """Store the consumer's acknowledgement floor: everything up to it is settled."""
        floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
        self._known[consumer.name] = ConsumerPosition(stream.created, floor)

    def next(self, stream: StreamInfo, durable: str, *, unknown: datetime | None) -> int | datetime | None:
        """Return where a recreated consumer must start: a sequence number, a time, or None for the stream's beginning.

        `unknown` is returned for a consumer that was never seen.
        """
        position = self._known.get(durable)
        if position is None:
            return unknown
        return position.acknowledged + 1 if position.made == stream.created else None


@dataclass(slots=True)
class Topology:
    """Creates and checks what must exist for one process; `changes` says what was done.

    It recreates streams and buckets with the limits that it has seen them with. Every method raises TransportError.
    """

    js: JetStreamContext
    retention: Retention = field(default_factory=Retention)
    changes: list[str] = field(default_factory=list)
    patience: timedelta = PATIENCE
    retrying: Retrying = field(kw_only=True)
    _positions: ConsumerPositions = field(default_factory=ConsumerPositions)
    replaced: list[str] = field(default_factory=list)
    """What another process has recreated since it was seen: it has lost its content."""
    lacking: str = ""
    """What `keep_topology` has found last that can't be mended or looked at, empty if nothing."""
    _seen: dict[str, StreamInfo] = field(default_factory=dict)

    async def ensure_streams(self) -> None:
        for channel in Channel:
            await self._ensure_stream(stream_config(channel, self.retention))

    async def ensure_generate_consumer(self) -> None:
        await self._ensure_consumer(
            Channel.REQUESTS, subjects.GENERATE_CONSUMER, subjects.every_subject(Channel.REQUESTS)
        )

    async def ensure_edge(self, account: str) -> None:
        """Ensure the account's own consumer on REPLIES.

        Created by a process that never saw one, it begins `RECENT` ago: its predecessor has delivered older replies,
        which must not be delivered again.
        """
        await self._ensure_consumer(
            Channel.REPLIES,
            subjects.edge_consumer(account),
            subjects.account_subjects(Channel.REPLIES, account),
            unknown=self.retrying.clock.now() - RECENT,
        )

    async def ensure_buckets(self) -> None:
        for bucket in (subjects.CHATS_BUCKET, subjects.TELEGRAM_BUCKET):
            await self._ensure_bucket(bucket)
        await self._ensure_marks()

    async def ensure_bridge(self) -> None:
        """Ensure the bucket for the bridge's notes about requests it has forwarded, which expire with them."""
        await self._ensure_bucket(subjects.BRIDGE_BUCKET, ttl=self.retention.max_age)

    async def ensure_all(self, accounts: Sequence[str] = ()) -> None:
        await self.ensure_streams()
        await self.ensure_generate_consumer()
        await self.ensure_buckets()
        await self.ensure_bridge()
        for account in accounts:
            await self.ensure_edge(account)

    async def ensure_retention(self) -> None:
        """Set the retention of what exists. Only `timokha setup` does this: a user may have chosen another one."""
        for channel in Channel:
            wanted = stream_config(channel, self.retention)
            await self._retain(
                subjects.stream(channel),
                max_age=wanted.max_age,
                max_bytes=wanted.max_bytes,
                num_replicas=wanted.num_replicas,
            )
        for bucket in subjects.BUCKETS:
            await self._retain(f"KV_{bucket}", num_replicas=self.retention.replicas)

    async def _retain(self, stream: str, **wanted: float | None) -> None:
        found = await self._look(f"stream {stream}", lambda: self.js.stream_info(stream))
        if found is None:
            raise TransportError(f"stream {stream} is missing; {SET_UP}", Fault.FATAL)
        new = {name: value for name, value in wanted.items() if getattr(found.config, name) != value}
        if not new:
            return
        old = {name: getattr(found.config, name) for name in new}
        what = ", ".join(f"{name} from {old[name]:.0f} to {value:.0f}" for name, value in new.items())
        with translate_errors(f"stream {stream} could not be given {what}"):
            await self._patiently(lambda: self.js.update_stream(found.config.evolve(**new)))
        self.changes.append(f"changed stream {stream}: {what}")

    async def _ensure_stream(self, wanted: StreamConfig) -> None:
        assert wanted.name is not None
        what = f"stream {wanted.name}"

        def make() -> Awaitable[object]:
            return self.js.add_stream(_as_it_was(wanted, self._seen.get(what)))

        await self._ensure(what, wanted.name, make, lambda found: verify_stream(wanted, found))

    async def _ensure_consumer(
        self, channel: Channel, durable: str, filter_subject: str, *, unknown: datetime | None = None
    ) -> None:
        stream = subjects.stream(channel)
        what = f"consumer {durable} on {stream}"
        # Looked at before the consumer, so that a place is never noted under a newer stream than its own.
        on = await self._look(f"stream {stream}", lambda: self.js.stream_info(stream))
        if on is None:
            raise TransportError(f"stream {stream} is missing; {SET_UP}", Fault.FATAL)

        async def look() -> object:
            found = await self._look(what, lambda: self.js.consumer_info(stream, durable))
            if found:
                self._positions.remember(on, found)
            return found

        if await look() is None:
            config = consumer_config(durable, filter_subject, start=self._positions.next(on, durable, unknown=unknown))
            await self._make(what, lambda: self.js.add_consumer(stream, config), look)

    async def _ensure_bucket(self, bucket: str, *, ttl: timedelta | None = None) -> None:
        what = f"bucket {bucket}"

        def make() -> Awaitable[object]:
            seen = self._seen.get(what)
            config = KeyValueConfig(
                bucket=bucket,
                history=1,
                ttl=seen.config.max_age if seen else ttl.total_seconds() if ttl else None,
                storage=StorageType.FILE,
                replicas=self._replicas(what),
                # Not from a follower: a stale read would only make compare-and-set fail and load again.
                direct=False,
            )
            return self.js.create_key_value(config)

        await self._ensure(what, f"KV_{bucket}", make, lambda found: verify_writable(what, found))

    async def _ensure_marks(self) -> None:
        what = f"bucket {subjects.MARKS_BUCKET}"

        def make() -> Awaitable[object]:
            now = self.retrying.clock.now()
            return self.js.add_stream(marks_config(subjects.MARKS_BUCKET, self._replicas(what), now))

        await self._ensure(what, f"KV_{subjects.MARKS_BUCKET}", make, lambda found: verify_marks(what, found))

    def _replicas(self, what: str) -> int:
        seen = self._seen.get(what)
        return seen.config.num_replicas if seen and seen.config.num_replicas else self.retention.replicas

    async def _ensure(
        self,
        what: str,
        stream: str,
        make: Callable[[], Awaitable[object]],
        verify: Callable[[StreamConfig], None],
    ) -> None:
        async def look() -> object:
            found = await self._look(what, lambda: self.js.stream_info(stream))
            if found:
                verify(found.config)
                self._note(what, found)
            return found

        if await look() is None:
            await self._make(what, make, look)

    async def _look(self, what: str, ask: Ask[T]) -> T | None:
        """Return what `ask` returns, or None if it does not exist."""
        with translate_errors(f"{what} could not be looked at"):
            try:
                return await self._patiently(ask)
            except NotFoundError:
                return None

    async def _make(self, what: str, make: Ask[object], look: Ask[object]) -> None:
        try:
            await self._patiently(make)
        except ERRORS as error:
            if await look():
                return  # another process was faster
            diagnosis = classify(error)
            # It need not have the right to create this: advise to run setup, not to change the user.
            advice = SET_UP if isinstance(error, NotPermitted) else diagnosis.advice or SET_UP
            raise TransportError(
                f"{what} is missing and could not be created: {diagnosis.reason}; {advice}", diagnosis.fault
            ) from None
        self.changes.append(f"created {what}")
        self._seen.pop(what, None)
        await look()

    def _note(self, what: str, found: StreamInfo) -> None:
        seen = self._seen.get(what)
        if seen and seen.created != found.created:
            self.replaced.append(what)
        self._seen[what] = found

    async def _patiently(self, ask: Ask[T]) -> T:
        return await patiently(ask, retrying=self.retrying, patience=self.patience)


def _as_it_was(wanted: StreamConfig, seen: StreamInfo | None) -> StreamConfig:
    """Return `wanted` with the limits that the stream had: a user may have chosen them."""
    if seen is None:
        return wanted
    was = seen.config
    return wanted.evolve(max_age=was.max_age, max_bytes=was.max_bytes, num_replicas=was.num_replicas)
