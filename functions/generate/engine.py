"""The protocol of engines: what the handler needs of a language model."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from events.schema import FinishReason, Sampling, Turn, Usage

CLOSE_TIMEOUT = timedelta(seconds=1)
"""How long to wait for an engine to close; what it still computes is discarded."""


@dataclass(frozen=True, slots=True)
class GeneratedAnswer:
    """One draw of an answer; `text` may be empty. Times in seconds."""

    text: str
    finish_reason: FinishReason
    usage: Usage
    prompt_seconds: float = 0.0
    generation_seconds: float = 0.0


OnProgress = Callable[[str], Awaitable[None]]
"""Called several times a second with the start of `GeneratedAnswer.text` that is written; the same text may recur."""


class Engine(Protocol):
    """Safe to call concurrently; never blocks the event loop; stores nothing of a conversation."""

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
        """Whether it follows a request's sampling, so that another seed may give another answer."""
        ...

    @property
    def own_sampling(self) -> Mapping[str, float]:
        """The sampling values that suit the model, by the names of `Sampling`."""
        ...

    async def generate(
        self,
        turns: Sequence[Turn],
        sampling: Sampling,
        *,
        persona: str = "",
        on_progress: OnProgress | None = None,
    ) -> GeneratedAnswer:
        """Answer the last turn. Raises `Reject` if the engine can't ever answer it, `Retry` if it can't now.

        `persona`: who answers, in the owner's words; it goes where the model's format has its place for that, and is
        shortened if it leaves the question no room.
        `on_progress` is not called after the return. An engine without partial text never calls it.
        """
        ...

    async def close(self) -> None: ...
