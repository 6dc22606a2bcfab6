"""What a chat at rest costs nats-server: stores of two sizes, each after a restart, as months of use leave them."""

from pathlib import Path

from benchmarks.capacity import usage
from benchmarks.progress import tell
from benchmarks.stored import at_rest, stored

ACCOUNT = "1"
SIZES = (10_000, 210_000)

Figures = dict[str, object]


async def measure(directory: Path) -> Figures:
    """The slope between the two sizes: disk and memory of nats-server by the chat, and the size of one record."""
    disk, memory = [], []
    for chats in SIZES:
        tell(f"storing {chats:,} chats")
        own = directory / str(chats)
        own.mkdir(parents=True)
        async with stored(own, ACCOUNT, chats=chats, own={}, asked_today=1) as server:
            disk.append(usage.disk_mib(own))
            memory.append(usage.resident_mib(server.pid))
    more = SIZES[1] - SIZES[0]
    return {
        "record_bytes": len(at_rest().to_json()),
        "disk_bytes_a_chat": round((disk[1] - disk[0]) * usage.MIB / more),
        "nats_memory_bytes_a_chat": round((memory[1] - memory[0]) * usage.MIB / more),
        "nats_memory_mib": round(memory[0]),
    }
