"""The generate function: a request in, an answer out; its dependencies are arguments."""

from events.runtime.clock import Clock
from events.schema import GenerationCompleted, GenerationRequested, Timings
from functions.generate.decoding.drawing import Drawing, LiveText, ProgressSender
from functions.generate.decoding.repetition import EarlierTexts
from functions.generate.engine import Engine
from observability.spans import Spans


async def generate(
    request: GenerationRequested,
    *,
    engine: Engine,
    spans: Spans,
    clock: Clock,
    send_progress: ProgressSender | None = None,
) -> GenerationCompleted:
    """Answer the last turn of `request`; pass partial text to `send_progress` if the request asks for it.

    Raises
    ------
    Reject
        The engine can't ever answer this request, or every draw was empty.
    Retry
        The engine can't answer it now.
    """
    sampling = request.sampling.with_own(engine.own_sampling)
    if sampling is not request.sampling:
        request = request.model_copy(update={"sampling": sampling})
    with spans.chat(engine.model, engine.provider, request) as chat:
        draws_differ = engine.samples and not request.sampling.is_greedy
        earlier = EarlierTexts.of_conversation(request.turns, request.sampling) if draws_differ else EarlierTexts([])
        live = LiveText(request.request_id, send_progress, earlier) if send_progress and request.live else None
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
