"""Run a story of a test in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from tests.simulation.loop import SimulationLoop

Story = Callable[[SimulationLoop], Coroutine[Any, Any, Any]]


def told(story: Story, seed: int = 1) -> Any:
    """Return what the story returns, in virtual time."""
    loop = SimulationLoop(Random(seed))
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(story(loop))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
