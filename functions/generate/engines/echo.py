"""An engine without a model: it answers with the last turn, after a delay."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

from events.runtime.clock import Clock
from events.schema import FinishReason, Sampling, Turn, Usage
from functions.generate.engine import GeneratedAnswer, OnProgress
from functions.generate.settings import GenerateSettings

INTERVAL = timedelta(seconds=0.1)
"""Least time between two partial texts."""

_WORD = re.compile(r"\S+")


async def open_engine(settings: GenerateSettings, *, clock: Clock) -> "EchoEngine":
    """Open the engine as the settings say."""
    return EchoEngine(settings.echo_delay, clock=clock)


class EchoEngine:
    """Implements `functions.generate.engine.Engine`."""

    model = "echo"
    provider = "timokha"
    samples = False
    own_sampling: Mapping[str, float] = MappingProxyType({})

    def __init__(self, delay: timedelta = timedelta(0), *, clock: Clock) -> None:
        self._delay = delay
        self._clock = clock

    async def generate(
        self,
        turns: Sequence[Turn],
        sampling: Sampling,
        *,
        persona: str = "",
        on_progress: OnProgress | None = None,
    ) -> GeneratedAnswer:
        """Tells the words evenly over the delay, as if they were being written. It follows no persona."""
        if on_progress is not None:
            await self._write(turns[-1].text, on_progress)
        elif self._delay:
            await self._clock.sleep(self._delay)
        words = len(turns[-1].text.split())
        return GeneratedAnswer(
            text=turns[-1].text,
            finish_reason=FinishReason.STOP,
            usage=Usage(input_tokens=words, output_tokens=words),
            generation_seconds=self._delay.total_seconds(),
        )

    async def _write(self, text: str, on_progress: OnProgress) -> None:
        ends = [word.end() for word in _WORD.finditer(text)]
        steps = max(1, min(len(ends), self._delay // INTERVAL))
        for step in range(1, steps):
            await self._clock.sleep(self._delay / steps)
            await on_progress(text[: ends[len(ends) * step // steps - 1]])
        await self._clock.sleep(self._delay / steps)

    async def close(self) -> None:
        """Nothing to give back."""
