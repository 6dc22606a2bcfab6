"""The most memory that processes have had."""

from pathlib import Path

import psutil


def peak_memory_mb(pid: int | None = None) -> int:
    """Of a process, this one by default, and of its children; Linux counts in KB."""
    process = psutil.Process(pid)
    return sum(high_water_mb(one.pid) for one in (process, *process.children(recursive=True)))


def high_water_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
