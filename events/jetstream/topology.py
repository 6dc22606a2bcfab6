"""Create and verify streams, consumers and buckets: `timokha setup` creates them, every process verifies them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
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
from events.jetstream.damage import dropped_at_start, went_back
from events.jetstream.faults import ERRORS, PATIENCE, SET_UP, classify, retry_passing, translate_errors
from events.runtime.retrying import Retrying
from events.transport import Channel

T = TypeVar("T")

Ask = Callable[[], Awaitable[T]]

RECENT = timedelta(minutes=10)
"""Longer than a request waits for its reply by default; with a longer deadline the edge looks up the reply."""


@dataclass(frozen=True, slots=True)
class ConsumerPosition:
    """How far a consumer has come. `created`, of its stream, tells that from an earlier one of the same name."""

    created: datetime | None
    acknowledged: int


@dataclass(slots=True)
class ConsumerPositions:
    """The last known position of each durable consumer, so that a recreated one does not deliver everything again."""

    _known: dict[str, ConsumerPosition] = field(default_factory=dict)

    def remember(self, stream: StreamInfo, consumer: ConsumerInfo) -> None:
        """Store the consumer's acknowledgement floor, up to which everything is settled."""
        floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
        self._known[consumer.name] = ConsumerPosition(stream.created, floor)

    def forget(self, durable: str) -> None:
        """Forget a consumer that was deleted on purpose."""
        self._known.pop(durable, None)

    def next(self, stream: StreamInfo, durable: str, *, unknown: datetime | None) -> int | datetime | None:
        """Return where to start a recreated consumer: a sequence number, a time, or None for the stream's beginning.

        A consumer that was never seen starts at `unknown`.
        """
        position = self._known.get(durable)
        if position is None:
            return unknown
        return position.acknowledged + 1 if position.created == stream.created else None


@dataclass(slots=True)
class Topology:
    """Creates and verifies what one process needs, and lists in `changes` what it has done.

    Streams and buckets are recreated with the limits that they had before. Every method raises TransportError.
    """

    js: JetStreamContext
    retention: Retention = field(default_factory=Retention)
    changes: list[str] = field(default_factory=list)
    patience: timedelta = PATIENCE
    retrying: Retrying = field(kw_only=True)
    _positions: ConsumerPositions = field(default_factory=ConsumerPositions)
    replaced: list[str] = field(default_factory=list)
    """What another process has recreated since it was last seen, so that its content is lost."""
    damaged: dict[str, str] = field(default_factory=dict)
    """What has lost messages since it was last seen, and how that shows."""
    reconnections: int = 0
    """The client's when `find_dropped` was last called."""
    missing: str = ""
    """The last error of `keep_topology`, empty if there was none."""
    _seen: dict[str, StreamInfo] = field(default_factory=dict)
    _dropped: dict[str, str] = field(default_factory=dict)
    """What the server was found to have dropped of streams."""

    async def ensure_streams(self, channels: Iterable[Channel] = Channel) -> None:
        for channel in channels:
            await self._ensure_stream(stream_config(channel, self.retention))

    async def ensure_generate_consumer(self) -> None:
        await self._ensure_consumer(
            Channel.REQUESTS, subjects.GENERATE_CONSUMER, subjects.every_subject(Channel.REQUESTS)
        )

    async def ensure_edge(self, account: str) -> None:
        """Ensure the account's consumer on REPLIES.

        If this process has never seen one, start it `RECENT` ago: an earlier one has delivered older replies, which
        must not be delivered again.
        """
        await self._ensure_consumer(
            Channel.REPLIES,
            subjects.edge_consumer(account),
            subjects.account_subjects(Channel.REPLIES, account),
            unknown=self.retrying.clock.now() - RECENT,
        )

    async def drop_edge(self, account: str) -> None:
        """Delete the account's consumer on REPLIES, if there is one. `ensure_edge` must not be called meanwhile."""
        durable = subjects.edge_consumer(account)
        with translate_errors(f"consumer {durable} could not be deleted"), suppress(NotFoundError):
            await self._patiently(lambda: self.js.delete_consumer(subjects.stream(Channel.REPLIES), durable))
        self._positions.forget(durable)

    async def ensure_buckets(self) -> None:
        for bucket in (subjects.CHATS_BUCKET, subjects.TELEGRAM_BUCKET):
            await self._ensure_bucket(bucket)
        await self._ensure_marks()

    async def ensure_bridge(self) -> None:
        """Ensure the bucket for the bridge's records of forwarded requests, which expire with them."""
        await self._ensure_bucket(subjects.BRIDGE_BUCKET, ttl=self.retention.max_age)

    async def ensure_all(self, accounts: Sequence[str] = ()) -> None:
        await self.ensure_streams()
        await self.ensure_generate_consumer()
        await self.ensure_buckets()
        await self.ensure_bridge()
        for account in accounts:
            await self.ensure_edge(account)

    async def ensure_retention(self) -> None:
        """Set the retention of existing streams. Only for `timokha setup`: a user may have chosen another one."""
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

    async def find_dropped(self) -> None:
        """Add to `damaged` the streams of which the server has dropped a part since this was last called.

        That shows even if so much has been stored since that a stream's last number has not gone back. Buckets are left
        out: their answers list each update of any record, and a process knows which records it has.
        """
        for what, seen in self._seen.items():
            if what.startswith("stream "):
                with translate_errors(f"{what} could not be looked at"):
                    loss = await dropped_at_start(self.js, seen)
                if loss and loss != self._dropped.get(what):
                    self.damaged[what] = loss
                self._dropped[what] = loss

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
            return self.js.add_stream(_with_limits_of(wanted, self._seen.get(what)))

        await self._ensure(what, wanted.name, make, lambda found: verify_stream(wanted, found))

    async def _ensure_consumer(
        self, channel: Channel, durable: str, filter_subject: str, *, unknown: datetime | None = None
    ) -> None:
        stream = subjects.stream(channel)
        what = f"consumer {durable} on {stream}"
        # Before the consumer, so that a position is never stored with a newer stream than its own.
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
                # No reads from followers: a stale one would only make compare-and-set fail and load again.
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
                self._remember(what, found)
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
                return  # another process has created it meanwhile
            diagnosis = classify(error)
            # A process need not have the right to create this: advise to run setup, not to change its user.
            advice = SET_UP if isinstance(error, NotPermitted) else diagnosis.advice or SET_UP
            raise TransportError(
                f"{what} is missing and could not be created: {diagnosis.reason}; {advice}", diagnosis.fault
            ) from None
        self.changes.append(f"created {what}")
        self._seen.pop(what, None)
        await look()

    def _remember(self, what: str, found: StreamInfo) -> None:
        seen = self._seen.get(what)
        if seen and seen.created != found.created:
            self.replaced.append(what)
        if seen and (loss := went_back(seen, found)):
            self.damaged[what] = loss
        self._seen[what] = found

    async def _patiently(self, ask: Ask[T]) -> T:
        return await retry_passing(ask, retrying=self.retrying, patience=self.patience)


def _with_limits_of(wanted: StreamConfig, seen: StreamInfo | None) -> StreamConfig:
    """Return `wanted` with the limits that the stream had, which a user may have chosen."""
    if seen is None:
        return wanted
    was = seen.config
    return wanted.evolve(max_age=was.max_age, max_bytes=was.max_bytes, num_replicas=was.num_replicas)
