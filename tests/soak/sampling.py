"""Samples of everything every ten seconds: kept by series, and written to a file as they come."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.world import World
from tests.soak.brokers import of_nats, of_rabbitmq
from tests.soak.processes import running, sampled

EVERY = 10.0
"""Seconds."""

Series = dict[str, list[tuple[float, float]]]
"""Samples by measure, each of a second of the monotonic clock and a value."""


@dataclass
class Samples:
    """`lives`: of each process by its name and id, which is another one after a kill; `stores`: of the brokers."""

    world: World
    census: Path
    lives: dict[tuple[str, int], Series] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    stores: dict[str, Series] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    async def take(self, file: Path, until: float) -> None:
        """Sample until that time of the monotonic clock: the brokers' clients may swallow a cancellation."""
        with file.open("w") as lines:
            while time.monotonic() < until:
                due = time.monotonic() + EVERY
                lines.write(json.dumps(await self._take()) + "\n")
                lines.flush()
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _take(self) -> dict[str, object]:
        at = time.monotonic()
        processes = list(running(self.world))
        found = await asyncio.gather(*(sampled(process, self.census) for process in processes))
        stores = {"nats": await of_nats(self.world), "rabbitmq": await of_rabbitmq(self.world)}
        for process, counts in zip(processes, found, strict=True):
            _add(self.lives[process.name, process.pid], at, counts)
        for name, counts in stores.items():
            _add(self.stores[name], at, counts)
        lives = {f"{process.name} {process.pid}": counts for process, counts in zip(processes, found, strict=True)}
        return {"at": at, "processes": lives, **stores}


def _add(series: Series, at: float, counts: Mapping[str, float]) -> None:
    for measure, value in counts.items():
        series[measure].append((at, value))
