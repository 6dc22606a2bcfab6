"""What processes use: processor time, private memory, writes; and what the machine's disk is asked to do."""

import os
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

MIB = 2**20
SYNCS = 200
BLOCK = b"x" * 4096
FLUSHES = 18
"""The field of a line in /proc/diskstats."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process and its children, from its start."""

    cpu: float
    """Seconds, of the system's work for it too."""
    written: int
    """Bytes that went to the disk."""

    @classmethod
    def of(cls, pid: int | None) -> Self:
        processes = list(_family(pid))
        times = [process.cpu_times() for process in processes]
        written = sum(process.io_counters().write_bytes for process in processes)
        return cls(sum(one.user + one.system for one in times), written)

    def since(self, before: Self) -> "Usage":
        return Usage(self.cpu - before.cpu, self.written - before.written)


def of_all(pids: Mapping[str, int | None]) -> dict[str, Usage]:
    return {name: Usage.of(pid) for name, pid in pids.items()}


def since(before: Mapping[str, Usage], pids: Mapping[str, int | None]) -> dict[str, Usage]:
    """What each has used since `before`."""
    return {name: usage.since(before[name]) for name, usage in of_all(pids).items()}


def private_mib(pid: int | None) -> float:
    """The memory that would be free without the process and its children."""
    return sum(process.memory_full_info().uss for process in _family(pid)) / MIB


def resident_mib(pid: int | None) -> float:
    return sum(process.memory_info().rss for process in _family(pid)) / MIB


def disk_mib(directory: Path) -> float:
    """The blocks that the files below `directory` take."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file()) / MIB


def flushes() -> int:
    """How often all disks of the machine were told to write what they have, whoever asked."""
    return sum(int(fields[FLUSHES]) for fields in _disks() if len(fields) > FLUSHES)


def sync_ms(path: Path) -> float:
    """The median milliseconds of appending a block to a file so that it survives a power loss."""
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(BLOCK)
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return round(statistics.median(took) * 1000, 2)


def _family(pid: int | None) -> Iterable[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _disks() -> Iterable[list[str]]:
    try:
        lines = Path("/proc/diskstats").read_text().splitlines()
    except OSError:
        return []
    return [line.split() for line in lines]
