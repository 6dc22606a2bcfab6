"""The generate function: a request in, an answer out; everything it needs is in its arguments."""

from collections.abc import Awaitable, Callable

from events.schema import (
    FailureReason,
    GenerationCompleted,
    GenerationProgressed,
    GenerationRequested,
    Sampling,
    Timings,
)
from functions.generate.engine import Engine, Generated, Progressed
from functions.verdicts import Reject
from observability.spans import Spans

MAX_TRIES = 3
"""An empty answer is tried again with another seed, twice."""


Tell = Callable[[GenerationProgressed], Awaitable[None]]


async def generate(
    request: GenerationRequested, *, engine: Engine, spans: Spans, tell: Tell | None = None
) -> GenerationCompleted:
    """Answer the last turn of `request`; `tell` what is written meanwhile, if the asker wants to see it.

    Raises
    ------
    Reject
        The model had nothing to say, three times over.
    Retry
        The engine can't answer now.
    """
    with spans.chat(engine.model, engine.provider, request) as chat:
        progressed = _progressed(request, tell) if tell and request.live else None
        generated = await _until_not_empty(request, engine, progressed)
        timings = Timings(prompt=generated.prompt_seconds, generation=generated.generation_seconds)
        chat.answered(generated.text, finish_reason=generated.finish_reason, usage=generated.usage, timings=timings)
    return GenerationCompleted(
        request_id=request.request_id,
        text=generated.text,
        finish_reason=generated.finish_reason,
        model=engine.model,
        usage=generated.usage,
        timings=timings,
    )


async def _until_not_empty(request: GenerationRequested, engine: Engine, progressed: Progressed | None) -> Generated:
    for number in range(MAX_TRIES):
        sampling = _reseeded(request.sampling, number)
        generated = await engine.generate(request.turns, sampling, progressed=progressed)
        if generated.text.strip():
            return generated
    raise Reject(f"the model gave an empty answer {MAX_TRIES} times", reason=FailureReason.EMPTY)


def _progressed(request: GenerationRequested, tell: Tell) -> Progressed:
    """Tells every new text once, in order."""
    last, sequence = "", 0

    async def progressed(text: str) -> None:
        nonlocal last, sequence
        if text and text != last:
            last, sequence = text, sequence + 1
            await tell(GenerationProgressed(request_id=request.request_id, text=text, sequence=sequence))

    return progressed


def _reseeded(sampling: Sampling, number: int) -> Sampling:
    return sampling.model_copy(update={"seed": (sampling.seed + number) % 2**32})
