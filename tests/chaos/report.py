"""The count as build/chaos.json has it."""

from collections import Counter
from typing import Any

from tests.chaos.chronicle import Chronicle
from tests.chaos.logbook import busiest, tracebacks
from tests.chaos.processes import End
from tests.chaos.recoveries import percentiles, recoveries
from tests.chaos.storm import Storm
from tests.chaos.users import Crowd, of_edge
from tests.chaos.world import KINDS, LOOP, World
from tests.promises.judgement import Judgement
from tests.promises.lines.processes import FORCED

IMPORTING = 5.0
"""Seconds of life in which a process may not listen to signals yet, and SIGTERM just ends it."""
BROKERS = ("nats", "rabbitmq")
MOST_LINES = 1000
"""That a process may log in ten seconds; a userbot that fetches everybody's questions writes some 300."""


def report_of(
    seed: int, world: World, storm: Storm, crowd: Crowd, judgement: Judgement, *, rabbitmq: bool, took: float
) -> dict[str, Any]:
    """What was asked of both edges together, and under `accounts` of each."""
    recovered = [recoveries(storm, crowd, edge) for edge in world.edges]
    accounts = {
        edge.kind: {
            "questions": len(of_edge(crowd, edge)),
            **judgement.verdicts[edge.kind].counts(),
            "recovery_seconds": percentiles(seconds),
        }
        for edge, seconds in zip(world.edges, recovered, strict=True)
    }
    return {
        "seed": seed,
        "questions": len(crowd.asked),
        **judgement.counts(),
        "accounts": accounts,
        "kills": {kind: storm.killed[kind] for kind in KINDS},
        "freezes": storm.freezes,
        "cuts": storm.cuts,
        **{name: storm.faults.done[name] for name in sorted({*storm.faults.done, *storm.plan})},
        "forced_kills": sum(end.how == FORCED for end in world.ends),
        "watchdog_ends": _forced(world),
        "stops": _codes(world.ends, "terminated"),
        "exits": _codes(world.ends, "by itself"),
        "restart_loops": _loops(world.ends),
        "tracebacks": sum(tracebacks(program.log) for program in world.programs),
        "log_lines": _busiest(world),
        "recovery_seconds": percentiles([second for seconds in recovered for second in seconds]),
        "rabbitmq": rabbitmq,
        "seconds": round(took, 1),
        "faults": [*judgement.faults, *storm.faults.broken, *_bad_ends(world), *_bad_logs(world)],
    }


def _bad_ends(world: World) -> list[str]:
    """What may not happen at SIGTERM, besides what a history shows."""
    odd = [
        f"exit code {end.code} of {end.kind} at SIGTERM after {end.lived:.1f} s"
        for end in world.ends
        if end.how == "terminated" and end.code and not (end.lived < IMPORTING and _explains(end, world.chronicle))
    ]
    return [*odd, *(f"left behind: process group {group}" for group in world.left_behind)]


def _explains(end: End, chronicle: Chronicle) -> bool:
    """Whether the code is that of a start which SIGTERM came too early for, or which found no broker meanwhile."""
    ended = end.ended_at or 0.0
    away = (noted for noted in chronicle.disturbances if noted.whom in BROKERS and noted.what != "freeze")
    return end.code == -15 or (end.code == 1 and any(noted.touches(ended - end.lived, ended) for noted in away))


def _bad_logs(world: World) -> list[str]:
    """What no fault may lead to."""
    found = {program.log: tracebacks(program.log) for program in world.programs}
    floods = {program.log: busiest(program.log) for program in world.programs}
    forced = _forced(world)
    return [
        *(f"log: {lines} lines in ten seconds in {log}" for log, lines in floods.items() if lines > MOST_LINES),
        *(f"tracebacks: {count} in {log}" for log, count in found.items() if count),
        *([f"watchdog ends: {forced} processes hung at SIGTERM"] if forced else []),
    ]


def _busiest(world: World) -> dict[str, int]:
    """By kind of process."""
    lines: dict[str, int] = {}
    for victim in world.ours:
        if victim.program:
            lines[victim.kind] = max(lines.get(victim.kind, 0), busiest(victim.program.log))
    return lines


def _forced(world: World) -> int:
    """How often a process's own watchdog had to end it."""
    return sum(program.log.read_text(errors="replace").count("process.forced") for program in world.programs)


def _codes(ends: list[End], how: str) -> dict[str, dict[str, int]]:
    """By kind and exit code."""
    counted = Counter((end.kind, end.code) for end in ends if end.how == how)
    kinds = sorted({kind for kind, _ in counted})
    return {kind: {str(code): n for (k, code), n in sorted(counted.items()) if k == kind} for kind in kinds}


def _loops(ends: list[End]) -> dict[str, int]:
    """By kind: how often in a row it ended by itself soon after its start."""
    longest: dict[str, int] = {}
    running: Counter[str] = Counter()
    for end in ends:
        running[end.kind] = running[end.kind] + 1 if end.how == "by itself" and end.lived < LOOP else 0
        longest[end.kind] = max(longest.get(end.kind, 0), running[end.kind])
    return {kind: length for kind, length in longest.items() if length > 1}
