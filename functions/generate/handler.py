"""The generate function: a request in, an answer out; everything it needs is in its arguments."""

from events.schema import FailureReason, GenerationCompleted, GenerationRequested, Sampling, Timings
from functions.generate.engine import Engine, Generated
from functions.verdicts import Reject
from observability.spans import Spans

MAX_TRIES = 3
"""An empty answer is tried again with another seed, twice."""


async def generate(request: GenerationRequested, *, engine: Engine, spans: Spans) -> GenerationCompleted:
    """Answer the last turn of `request`.

    Raises
    ------
    Reject
        The model had nothing to say, three times over.
    Retry
        The engine can't answer now.
    """
    with spans.chat(engine.model, engine.provider, request) as chat:
        generated = await _until_not_empty(request, engine)
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


async def _until_not_empty(request: GenerationRequested, engine: Engine) -> Generated:
    for number in range(MAX_TRIES):
        generated = await engine.generate(request.turns, _reseeded(request.sampling, number))
        if generated.text.strip():
            return generated
    raise Reject(f"the model gave an empty answer {MAX_TRIES} times", reason=FailureReason.EMPTY)


def _reseeded(sampling: Sampling, number: int) -> Sampling:
    return sampling.model_copy(update={"seed": (sampling.seed + number) % 2**32})
