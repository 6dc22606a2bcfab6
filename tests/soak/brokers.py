"""What NATS and RabbitMQ hold: messages, bytes, consumers, connections and room on the disk."""

import os
from contextlib import suppress
from pathlib import Path

import aio_pika
import psutil
from aio_pika.exceptions import AMQPException
from nats.errors import Error as NatsError

from events.errors import TransportError
from events.rabbitmq.topology import OURS
from tests.chaos.world import World

BLOCK = 512
"""Bytes of st_blocks."""


async def of_nats(world: World) -> dict[str, float]:
    """By `STREAM.messages`, `STREAM.bytes`, `STREAM.consumers` and so on; nothing if it does not answer now."""
    try:
        async with world.connected() as js:
            streams = await js.streams_info()
            consumers = {
                str(stream.config.name): await js.consumers_info(str(stream.config.name)) for stream in streams
            }
    except (NatsError, TransportError, OSError, TimeoutError):
        return {}
    found: dict[str, float] = {}
    for stream in streams:
        name = str(stream.config.name)
        found |= {f"{name}.messages": stream.state.messages, f"{name}.bytes": stream.state.bytes}
        found[f"{name}.consumers"] = len(consumers[name])
        found[f"{name}.pending"] = sum(one.num_pending or 0 for one in consumers[name])
        found[f"{name}.unacknowledged"] = sum(one.num_ack_pending or 0 for one in consumers[name])
    return {
        **found,
        "connections": _connections(world.nats.server.pid),
        "store": _room(world.directory / "nats" / "store"),
    }


async def of_rabbitmq(world: World) -> dict[str, float]:
    """By `QUEUE.messages` and `QUEUE.consumers`; nothing if it does not answer now, or is not there."""
    if not world.rabbitmq:
        return {}
    found: dict[str, float] = {}
    try:
        async with await aio_pika.connect(world.rabbitmq.url, timeout=5) as connection, connection.channel() as channel:
            for queue in OURS:
                result = (await channel.declare_queue(queue.name, passive=True)).declaration_result
                found[f"{queue.name}.messages"] = result.message_count or 0
                found[f"{queue.name}.consumers"] = result.consumer_count or 0
    except (AMQPException, OSError, TimeoutError):
        return {}
    return found


def _connections(pid: int) -> int:
    """Without the one of this sampling, which has been closed."""
    with suppress(psutil.Error):
        return sum(one.status == psutil.CONN_ESTABLISHED for one in psutil.Process(pid).net_connections("tcp"))
    return 0


def _room(directory: Path) -> int:
    """Bytes that the files take up."""
    room = 0
    for path, _, files in os.walk(directory):
        for file in files:
            with suppress(FileNotFoundError):
                room += os.stat(os.path.join(path, file)).st_blocks * BLOCK
    return room
