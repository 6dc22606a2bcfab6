"""The generate function: a request in, an answer out; everything it needs is in its arguments."""

from events.runtime.clock import Clock
from events.schema import GenerationCompleted, GenerationRequested, Timings
from functions.generate.decoding.drawing import Drawing, LiveText, ProgressSender
from functions.generate.decoding.repetition import EarlierTexts
from functions.generate.engine import Engine
from observability.spans import Spans


async def generate(
    request: GenerationRequested, *, engine: Engine, spans: Spans, clock: Clock, tell: ProgressSender | None = None
) -> GenerationCompleted:
    """Answer the last turn of `request`; `tell` what is written meanwhile, if the asker wants to see it.

    Raises
    ------
    Reject
        The model had nothing to say, three times over.
    Retry
        The engine can't answer now.
    """
    request = request.model_copy(update={"sampling": request.sampling.with_own(engine.own_sampling)})
    with spans.chat(engine.model, engine.provider, request) as chat:
        earlier = _earlier(request, engine)
        live = LiveText(request.request_id, tell, earlier) if tell and request.live else None
        generated = await Drawing(request, engine, earlier=earlier, live=live, clock=clock, chat=chat).answer()
        timings = Timings(prompt=generated.prompt_seconds, generation=generated.generation_seconds)
        chat.record_answer(
            generated.text, finish_reason=generated.finish_reason, usage=generated.usage, timings=timings
        )
    return GenerationCompleted(
        request_id=request.request_id,
        text=generated.text,
        finish_reason=generated.finish_reason,
        model=engine.model,
        usage=generated.usage,
        timings=timings,
    )


def _earlier(request: GenerationRequested, engine: Engine) -> EarlierTexts:
    """What the answer should not be once more: nothing where another draw would bring the same."""
    draws_differ = engine.samples and not request.sampling.is_greedy
    return EarlierTexts.of(request.turns, request.sampling) if draws_differ else EarlierTexts([])
