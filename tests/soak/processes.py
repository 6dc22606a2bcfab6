"""What a process has, as the system sees it and as it counts itself. Needs Linux's /proc."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.chaos.world import Victim, World
from tests.soak.census import counted

KIB = 1024
SANDBOX = "sandbox"
"""The process of the sandbox Telegram, of its users and of what measures here."""


@dataclass(frozen=True)
class Running:
    """`ours`: it counts itself."""

    name: str
    pid: int
    log: Path | None = None
    ours: bool = False


def running(world: World) -> Iterator[Running]:
    """All that run now."""
    for victim in world.victims:
        pid = _erlang() if victim.kind == "rabbitmq" else victim.pid()
        if pid is not None and not victim.lock.locked():
            log = victim.program.log if victim.program else world.directory / victim.kind / f"{victim.kind}.log"
            yield Running(_name(world, victim), pid, log, ours=victim.program is not None)
    yield Running(SANDBOX, os.getpid())


def _name(world: World, victim: Victim) -> str:
    """Its kind, with a number if there are several."""
    alike = world.of(victim.kind)
    return f"{victim.kind}-{alike.index(victim) + 1}" if len(alike) > 1 else victim.kind


def _erlang() -> int | None:
    """The Erlang machine of the RabbitMQ node, a child of its script."""
    found = [child.pid for child in psutil.Process().children(recursive=True) if child.name() == "beam.smp"]
    return found[0] if found else None


async def sampled(process: Running, census: Path) -> dict[str, float]:
    """Memory and the log in bytes, handles, threads, `tasks` and `blocks` of ours; nothing if it has ended."""
    inside: dict[str, Any] = (await counted(census, process.pid) if process.ours else None) or {}
    try:
        return {**seen(process), **inside}
    except (FileNotFoundError, ProcessLookupError):
        return {}


def seen(process: Running) -> dict[str, float]:
    """What the system sees. Raises FileNotFoundError or ProcessLookupError if it has ended."""
    return {
        **_memory(process.pid),
        "handles": len(os.listdir(f"/proc/{process.pid}/fd")),
        "threads": len(os.listdir(f"/proc/{process.pid}/task")),
        **({"log": process.log.stat().st_size} if process.log and process.log.exists() else {}),
    }


def _memory(pid: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value, *_ = line.split()
        found[name.rstrip(":")] = float(value) * KIB
    return {"rss": found["Rss"], "private": found["Private_Clean"] + found["Private_Dirty"]}
