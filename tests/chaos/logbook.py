"""What the userbot has logged, with its times on the monotonic clock of this process."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.promises.history import Line
from tests.promises.logbook import line_of


def read(path: Path, account: str) -> Iterator[Line]:
    """Yield what matters of it."""
    ahead = time.time() - time.monotonic()
    for entry in _lines(path):
        at = datetime.fromisoformat(entry["time"]).timestamp() - ahead
        if line := line_of(account, entry, at):
            yield line


def tracebacks(path: Path) -> int:
    """How often an error had no line of its own."""
    return path.read_text(errors="replace").count("Traceback (most recent call last)") if path.exists() else 0


def busiest(path: Path) -> int:
    """How many lines were written in the ten seconds that had the most."""
    tens = Counter(int(datetime.fromisoformat(line["time"]).timestamp()) // 10 for line in _lines(path))
    return max(tens.values(), default=0)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(errors="replace").splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and {"time", "event"} <= found.keys():
            yield found
