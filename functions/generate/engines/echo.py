"""An engine without a model: it answers with the last turn, after a delay."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from events.schema import FinishReason, Sampling, Turn, Usage
from functions.generate.engine import Generated


class EchoEngine:
    """Implements `functions.generate.engine.Engine`."""

    model = "echo"
    provider = "timokha"

    def __init__(self, delay: timedelta = timedelta(0)) -> None:
        self._delay = delay.total_seconds()

    async def generate(self, turns: Sequence[Turn], sampling: Sampling) -> Generated:
        await asyncio.sleep(self._delay)
        words = len(turns[-1].text.split())
        return Generated(
            text=turns[-1].text,
            finish_reason=FinishReason.STOP,
            usage=Usage(input_tokens=words, output_tokens=words),
            generation_seconds=self._delay,
        )

    async def close(self) -> None:
        """Nothing to give back."""
