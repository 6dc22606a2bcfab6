"""The stream and consumer configurations that the transport's guarantees need."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from events import subjects
from events.errors import TransportError
from events.faults import Fault
from events.transport import Channel

ACK_WAIT = timedelta(seconds=10)
"""The lease of a delivery; a worker renews it after each third."""

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much the streams store."""

    max_age: timedelta = timedelta(hours=24)
    deadletter_max_age: timedelta = timedelta(days=7)
    max_bytes: int = 256 * MIB
    replicas: int = 1


def stream_config(channel: Channel, retention: Retention) -> StreamConfig:
    """Return the configuration of a channel's stream."""
    dead, replaces = channel is Channel.DEADLETTERS, channel is Channel.FEEDBACK
    return StreamConfig(
        name=subjects.stream(channel),
        subjects=[subjects.every_subject(channel)],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        # One message a subject, and a second one is refused: this deduplicates a repeated publish. Of feedback the
        # newest stays: a repeat replaces itself, and if the stream is full, nothing waits for room.
        max_msgs_per_subject=1,
        discard=DiscardPolicy.OLD if replaces else DiscardPolicy.NEW,
        discard_new_per_subject=not replaces,
        max_age=(retention.deadletter_max_age if dead else retention.max_age).total_seconds(),
        max_bytes=retention.max_bytes,
        num_replicas=retention.replicas,
        # Deliberately tiny: within the window a repeat would be confirmed although it is not stored.
        duplicate_window=0.1,
    )


def verify_stream(wanted: StreamConfig, found: StreamConfig) -> None:
    """Raise TransportError if `found` breaks a guarantee; any retention is allowed."""
    _verify(
        f"stream {wanted.name}",
        {
            name: (getattr(wanted, name), getattr(found, name))
            for name in ("subjects", "retention", "max_msgs_per_subject", "discard", "discard_new_per_subject")
        },
    )
    verify_writable(f"stream {wanted.name}", found)


def verify_writable(what: str, found: StreamConfig) -> None:
    """Raise TransportError if the stream can't be written to or does not confirm."""
    _verify(what, {name: (False, bool(getattr(found, name))) for name in ("sealed", "no_ack")})


def marks_config(bucket: str, replicas: int, now: datetime) -> StreamConfig:
    """Return the configuration of a bucket of marks, which unlike others allows deleting single messages."""
    return StreamConfig(
        name=f"KV_{bucket}",
        subjects=[f"$KV.{bucket}.>"],
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_msgs_per_subject=1,
        allow_rollup_hdrs=True,
        num_replicas=replicas,
        # Microseconds since 1970, so that a recreated bucket does not reuse versions.
        first_seq=int(now.timestamp() * 1_000_000),
    )


def verify_marks(what: str, found: StreamConfig) -> None:
    """Raise TransportError if marks can't be stored, added or dropped."""
    _verify(what, {"max_msgs_per_subject": (1, found.max_msgs_per_subject), "deny_delete": (False, found.deny_delete)})
    verify_writable(what, found)


def _verify(what: str, values: Mapping[str, tuple[object, object]]) -> None:
    for name, (wanted, found) in values.items():
        if wanted != found:
            raise TransportError(
                f"{what} has {name}={found!r}, expected {wanted!r}; "
                "delete or fix it with the nats tool, then run `timokha setup`",
                Fault.FATAL,
            )


def consumer_config(durable: str, filter_subject: str, *, start: int | datetime | None) -> ConsumerConfig:
    """Return the configuration of a durable consumer that starts at a sequence number, a time, or the beginning."""
    policy = {int: DeliverPolicy.BY_START_SEQUENCE, datetime: DeliverPolicy.BY_START_TIME}
    return ConsumerConfig(
        # With a name the filter is part of the API subject, so that permissions can depend on it.
        name=durable,
        durable_name=durable,
        filter_subject=filter_subject,
        deliver_policy=policy.get(type(start), DeliverPolicy.ALL),
        opt_start_seq=start if isinstance(start, int) else None,
        opt_start_time=start if isinstance(start, datetime) else None,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT.total_seconds(),
        # The worker counts attempts itself: reaching max_deliver would be silent.
        max_deliver=-1,
        max_ack_pending=20_000,
    )
