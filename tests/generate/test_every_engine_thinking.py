"""What every engine promises about a model that thinks before it answers: the thought is nobody's but the model's."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from events.schema import FinishReason, Sampling
from functions.generate.engine import Engine
from functions.worker.outcomes import Reject
from tests.generate.lessons import BROODING, FRAMED, THINK_IN_CODE, THINKING, THOUGHT, Taught
from tests.generate.served import EVERY, Served, Shown, asked

pytest.importorskip("openai")
pytestmark = pytest.mark.asyncio(loop_scope="module")

GREEDY = Sampling(temperature=0, max_new_tokens=40, repetition_penalty=1)
ANSWER = "Море рядом."
BOUND = 64
"""Tokens that a thought may take; the one that is learned takes fewer, the other one more."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["openvino", "transformers", "openai", "llamacpp"])
async def served(request: pytest.FixtureRequest, thoughtful: Taught, cache: Any) -> AsyncIterator[Served]:
    served = EVERY[request.param](thoughtful, cache)
    await served.start()
    yield served
    await served.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(served: Served) -> AsyncIterator[Engine]:
    async with served.engine(max_thought_tokens=BOUND) as engine:
        yield engine


async def test_an_answer_comes_without_its_thought_and_counts_it(engine: Engine) -> None:
    answer = await engine.generate(asked(THINKING), GREEDY)
    assert (answer.text, answer.finish_reason) == (ANSWER, FinishReason.STOP)
    assert answer.usage.output_tokens > len(ANSWER.split()) + len(THOUGHT.split())


async def test_the_limit_bounds_the_answer_and_not_the_thought(engine: Engine) -> None:
    whole = await engine.generate(asked(THINKING), GREEDY)
    answer = await engine.generate(asked(THINKING), GREEDY.model_copy(update={"max_new_tokens": 8}))
    assert (answer.text, answer.finish_reason) == (ANSWER, FinishReason.STOP)
    assert answer.usage == whole.usage


async def test_nothing_of_a_thought_is_shown(engine: Engine, told_at_every_token: None) -> None:
    shown = Shown()
    answer = await engine.generate(asked(THINKING), GREEDY, on_progress=shown)
    assert answer.text == ANSWER
    assert all(ANSWER.startswith(text) for text in shown.texts)


async def test_no_token_of_a_frame_is_shown(engine: Engine, told_at_every_token: None) -> None:
    """Nor is one that its tokenizer does not call special. The mark of a thought, in code, is a word."""
    shown = Shown()
    answer = await engine.generate(asked(FRAMED), GREEDY, on_progress=shown)
    assert answer.text == f"Море рядом, {THINK_IN_CODE}, Токио."
    assert all(answer.text.startswith(text) for text in shown.texts)


async def test_a_thought_without_an_end_is_never_the_answer(engine: Engine, told_at_every_token: None) -> None:
    shown = Shown()
    try:
        text = (await engine.generate(asked(BROODING), GREEDY, on_progress=shown)).text
    except Reject:
        text = ""
    for said in (text, *shown.texts):
        assert "раз раз" not in said
        assert "think" not in said


async def test_a_thought_in_the_history_is_not_read_again(engine: Engine) -> None:
    turns = [asked(THINKING, answer, THINKING) for answer in (ANSWER, f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}")]
    plain, thoughtful = [(await engine.generate(each, GREEDY)).usage.input_tokens for each in turns]
    assert thoughtful == plain


async def test_answers_are_the_same_alone_and_together(engine: Engine) -> None:
    together = await asyncio.gather(*(engine.generate(asked(THINKING), GREEDY) for _ in range(8)))
    assert {answer.text for answer in together} == {ANSWER}
