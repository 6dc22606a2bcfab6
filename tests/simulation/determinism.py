"""Take the clock and all chance in this Python process from the simulation, so that a seed replays byte for byte."""

import os
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any
from unittest.mock import patch

from aio_pika import robust_connection
from aio_pika import tools as aio_pika_tools
from aiormq import base as aiormq_base
from nats.aio import client as nats_client
from nats.js import client as js_client
from pyrogram.crypto import mtproto

from events.runtime.clock import SystemClock
from tests.simulation.before import versions
from tests.simulation.loop import SimulationLoop
from tests.simulation.ordered import OrderedFrozenSet, OrderedSet, OrderedWeakSet
from tests.simulation.processes import SimulatedTask

ORDERED = {"set": OrderedSet, "frozenset": OrderedFrozenSet, "WeakSet": OrderedWeakSet}
"""What a client's module says, and what it gets: the order of a set follows addresses in memory."""


@contextmanager
def determined(loop: SimulationLoop, chance: Random) -> Iterator[None]:
    """Until the end, `chance` is the only source of chance, and the clocks show the loop's time."""
    SimulatedTask.count_anew()
    random.seed(chance.getrandbits(64))
    with ExitStack() as stack:
        for target, name, replacement in _replacements(loop, chance):
            stack.enter_context(patch.object(target, name, replacement, create=name in ORDERED))
        yield


def _replacements(loop: SimulationLoop, chance: Random) -> Iterator[tuple[Any, str, Any]]:
    seed = random.Random.seed

    def seeded(self: Random, a: Any = None, version: int = 2) -> None:
        seed(self, chance.getrandbits(64) if a is None else a, version)

    def token_hex(nbytes: int | None = None) -> str:
        return chance.randbytes(nbytes or secrets.DEFAULT_ENTROPY).hex()

    yield random.Random, "seed", seeded
    yield random, "_urandom", chance.randbytes
    yield os, "urandom", chance.randbytes
    yield mtproto, "urandom", chance.randbytes
    for module in (nats_client, js_client):
        yield module, "token_hex", token_hex
    yield time, "time", loop.wall_clock
    yield time, "time_ns", lambda: int(loop.wall_clock() * 1e9)
    yield time, "monotonic", loop.time
    for module in (aio_pika_tools, robust_connection, aiormq_base):
        for name, ordered in ORDERED.items():
            yield module, name, ordered
    for clock in versions(SystemClock):
        yield clock, "now", lambda _: datetime.fromtimestamp(loop.wall_clock(), UTC)
        yield clock, "monotonic", lambda _: loop.time()
