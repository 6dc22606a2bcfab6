"""Ask a process what is inside it: `settings` lets it count, `counted` asks."""

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.listening import listens

PROBE = Path(__file__).parent / "probe"
PATIENCE = 15.0
"""Seconds for an answer; a process that is starting, dying or cut short by others of this machine gives none."""


def settings(directory: Path) -> dict[str, str]:
    """What a process needs in its environment."""
    directory.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([str(PROBE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "SOAK_CENSUS": str(directory)}


async def counted(directory: Path, pid: int, *, thoroughly: bool = False) -> dict[str, Any] | None:
    """Return the counts of a process: `blocks` of memory that Python has given out, and `tasks`.

    `thoroughly`: without garbage, and with `types` and `task_names`. None: it can't answer now.
    """
    how = signal.SIGUSR2 if thoroughly else signal.SIGUSR1
    answer = directory / f"{pid}.{how}.json"
    try:
        if not listens(pid, how):
            return None
        os.kill(pid, how)
        async with asyncio.timeout(PATIENCE):
            while not answer.exists():  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.02)
        return json.loads(answer.read_text())
    except (OSError, TimeoutError):
        return None
    finally:
        with contextlib.suppress(FileNotFoundError):
            answer.unlink()
