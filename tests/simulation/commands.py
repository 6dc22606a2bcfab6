"""How processes run the commands of `timokha`: unmodified, with their settings, in this version or the one before."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any

from edge.sandbox.visitor import API_HASH, API_ID
from events.settings import Settings
from observability.telemetry import noop_telemetry
from tests.simulation import before
from tests.simulation.addresses import NATS, RABBITMQ

Run = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
Main = Callable[..., Coroutine[Any, Any, None]]
COMMON: dict[str, Any] = {
    "api_id": API_ID,
    "api_hash": API_HASH,
    "nats_url": f"nats://{NATS[0]}:{NATS[1]}",
    "engine": "echo",
    "echo_delay": 0.3,
    "slots": 4,
    "rabbitmq_url": f"amqp://guest:guest@{RABBITMQ[0]}:{RABBITMQ[1]}/",
}
"""Settings of all processes: each takes those that it knows."""


def run_of(main: Main, kind: type[Settings], given: dict[str, Any]) -> Run:
    async def run(stop: asyncio.Event) -> None:
        await main(_settings(kind, **COMMON | given), noop_telemetry(), stop)

    return run


def run_before_of(main: Main, kind: type[Settings], given: dict[str, Any]) -> Run:
    """Return what runs the version before of the command; it is imported when it runs."""

    async def run(stop: asyncio.Event) -> None:
        settings = _settings(before.same(kind), **COMMON | given)
        await before.same(main)(settings, before.same(noop_telemetry)(), stop)

    return run


@cache
def _settings(kind: type[Settings], **given: Any) -> Any:
    return kind.read(**{name: value for name, value in given.items() if name in kind.model_fields})
