"""Which signals a process handles itself. Before Python has come as far as our code it can heed none."""

import signal
from pathlib import Path


def listens(pid: int, number: signal.Signals = signal.SIGTERM) -> bool:
    """Return whether the process has a handler for the signal. Needs Linux's /proc."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
    return bool(caught >> (number - 1) & 1)
