"""An engine without a model: it says its word, then what it has heard."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from events.runtime.clock import Clock
from events.schema import FinishReason, Sampling, Turn, Usage
from functions.generate.engine import GeneratedAnswer, OnProgress
from functions.generate.settings import GenerateSettings


async def open_engine(settings: GenerateSettings, *, clock: Clock) -> "MynahEngine":
    """Open the engine as the settings say."""
    return MynahEngine(settings.mynah_word)


class MynahEngine:
    """Implements `functions.generate.engine.Engine`."""

    model = "mynah"
    provider = "mynah"
    samples = False
    own_sampling: Mapping[str, float] = MappingProxyType({})

    def __init__(self, word: str) -> None:
        self._word = word

    async def generate(
        self,
        turns: Sequence[Turn],
        sampling: Sampling,
        *,
        persona: str = "",
        on_progress: OnProgress | None = None,
    ) -> GeneratedAnswer:
        """Answer at once. It follows no persona."""
        text = f"{self._word} {turns[-1].text}"
        words = len(text.split())
        usage = Usage(input_tokens=words, output_tokens=words)
        return GeneratedAnswer(text=text, finish_reason=FinishReason.STOP, usage=usage)

    async def close(self) -> None:
        """Nothing to give back."""
