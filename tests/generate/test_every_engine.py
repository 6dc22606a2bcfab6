"""What every engine promises, on the same tiny model: the engines that run one here, servers of OpenAI's API, echo."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from transformers import AutoTokenizer

from events.runtime.clock import SystemClock
from events.schema import FailureReason, FinishReason, Role, Sampling, Turn
from functions.generate.engine import Engine, GeneratedAnswer
from functions.generate.handler import generate
from functions.generate.registry import ENGINES
from functions.worker.outcomes import Reject, Retry
from observability.telemetry import noop_telemetry
from tests.generate.lessons import CONTEXT, COUNTING, GREETING, PLACE, READING, SILENCE, TEMPLATE, Taught
from tests.generate.served import EVERY, SLOTS, Served, Shown, asked

pytest.importorskip("openai")
pytestmark = pytest.mark.asyncio(loop_scope="module")

GREEDY = Sampling(temperature=0, max_new_tokens=40, repetition_penalty=1)
WILD = Sampling(temperature=5, top_k=0, top_p=1, max_new_tokens=20, repetition_penalty=1, seed=1)
LONG = GREEDY.model_copy(update={"max_new_tokens": CONTEXT // 2})

UNKNOWN = "где море и что ты читаешь?"

HERE = ["openvino", "narrow", "transformers"]
SERVERS = ["openai", "llamacpp"]
MODELS = [*HERE, *SERVERS]
OWN = [*HERE, "openai"]
"""Those that can be watched at work."""


def served_by(*names: str) -> Any:
    return pytest.mark.parametrize("served", names, indirect=True, scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=EVERY)
async def served(request: pytest.FixtureRequest, taught: Taught, cache: Path) -> AsyncIterator[Served]:
    served = EVERY[request.param](taught, cache)
    await served.start()
    yield served
    await served.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(served: Served) -> AsyncIterator[Engine]:
    async with served.engine() as engine:
        yield engine


async def test_every_registered_engine_is_put_to_the_test() -> None:
    assert set(ENGINES) <= set(EVERY)


async def begun(engine: Engine) -> "asyncio.Task[GeneratedAnswer]":
    """A long answer that is being written."""
    shown = Shown()
    task = asyncio.create_task(engine.generate(asked(COUNTING), LONG, on_progress=shown))
    await asyncio.wait_for(shown.begun.wait(), 30)
    return task


@pytest.mark.parametrize("question", [GREETING, READING, PLACE])
async def test_it_answers_and_stops_where_the_answer_ends(served: Served, engine: Engine, question: str) -> None:
    answer = await engine.generate(asked(question), GREEDY)
    assert answer.text == served.says(question)
    assert answer.finish_reason is FinishReason.STOP
    assert answer.usage.input_tokens > 0
    assert 0 < answer.usage.output_tokens < GREEDY.max_new_tokens


@served_by(*MODELS)
async def test_it_says_who_it_is_and_how_long_it_took(served: Served, engine: Engine) -> None:
    answer = await engine.generate(asked(GREETING), GREEDY)
    assert answer.prompt_seconds > 0
    assert answer.generation_seconds > 0
    assert engine.provider in EVERY
    assert "taught" in engine.model


@served_by(*MODELS)
async def test_the_length_limit_is_told_and_kept(engine: Engine) -> None:
    answer = await engine.generate(asked(COUNTING), GREEDY.model_copy(update={"max_new_tokens": 3}))
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.usage.output_tokens == 3


@served_by(*MODELS)
async def test_an_answer_that_the_limit_cuts_ends_with_a_whole_sentence(served: Served, engine: Engine) -> None:
    whole = await engine.generate(asked(READING), GREEDY)
    cut = await engine.generate(
        asked(READING), GREEDY.model_copy(update={"max_new_tokens": whole.usage.output_tokens - 3})
    )
    assert (cut.text, cut.finish_reason) == ("Книгу про море.", FinishReason.LENGTH)


async def test_greedy_needs_no_seed(engine: Engine) -> None:
    one = await engine.generate(asked(COUNTING), GREEDY)
    other = await engine.generate(asked(COUNTING), GREEDY.model_copy(update={"seed": 9}))
    assert one.text == other.text


@served_by(*MODELS)
async def test_a_seed_decides_the_answer(engine: Engine) -> None:
    """Of several, as llama.cpp first drops what is unlikely, whatever the temperature."""
    first, again = [
        [(await engine.generate(asked(UNKNOWN), WILD.model_copy(update={"seed": seed}))).text for seed in range(4)]
        for _ in range(2)
    ]
    assert first == again
    assert len(set(first)) > 1


@pytest.mark.parametrize("sampling", [GREEDY, WILD])
async def test_answers_are_the_same_alone_and_together(engine: Engine, sampling: Sampling) -> None:
    """More than there are slots, of unequal lengths, so that they join and leave."""
    questions = [
        (asked(f"{'слово ' * number}{COUNTING}"), sampling.model_copy(update={"seed": number}))
        for number in range(2 * SLOTS)
    ]
    alone = [(await engine.generate(*question)).text for question in questions]
    together = await asyncio.gather(*(engine.generate(*question) for question in questions))
    assert [answer.text for answer in together] == alone


@served_by(*MODELS)
@pytest.mark.parametrize("sampling", [GREEDY, WILD])
async def test_no_answer_is_empty(engine: Engine, make_request: Any, sampling: Sampling) -> None:
    """The model is tried again; what stays silent has failed."""
    request = make_request(text=SILENCE).model_copy(update={"sampling": sampling})
    [completed] = await asyncio.gather(
        generate(request, engine=engine, spans=noop_telemetry().spans, clock=SystemClock()), return_exceptions=True
    )
    if isinstance(completed, Reject):
        assert completed.reason is FailureReason.EMPTY
    else:
        assert completed.text.strip()


@served_by(*MODELS)
async def test_what_was_said_before_is_drawn_again(served: Served, engine: Engine, make_request: Any) -> None:
    """Until it differs, or the third time: the model may know no other answer. It sees the question alone."""
    said = served.says(READING)
    long = Turn(role=Role.USER, text="слово " * 5000)
    turns = (Turn(role=Role.ASSISTANT, text=said), long, *asked(READING))
    sampling = GREEDY.model_copy(update={"temperature": 0.01})
    once = await engine.generate(turns, sampling)
    assert once.text == said
    request = make_request().model_copy(update={"turns": turns, "sampling": sampling})
    completed = await generate(request, engine=engine, spans=noop_telemetry().spans, clock=SystemClock())
    draws = completed.usage.input_tokens // once.usage.input_tokens
    assert draws == 3 or (draws == 2 and completed.text != said)
    assert completed.usage.input_tokens == draws * once.usage.input_tokens
    assert completed.usage.output_tokens > once.usage.output_tokens


@served_by(*MODELS)
async def test_the_answer_to_a_long_conversation_fits_the_context(engine: Engine) -> None:
    answer = await engine.generate(asked(*["слово " * 200] * 20, COUNTING), WILD)
    assert 0 < answer.usage.input_tokens + answer.usage.output_tokens <= CONTEXT


@served_by(*MODELS)
async def test_a_question_too_long_by_itself_is_answered_too(engine: Engine) -> None:
    answer = await engine.generate(asked("слово " * 5000 + GREETING), GREEDY)
    assert 0 < answer.usage.input_tokens + answer.usage.output_tokens <= CONTEXT


@served_by(*MODELS)
async def test_an_old_turn_that_does_not_fit_changes_nothing(served: Served, engine: Engine) -> None:
    answer = await engine.generate(asked("слово " * 5000, "слово", GREETING), GREEDY)
    alone = await engine.generate(asked("слово", GREETING), GREEDY)
    assert (answer.text, answer.usage) == (alone.text, alone.usage)


@served_by(*HERE)
async def test_the_input_limit_is_kept(served: Served) -> None:
    async with served.engine(max_input_tokens=64) as engine:
        answer = await engine.generate(asked("слово " * 500), GREEDY)
    assert 0 < answer.usage.input_tokens <= 64


@served_by(*MODELS)
async def test_a_persona_is_read_with_the_question(engine: Engine) -> None:
    plain, told = [
        await engine.generate(asked("слово " * 100, "да", GREETING), GREEDY, persona=persona)
        for persona in ("", "раз " * 9)
    ]
    assert told.usage.input_tokens >= plain.usage.input_tokens + 9


@served_by(*MODELS)
async def test_a_speakers_name_is_read_with_the_words(engine: Engine) -> None:
    plain, named = [
        await engine.generate([Turn(role=Role.USER, text=GREETING, speaker=name)], GREEDY) for name in ("", "Анна К")
    ]
    assert named.usage.input_tokens >= plain.usage.input_tokens + 3


@served_by(*MODELS)
async def test_a_persona_longer_than_the_context_is_shortened(engine: Engine) -> None:
    answer = await engine.generate(asked(GREETING), GREEDY, persona="слово " * 5000)
    assert CONTEXT // 3 < answer.usage.input_tokens + answer.usage.output_tokens <= CONTEXT


@served_by(*MODELS)
async def test_more_tokens_than_the_context_holds_are_not_written(engine: Engine) -> None:
    answer = await engine.generate(asked(COUNTING), GREEDY.model_copy(update={"max_new_tokens": 4096}))
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.usage.input_tokens + answer.usage.output_tokens <= CONTEXT


@served_by(*MODELS)
@pytest.mark.parametrize("name", ["<eos>", "<|im_end|>"])
async def test_control_tokens_that_a_person_writes_are_words(engine: Engine, name: str) -> None:
    """As words they are many tokens, for real each would be one."""
    plain = await engine.generate(asked("a"), GREEDY)
    answer = await engine.generate(asked(f"a {name * 5}"), GREEDY)
    assert answer.usage.input_tokens > plain.usage.input_tokens + 5 * 3


async def test_an_answer_is_text_whatever_was_asked(engine: Engine) -> None:
    questions = [
        "",
        " \n",
        "😀👨\u200d👩\u200d👧",
        "\u202eперевёрнуто",
        "日本語",
        "a\u0301\u0300",
        "\x00\x1b[31m",
        "\ufdd0",
    ]
    for question in questions:
        answer = await engine.generate(asked(question), WILD)
        assert "\ufffd" not in answer.text
        answer.text.encode()


@served_by(*MODELS)
async def test_usage_counts_the_prompt_and_the_answer(engine: Engine, taught_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(taught_model)
    for turns in (asked(GREETING), asked(PLACE, "В Токио.", GREETING)):
        answer = await engine.generate(turns, GREEDY)
        messages = [{"role": turn.role.value, "content": turn.text} for turn in turns]
        prompt = tokenizer.apply_chat_template(
            messages, chat_template=TEMPLATE, add_generation_prompt=True, return_dict=False
        )
        assert answer.usage.input_tokens == len(prompt)
        if len(turns) == 1:
            written = tokenizer.encode(f" {answer.text}\n", add_special_tokens=False)
            assert answer.usage.output_tokens == len(written)


async def test_what_is_shown_grows_to_the_answer(served: Served, engine: Engine, told_at_every_token: None) -> None:
    for question in (READING, PLACE):
        shown = Shown()
        answer = await engine.generate(asked(question), GREEDY, on_progress=shown)
        assert answer.text == served.says(question)
        assert all(after.startswith(before) for before, after in pairwise(shown.texts))
        assert all(answer.text.startswith(text) for text in shown.texts)


@served_by(*OWN)
async def test_it_shows_whole_words_as_they_come(served: Served, engine: Engine, told_at_every_token: None) -> None:
    shown = Shown()
    await engine.generate(asked(READING), GREEDY, on_progress=shown)
    assert shown.texts
    assert {word for text in shown.texts for word in text.split()} <= set(served.says(READING).split())


@served_by(*MODELS)
async def test_an_answer_is_none_the_worse_if_it_can_not_be_shown(
    served: Served, engine: Engine, told_at_every_token: None
) -> None:
    async def fails(text: str) -> None:
        raise ConnectionError

    answer = await engine.generate(asked(READING), GREEDY, on_progress=fails)
    assert answer.text == served.says(READING)


async def test_nothing_is_shown_once_the_answer_is_there(engine: Engine, told_at_every_token: None) -> None:
    shown = Shown()
    await engine.generate(asked(READING), GREEDY, on_progress=shown)
    before = list(shown.texts)
    await engine.generate(asked(COUNTING), GREEDY)
    assert shown.texts == before


@served_by(*OWN)
async def test_a_cancelled_answer_makes_room_at_once(served: Served) -> None:
    async with served.engine(slots=1) as engine:
        wrote = served.wrote
        long = await begun(engine)
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        # It takes as long as the one before would have taken.
        next_one = await engine.generate(asked(COUNTING), LONG)
        assert next_one.text
        assert served.wrote - wrote < LONG.max_new_tokens + next_one.usage.output_tokens


@served_by(*OWN)
async def test_cancelled_before_its_turn_it_is_never_written(served: Served) -> None:
    async with served.engine(slots=1) as engine:
        wrote = served.wrote
        tasks = [asyncio.create_task(engine.generate(asked(COUNTING), LONG)) for _ in range(10)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=30)
        assert all(task.cancelled() for task in tasks)
        next_one = await engine.generate(asked(COUNTING), LONG)
        assert served.wrote - wrote < 5 * LONG.max_new_tokens
        assert next_one.text


@served_by(*OWN)
async def test_closing_ends_what_is_being_written(served: Served) -> None:
    async with served.engine(slots=1) as engine:
        task = await begun(engine)
        waiting = asyncio.create_task(engine.generate(asked(COUNTING), LONG))
        await asyncio.sleep(0)
        await engine.close()
        done, left = await asyncio.wait({task, waiting}, timeout=30)
        assert not left
        for one in done:
            assert one.cancelled() or one.exception() is None or isinstance(one.exception(), Retry)


@served_by("openvino", "openai")
async def test_what_a_killed_model_had_in_hand_is_tried_again(served: Served) -> None:
    async with served.engine(slots=1) as engine:
        # Enough of them that not all can be written before it is killed.
        tasks = [await begun(engine), *(asyncio.create_task(engine.generate(asked(COUNTING), LONG)) for _ in range(8))]
        await served.kill()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert any(isinstance(one, Retry) for one in done)
        assert all(isinstance(one, GeneratedAnswer | Retry) for one in done)
    await served.revive()


@served_by("openvino", *SERVERS)
async def test_a_killed_model_comes_back(served: Served) -> None:
    async with served.engine(slots=1) as engine:
        await served.kill()
        with suppress(Retry):
            await engine.generate(asked(GREETING), GREEDY)
        await served.revive()
        assert (await engine.generate(asked(GREETING), GREEDY)).text == served.says(GREETING)
