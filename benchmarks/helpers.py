"""Processes that measure when they are asked: a line in, a line of JSON out."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.memory import peak_memory_mb

PATIENCE = 900.0
"""Seconds for an answer: the first one may have to prepare a model."""
_LINE = 2**20
ROOT = Path(__file__).parents[1]


class HelperEnded(RuntimeError):
    """A helper ended; with its last words."""


class Helper:
    """A process that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, **question: Any) -> Any:
        """Its answer. Raises HelperEnded, TimeoutError."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        return await self.heard()

    async def heard(self) -> Any:
        """What it says next. Raises HelperEnded, TimeoutError."""
        assert self._process.stdout
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            raise HelperEnded(await self._last_words())
        return json.loads(line)

    def peak_memory_mb(self) -> int:
        """Its own and its children's, so far."""
        return peak_memory_mb(self._process.pid)

    async def _last_words(self) -> str:
        assert self._process.stderr
        said = (await self._process.stderr.read()).decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"a helper ended with exit code {await self._process.wait()}"


@asynccontextmanager
async def helper(
    *arguments: str, environment: Mapping[str, str] | None = None, checkout: Path = ROOT
) -> AsyncIterator[Helper]:
    """Python with `arguments`, which sees the modules of `checkout`; killed afterwards."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", *arguments),
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), **(environment or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LINE,
    )
    try:
        yield Helper(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def module(name: str, *arguments: str) -> Sequence[str]:
    """What `helper` takes for a module."""
    return ("-m", name, *arguments)
