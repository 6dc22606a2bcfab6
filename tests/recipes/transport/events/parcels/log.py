"""Events in the memory of one process."""

import psutil

from events.memory import MemoryLog


class ParcelLog(MemoryLog):
    """Implements `events.transport.Log`."""

    @property
    def owner(self) -> int:
        return psutil.Process().pid
