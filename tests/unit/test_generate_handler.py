"""The handler: pure, so its tests need nothing but an engine."""

from datetime import timedelta
from types import MappingProxyType

import pytest

from events.runtime.clock import SystemClock
from events.schema import Exchange, FailureReason, FinishReason, Role, Sampling, Turn, Usage
from functions.generate.engine import GeneratedAnswer
from functions.generate.engines.echo import EchoEngine
from functions.generate.handler import generate as generate_with
from functions.worker.outcomes import Reject
from observability.telemetry import noop_telemetry


async def generate(request, *, engine, send_progress=None):
    return await generate_with(
        request, engine=engine, spans=noop_telemetry().spans, clock=SystemClock(), send_progress=send_progress
    )


class Scripted:
    """An engine that says its lines in order and remembers the seeds it was given."""

    model, provider, samples = "scripted", "test", True
    own_sampling = MappingProxyType({})
    written: tuple[str, ...] = ()

    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)
        self.seeds: list[int] = []
        self.samplings: list[Sampling] = []
        self.was_watched = False

    async def generate(self, turns, sampling, *, persona="", on_progress=None):
        self.read = [turn.text for turn in turns]
        self.seeds.append(sampling.seed)
        self.samplings.append(sampling)
        self.was_watched = on_progress is not None
        for text in self.written if on_progress else ():
            await on_progress(text)
        return GeneratedAnswer(self._lines.pop(0), FinishReason.STOP, Usage(input_tokens=1, output_tokens=2), 0.5, 1.5)

    async def close(self) -> None: ...


async def test_an_answer_carries_text_model_usage_and_timings(make_request) -> None:
    completed = await generate(make_request("1.2.3.4"), engine=Scripted("да"))
    assert completed.model_dump() == {
        "request_id": "1.2.3.4",
        "text": "да",
        "finish_reason": FinishReason.STOP,
        "model": "scripted",
        "usage": {"input_tokens": 1, "output_tokens": 2},
        "timings": {"queued": 0.0, "prompt": 0.5, "generation": 1.5},
    }


async def test_a_models_own_sampling_counts_where_nobody_chose(make_request) -> None:
    engine = Scripted("да")
    engine.own_sampling = {"temperature": 0.7, "top_p": 0.5, "repetition_penalty": 1.0}
    chosen = Sampling(temperature=0.1, by_default=("top_p", "top_k", "repetition_penalty"))
    await generate(make_request().model_copy(update={"sampling": chosen}), engine=engine)
    (used,) = engine.samplings
    assert (used.temperature, used.top_p, used.top_k, used.repetition_penalty) == (0.1, 0.5, 20, 1.0)


async def test_what_an_earlier_userbot_asks_for_was_chosen(make_request) -> None:
    engine = Scripted("да")
    engine.own_sampling = {"temperature": 0.7}
    await generate(make_request(), engine=engine)
    assert engine.samplings[0].temperature == 0.2


async def test_earlier_exchanges_are_read_before_the_conversation_and_are_no_repetition(make_request) -> None:
    engine = Scripted("Да, конечно, к семи.")
    memory = (Exchange(question="придёшь?", answer="Да, конечно, к семи."),)
    asked = make_request().model_copy(update={"memory": memory})
    completed = await generate(asked, engine=engine)
    assert engine.read == ["придёшь?", "Да, конечно, к семи.", *(turn.text for turn in asked.turns)]
    assert (completed.text, len(engine.seeds)) == ("Да, конечно, к семи.", 1)


async def test_an_empty_answer_is_tried_again_with_another_seed(make_request) -> None:
    engine = Scripted("", " \n", "да")
    assert (await generate(make_request(), engine=engine)).text == "да"
    assert len(set(engine.seeds)) == 3


async def test_three_empty_answers_are_a_failure(make_request) -> None:
    with pytest.raises(Reject) as rejected:
        await generate(make_request(), engine=Scripted("", "", ""))
    assert rejected.value.reason is FailureReason.EMPTY


async def test_the_echo_engine_answers_with_the_last_turn_unchanged(make_request) -> None:
    text = "  @@ПЕРВЫЙ@@ <:> привет\n"
    assert (await generate(make_request(text=text), engine=EchoEngine(clock=SystemClock()))).text == text


async def test_what_is_written_meanwhile_is_told_once_each_in_order(make_request) -> None:
    engine = Scripted("да, конечно")
    engine.written = ("", "да,", "да,", "да, конечно")
    told = []

    async def send_progress(progressed) -> None:
        told.append((progressed.request_id, progressed.sequence, progressed.text))

    request = make_request("1.2.3.4").model_copy(update={"live": True})
    assert (await generate(request, engine=engine, send_progress=send_progress)).text == "да, конечно"
    assert told == [("1.2.3.4", 1, "да,"), ("1.2.3.4", 2, "да, конечно")]


@pytest.mark.parametrize(("live", "heard"), [(False, True), (True, False)])
async def test_nothing_is_told_to_nobody(make_request, live, heard) -> None:
    async def send_progress(progressed) -> None:
        raise AssertionError

    engine = Scripted("да")
    request = make_request().model_copy(update={"live": live})
    await generate(request, engine=engine, send_progress=send_progress if heard else None)
    assert not engine.was_watched


async def test_the_echo_engine_shows_its_words_over_its_delay() -> None:
    shown = []

    async def on_progress(text: str) -> None:
        shown.append(text)

    turns = [Turn(role=Role.USER, text=" один два\nтри четыре ")]
    answer = await EchoEngine(timedelta(seconds=0.4), clock=SystemClock()).generate(
        turns, Sampling(), on_progress=on_progress
    )
    assert shown == [" один", " один два", " один два\nтри"]
    assert answer.text == turns[0].text
