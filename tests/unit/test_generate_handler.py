"""The handler: pure, so its tests need nothing but an engine."""

import pytest

from events.schema import FailureReason, FinishReason, Usage
from functions.generate.engine import Generated
from functions.generate.engines.echo import EchoEngine
from functions.generate.handler import generate as generate_with
from functions.verdicts import Reject
from observability.telemetry import silent


async def generate(request, *, engine):
    return await generate_with(request, engine=engine, spans=silent().spans)


class Scripted:
    """An engine that says its lines in order and remembers the seeds it was given."""

    model, provider = "scripted", "test"

    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)
        self.seeds: list[int] = []

    async def generate(self, turns, sampling):
        self.seeds.append(sampling.seed)
        return Generated(self._lines.pop(0), FinishReason.STOP, Usage(input_tokens=1, output_tokens=2), 0.5, 1.5)

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
    assert (await generate(make_request(text=text), engine=EchoEngine())).text == text
