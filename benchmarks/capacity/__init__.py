"""What a question and a chat cost: processor time, memory, disk; the figures behind docs/scaling.md.

`make bench PART=capacity`. Everything runs on this machine, so a wall rate is that of servers and clients together.
What a server can do alone follows from its processor seconds a question.
"""

import asyncio
import tempfile
from pathlib import Path

from benchmarks.capacity import bridge, flood, product, store, usage, worker

Figures = dict[str, object]
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own in it


async def measure() -> Figures:
    """The keys of `capacity` in build/bench.json. Each part says what its own mean."""
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        root = Path(directory)
        return {
            "disk_sync_ms": usage.sync_ms(root / "synced"),
            "nats_1": await flood.measure(root / "one", nodes=1),
            **await _without_a_disk(),
            "nats_3": await flood.measure(root / "three", nodes=3),
            "product": await product.measure(root / "product"),
            "store": await store.measure(root / "store"),
            "worker": await worker.measure(root / "worker"),
            "bridge": await bridge.measure(root / "bridge"),
        }


async def _without_a_disk() -> Figures:
    """One server whose files are in memory, if this machine has such files: what is left when no disk has to sync."""
    if not await asyncio.to_thread(MEMORY.is_dir):
        return {}
    with tempfile.TemporaryDirectory(prefix="timokha-bench-", dir=MEMORY) as directory:
        return {"nats_1_in_memory": await flood.measure(Path(directory), nodes=1)}
