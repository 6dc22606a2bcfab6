"""What the handler asks of a language model."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from events.schema import FinishReason, Sampling, Turn, Usage

CLOSE_TIMEOUT = timedelta(seconds=1)
"""For the engine at the end: what it still computes is wanted by nobody."""


@dataclass(frozen=True, slots=True)
class GeneratedAnswer:
    """One reply; `text` may be empty. Times in seconds."""

    text: str
    finish_reason: FinishReason
    usage: Usage
    prompt_seconds: float = 0.0
    generation_seconds: float = 0.0


OnProgress = Callable[[str], Awaitable[None]]
"""Is told the answer so far, as it will stand in `Generated.text`; several times a second, the same text at times."""


class Engine(Protocol):
    """Safe to call concurrently; never blocks the event loop; keeps nothing of a conversation."""

    @property
    def model(self) -> str:
        """The model's name, as it appears in events and traces."""
        ...

    @property
    def provider(self) -> str:
        """OpenTelemetry's `gen_ai.provider.name`, e.g. `transformers`."""
        ...

    @property
    def samples(self) -> bool:
        """Whether it samples as a request says, so that another seed may bring another answer."""
        ...

    @property
    def own_sampling(self) -> Mapping[str, float]:
        """What the model prefers of a request's sampling, by its names."""
        ...

    async def generate(
        self, turns: Sequence[Turn], sampling: Sampling, *, progressed: OnProgress | None = None
    ) -> GeneratedAnswer:
        """Answer the last turn. Raises `Reject` if the engine can't ever answer it, `Retry` if not now.

        `progressed` is not called any more once this has returned. An engine that can't tell does not call it.
        """
        ...

    async def close(self) -> None: ...
