"""A model that is being prepared when its process is killed: nothing goes on without it, and nothing is in the way."""

import asyncio
import sys
from pathlib import Path

import psutil
from rich.console import Console

from functions.generate.models.preparing import prepare_model

PREPARE = """
import sys
from pathlib import Path
from rich.console import Console
from functions.generate.models.preparing import prepare_model
if __name__ == "__main__":
    prepare_model(sys.argv[1], Path(sys.argv[2]), bits=8, console=Console(quiet=True))
"""
WITHIN = 60
"""Seconds until the test gives up."""


def exporting(parent: psutil.Process) -> list[psutil.Process]:
    return [child for child in parent.children() if any("torch" in mapped.path for mapped in child.memory_maps())]


async def test_the_process_that_exports_ends_with_the_one_that_waits_for_it(random_model: Path, tmp_path: Path) -> None:
    script = tmp_path / "prepare.py"
    script.write_text(PREPARE)
    cache = tmp_path / "cache"
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), str(random_model), str(cache))
    try:
        async with asyncio.timeout(WITHIN):
            while not (children := exporting(psutil.Process(process.pid))):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        process.kill()
        await process.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, children, WITHIN / 2)
    for child in alive:
        child.kill()
    assert (gone, alive) == (children, [])
    assert prepare_model(str(random_model), cache, bits=8, console=Console(quiet=True)).is_dir()
