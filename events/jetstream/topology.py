"""Streams, consumers and buckets: created by `timokha setup`, verified by every process."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    KeyValueConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BucketNotFoundError, NotFoundError

from events import subjects
from events.errors import TransportError
from events.jetstream.client import NotPermitted
from events.jetstream.patience import patiently
from events.transport import Channel

ACK_WAIT = timedelta(seconds=10)
"""The lease of a delivery; a worker renews it every third of this."""

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much the streams keep."""

    max_age: timedelta = timedelta(hours=24)
    deadletter_max_age: timedelta = timedelta(days=7)
    max_bytes: int = 256 * MIB
    replicas: int = 1


@dataclass(slots=True)
class Topology:
    """What must exist for one process, and what was done about it."""

    js: JetStreamContext
    retention: Retention = field(default_factory=Retention)
    changes: list[str] = field(default_factory=list)

    async def ensure_streams(self) -> None:
        for channel in Channel:
            await self._ensure_stream(stream_config(channel, self.retention))

    async def ensure_generate_consumer(self) -> None:
        await self._ensure_consumer(
            Channel.REQUESTS, subjects.GENERATE_CONSUMER, subjects.every_subject(Channel.REQUESTS)
        )

    async def ensure_edge(self, account: str) -> None:
        """The account's own consumer on REPLIES."""
        await self._ensure_consumer(
            Channel.REPLIES,
            subjects.edge_consumer(account),
            subjects.account_subjects(Channel.REPLIES, account),
        )

    async def ensure_buckets(self) -> None:
        for bucket in (subjects.CHATS_BUCKET, subjects.TELEGRAM_BUCKET):
            await self._ensure_bucket(bucket)

    async def ensure_bridge(self) -> None:
        """What the bridge notes down about the requests it has sent on; of no use once they have expired."""
        await self._ensure_bucket(subjects.BRIDGE_BUCKET, ttl=self.retention.max_age)

    async def ensure_all(self, accounts: Sequence[str] = ()) -> None:
        await self.ensure_streams()
        await self.ensure_generate_consumer()
        await self.ensure_buckets()
        await self.ensure_bridge()
        for account in accounts:
            await self.ensure_edge(account)

    async def ensure_retention(self) -> None:
        """Give what is there the retention that is wanted. Only `timokha setup` does: somebody may have chosen it."""
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
        try:
            found = (await patiently(lambda: self.js.stream_info(stream))).config
        except NatsError as error:
            raise _not_allowed(f"stream {stream}", error) from None
        new = {name: value for name, value in wanted.items() if getattr(found, name) != value}
        if new:
            what = ", ".join(f"{name} from {getattr(found, name):.0f} to {value:.0f}" for name, value in new.items())
            await self._change(f"changed stream {stream}: {what}", lambda: self.js.update_stream(found.evolve(**new)))

    async def _ensure_stream(self, wanted: StreamConfig) -> None:
        name = wanted.name
        assert name is not None
        try:
            found = (await patiently(lambda: self.js.stream_info(name))).config
        except NotFoundError:
            await self._change(f"created stream {name}", lambda: self.js.add_stream(wanted))
            return
        except NatsError as error:
            raise _not_allowed(f"stream {name}", error) from None
        verify_stream(wanted, found)

    async def _ensure_consumer(self, channel: Channel, durable: str, filter_subject: str) -> None:
        stream = subjects.stream(channel)
        try:
            await patiently(lambda: self.js.consumer_info(stream, durable))
        except NotFoundError:
            config = ConsumerConfig(
                # With a name the filter is part of what is asked for, so that permissions can be given by filter.
                name=durable,
                durable_name=durable,
                filter_subject=filter_subject,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT.total_seconds(),
                # The worker counts attempts itself: at max_deliver nobody would be told.
                max_deliver=-1,
                max_ack_pending=20_000,
            )
            await self._change(f"created consumer {durable} on {stream}", lambda: self.js.add_consumer(stream, config))
        except NatsError as error:
            raise _not_allowed(f"consumer {durable} on {stream}", error) from None

    async def _ensure_bucket(self, bucket: str, *, ttl: timedelta | None = None) -> None:
        try:
            await patiently(lambda: self.js.key_value(bucket))
        except BucketNotFoundError:
            config = KeyValueConfig(
                bucket=bucket,
                history=1,
                ttl=ttl.total_seconds() if ttl else None,
                storage=StorageType.FILE,
                replicas=self.retention.replicas,
                # Not from a follower: a stale read would only make compare-and-set fail and load again.
                direct=False,
            )
            await self._change(f"created bucket {bucket}", lambda: self.js.create_key_value(config))
        except NatsError as error:
            raise _not_allowed(f"bucket {bucket}", error) from None

    async def _change(self, what: str, change: Callable[[], Awaitable[object]]) -> None:
        try:
            await patiently(change)
        except NatsError as error:
            raise _not_allowed(what, error) from None
        self.changes.append(what)


def stream_config(channel: Channel, retention: Retention) -> StreamConfig:
    """What a channel's stream must be."""
    dead = channel is Channel.DEADLETTERS
    return StreamConfig(
        name=subjects.stream(channel),
        subjects=[subjects.every_subject(channel)],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        # One message a subject, a second one refused: what makes a repeated publish recognisable.
        max_msgs_per_subject=1,
        discard=DiscardPolicy.NEW,
        discard_new_per_subject=True,
        max_age=(retention.deadletter_max_age if dead else retention.max_age).total_seconds(),
        max_bytes=retention.max_bytes,
        num_replicas=retention.replicas,
        # Deliberately tiny: inside the window a repeat would be called a success although nothing is stored.
        duplicate_window=0.1,
    )


def verify_stream(wanted: StreamConfig, found: StreamConfig) -> None:
    """Raises TransportError where `found` would break a promise; its retention may be any."""
    for name in ("subjects", "retention", "max_msgs_per_subject", "discard", "discard_new_per_subject"):
        if getattr(wanted, name) != getattr(found, name):
            raise TransportError(
                f"stream {wanted.name} has {name}={getattr(found, name)!r}, expected {getattr(wanted, name)!r}; "
                "delete or mend it with the nats tool, then run `timokha setup`"
            )


def _not_allowed(what: str, error: Exception) -> TransportError:
    if isinstance(error, NotPermitted):
        reason = error.refusal
    else:
        reason = str(error) or "no answer: is JetStream enabled and is this user allowed to?"
    return TransportError(f"{what}: {reason}; check NATS_USER, or let an administrator's `timokha setup` do it")
