"""Examine RabbitMQ."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bridge.settings import BridgeSettings, CodecName
from cli.doctor.findings import Finding, note, ok, wrong
from events.errors import TimokhaError
from events.extras import install_command
from events.runtime.clock import SystemClock

if TYPE_CHECKING:
    from events.rabbitmq.inspection import RabbitMQInspection
    from events.rabbitmq.topology import Queue


async def examine_rabbitmq(url: SecretStr, bridge: BridgeSettings | None = None) -> list[Finding]:
    """Examine our queues, and those that `bridge` consumes from or publishes to."""
    try:
        # Its client may not be installed.
        from events.rabbitmq.connection import connect  # noqa: PLC0415
        from events.rabbitmq.inspection import inspect  # noqa: PLC0415
    except ImportError as error:
        return [wrong(f"RabbitMQ: its client is not installed ({error}): {install_command('rabbitmq')}")]
    try:
        async with connect(url, name="doctor", clock=SystemClock()) as broker:
            found = await inspect(broker, _queues(bridge) if bridge else ())
    except TimokhaError as error:
        return [wrong(str(error))]
    return [ok("RabbitMQ answers"), *_queues_found(found)]


def _queues(bridge: BridgeSettings) -> "list[Queue]":
    from events.rabbitmq import topology  # noqa: PLC0415 - its client may not be installed

    kind = topology.original_queue if bridge.codec is CodecName.ORIGINAL else topology.requests_queue
    return [kind(name) for name in (bridge.inbound, bridge.outbound) if name]


def _queues_found(found: "RabbitMQInspection") -> Iterator[Finding]:
    yield from (wrong(fault) for fault in found.faults)
    for name in found.adopted:
        yield note(f"RabbitMQ: {name!r} is not declared as the bridge would; it is used as it is")
    if found.missing:
        yield note(
            f"not on RabbitMQ yet: {', '.join(found.missing)}; the start of a bridge or worker makes them, and so does"
            " `timokha setup`"
        )
    if not (found.missing or found.faults):
        yield ok("queues are in place")
