"""Replay without brokers: a generate function in this process, on a transport in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from random import Random

from cli.replay.player import ACCOUNT, SOURCE, Player, Speed
from events import subjects
from events.memory import MemoryLog
from events.runtime.clock import Clock
from events.runtime.tasks import cancel
from events.transport import Channel
from functions.generate.engine import Engine
from functions.generate.handler import generate
from functions.generate.settings import ATTEMPTS
from functions.worker.loop import Limits, Worker, host_handler, reply_lookup
from observability.telemetry import Telemetry

LEASE = timedelta(seconds=60)


@asynccontextmanager
async def in_process_player(
    engine: Engine, *, slots: int, telemetry: Telemetry, clock: Clock, random: Random, speed: Speed = "maximal"
) -> AsyncIterator[Player]:
    """Yield a player whose questions `engine` answers in this process, `slots` at once."""
    log = MemoryLog(clock=clock)
    worker = Worker(
        host_handler(partial(generate, engine=engine, spans=telemetry.spans, clock=clock), clock=clock, random=random),
        subscription=log.subscribe(Channel.REQUESTS, subjects.GENERATE_CONSUMER, lease=LEASE),
        publisher=log,
        is_answered=reply_lookup(log),
        source=SOURCE,
        limits=Limits(slots, ATTEMPTS, grace=timedelta(0)),
        telemetry=telemetry,
        clock=clock,
        random=random,
    )
    replies = log.subscribe(Channel.REPLIES, subjects.edge_consumer(ACCOUNT), lease=LEASE)
    working = asyncio.create_task(worker.run(asyncio.Event()))
    try:
        yield Player("handler", log, replies, telemetry, clock, speed, in_flight=slots)
    finally:
        await cancel(working)
