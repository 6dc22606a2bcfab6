"""An answer that repeats what was said is drawn again: at most twice, in time, and never at the price of an answer."""

import asyncio
from datetime import timedelta
from types import MappingProxyType

import pytest

from events.event import Event
from events.runtime.clock import SystemClock
from events.schema import FinishReason, Role, Sampling, Turn, Usage
from functions.generate.engine import GeneratedAnswer
from functions.generate.engines.echo import EchoEngine
from functions.generate.handler import generate as generate_with
from functions.worker.loop import host_handler
from functions.worker.outcomes import Answered, Reject, Retry
from observability.telemetry import noop_telemetry
from tests.clocks import ManualClock

SAID = "Я тебе всё это приготовлю."
OTHER = "Тогда приготовлю что-нибудь другое, суп."
QUESTION = "что же у нас будет на ужин?"


class Drawn:
    """An engine whose draws are, in order: a text, an error, or a call that takes its time and returns a text.

    Watched, it tells each of its words.
    """

    model, provider = "drawn", "test"

    own_sampling = MappingProxyType({})

    def __init__(self, *draws, samples=True) -> None:
        self._draws = list(draws)
        self.samples = samples
        self.asked: list[Sampling] = []

    async def generate(self, turns, sampling, *, persona="", on_progress=None):
        self.asked.append(sampling)
        draw = self._draws.pop(0)
        if isinstance(draw, Exception):
            raise draw
        text = draw if isinstance(draw, str) else await draw()
        words = text.split()
        for count in range(1, len(words)) if on_progress else ():
            await on_progress(" ".join(words[:count]))
        return GeneratedAnswer(text, FinishReason.STOP, Usage(input_tokens=10, output_tokens=3), 0.5, 2)

    async def close(self) -> None: ...


class Told:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.sequences: list[int] = []

    async def __call__(self, progressed) -> None:
        self.texts.append(progressed.text)
        self.sequences.append(progressed.sequence)


@pytest.fixture
def asked(make_request):
    """`asked(live=…, sampling=…)`: a question after `SAID` was said, and before it «Да.»."""

    def ask(*, seconds=60, **changes):
        talk = [("привет", "Да."), ("приготовишь?", SAID)]
        turns = [
            Turn(role=role, text=text)
            for exchange in talk
            for role, text in zip((Role.USER, Role.ASSISTANT), exchange, strict=True)
        ]
        question = Turn(role=Role.USER, text=QUESTION)
        return make_request("1.2.3.4", seconds=seconds).model_copy(update={"turns": (*turns, question), **changes})

    return ask


async def generate(request, engine, *, clock=None, send_progress=None):
    return await generate_with(
        request, engine=engine, spans=noop_telemetry().spans, clock=clock or SystemClock(), send_progress=send_progress
    )


@pytest.mark.parametrize("said", [SAID, "я тебе все это приготовлю", "Что же у нас будет на ужин?"])
async def test_an_answer_that_was_said_or_asked_before_is_drawn_again(asked, said) -> None:
    engine = Drawn(said, OTHER)
    assert (await generate(asked(), engine)).text == OTHER
    assert len(engine.asked) == 2


@pytest.mark.parametrize("answer", ["Да.", OTHER, "Приготовишь?"])
async def test_another_or_a_short_one_is_sent_as_it_is(asked, answer) -> None:
    engine = Drawn(answer)
    assert (await generate(asked(), engine)).text == answer


async def test_the_third_draw_is_sent_whatever_it_is(asked) -> None:
    engine = Drawn(SAID, SAID, SAID.lower())
    assert (await generate(asked(), engine)).text == SAID.lower()
    assert len(engine.asked) == 3


async def test_draws_differ_in_their_seeds_and_become_livelier(asked) -> None:
    engine = Drawn(SAID, SAID, OTHER)
    await generate(asked(sampling=Sampling(seed=2**32 - 1, temperature=0.2)), engine)
    assert [(sampling.seed, sampling.temperature) for sampling in engine.asked] == [(2**32 - 1, 0.2), (0, 0.7), (1, 1)]


async def test_a_livelier_request_stays_as_lively(asked) -> None:
    engine = Drawn(SAID, SAID, OTHER)
    await generate(asked(sampling=Sampling(temperature=1.5)), engine)
    assert [sampling.temperature for sampling in engine.asked] == [1.5] * 3


async def test_a_redelivered_request_draws_the_same(asked) -> None:
    first, second = Drawn(SAID, SAID, OTHER), Drawn(SAID, SAID, OTHER)
    for engine in (first, second):
        await generate(asked(sampling=Sampling(seed=7)), engine)
    assert first.asked == second.asked


async def test_tokens_and_time_are_those_of_all_draws(asked) -> None:
    completed = await generate(asked(), Drawn(SAID, SAID, OTHER))
    assert completed.usage == Usage(input_tokens=30, output_tokens=9)
    assert (completed.timings.prompt, completed.timings.generation) == (0.5, 2 + 2.5 + 2.5)


@pytest.mark.parametrize("sampling", [Sampling(temperature=0), Sampling(top_k=1)])
async def test_a_greedy_answer_is_drawn_once(asked, sampling) -> None:
    engine = Drawn(SAID)
    assert (await generate(asked(sampling=sampling), engine)).text == SAID


async def test_an_engine_that_does_not_sample_is_asked_once(asked) -> None:
    assert (await generate(asked(), Drawn(SAID, samples=False))).text == SAID


async def test_the_echo_engine_is_asked_once(asked) -> None:
    clock = ManualClock()
    assert (await generate(asked(), EchoEngine(timedelta(seconds=3), clock=clock))).text == QUESTION
    assert clock.slept == [3]


@pytest.mark.parametrize("error", [Retry("busy"), Reject("no"), RuntimeError("secret"), TimeoutError()])
async def test_where_another_draw_fails_the_first_answer_is_sent(asked, error) -> None:
    engine = Drawn(SAID, error)
    assert (await generate(asked(), engine)).text == SAID
    assert len(engine.asked) == 2


async def test_where_the_first_draw_fails_so_does_the_request(asked) -> None:
    with pytest.raises(Retry):
        await generate(asked(), Drawn(Retry("busy"), SAID))


async def test_an_empty_draw_after_a_repetition_is_drawn_again_and_never_the_answer(asked) -> None:
    assert (await generate(asked(), Drawn(SAID, " ", OTHER))).text == OTHER
    assert (await generate(asked(), Drawn(SAID, "", ""))).text == SAID


async def test_empty_draws_and_repetitions_are_three_draws_in_all(asked) -> None:
    engine = Drawn("", SAID, OTHER)
    assert (await generate(asked(), engine)).text == OTHER
    assert [sampling.temperature for sampling in engine.asked] == [0.2, 0.2, 1]


def taking(clock, seconds, text):
    async def take() -> str:
        await clock.sleep(timedelta(seconds=seconds))
        return text

    return take


def test_no_draw_begins_that_would_take_more_than_half_of_the_time_left(asked, virtually) -> None:
    async def life(retrying) -> None:
        clock = retrying.clock
        request = asked(deadline=clock.now() + timedelta(seconds=60))
        engine = Drawn(taking(clock, 21, SAID), OTHER)
        assert (await generate(request, engine, clock=clock)).text == SAID
        assert len(engine.asked) == 1

    virtually(life)


@pytest.mark.parametrize(
    ("first", "second", "all_of_it"),
    [(1, 1000, 1 + 5), (10, 1000, 10 + 25), (4, 1000, 4 + 12), (4, 12.5, 4 + 12), (4, 11, 4 + 11)],
)
def test_an_answer_does_not_wait_long_for_another(asked, virtually, first, second, all_of_it) -> None:
    async def life(retrying) -> None:
        clock = retrying.clock
        request = asked(deadline=clock.now() + timedelta(seconds=60))
        engine = Drawn(taking(clock, first, SAID), taking(clock, second, OTHER))
        outcome = await generate(request, engine, clock=clock)
        assert clock.monotonic() == pytest.approx(all_of_it, abs=0.1)
        assert outcome.text == (OTHER if second == 11 else SAID)

    virtually(life)


def test_a_worker_that_another_draw_holds_up_answers_before_the_deadline(asked, virtually) -> None:
    async def life(retrying) -> None:
        clock = retrying.clock
        request = asked(deadline=clock.now() + timedelta(seconds=8))
        engine = Drawn(taking(clock, 3, SAID), taking(clock, 1000, OTHER))

        async def handler(request):
            return await generate(request, engine, clock=clock)

        handle = host_handler(handler, clock=clock, random=retrying.random)
        outcome = await handle(request, InHand(request, clock.now()))
        assert isinstance(outcome, Answered)
        assert outcome.data.text == SAID

    virtually(life)


class InHand:
    """As much of a delivery as is looked at."""

    attempt = 1

    def __init__(self, request, published_at) -> None:
        self.event = Event.of(request, source="/test", time=published_at)
        self.published_at = published_at


async def test_cancelled_during_another_draw_it_draws_no_more(asked) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def long() -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return OTHER

    engine = Drawn(SAID, long, OTHER)
    task = asyncio.create_task(generate(asked(), engine))
    async with asyncio.timeout(10):
        await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert len(engine.asked) == 2


async def test_nothing_is_shown_of_what_may_be_a_repetition(asked) -> None:
    told = Told()
    engine = Drawn(SAID, "Я тебе всё это приготовлю завтра вечером, подожди.")
    completed = await generate(asked(live=True), engine, send_progress=told)
    assert completed.text == "Я тебе всё это приготовлю завтра вечером, подожди."
    assert told.texts == ["Я тебе всё это приготовлю завтра", "Я тебе всё это приготовлю завтра вечером,"]
    assert told.sequences == [1, 2]


async def test_what_can_be_no_repetition_is_shown_from_its_first_word(asked) -> None:
    told = Told()
    await generate(asked(live=True), Drawn("Суп с грибами."), send_progress=told)
    assert told.texts == ["Суп", "Суп с"]


async def test_what_is_not_drawn_again_is_shown_at_once(asked) -> None:
    told = Told()
    await generate(asked(live=True, sampling=Sampling(temperature=0)), Drawn(SAID), send_progress=told)
    assert told.texts == ["Я", "Я тебе", "Я тебе всё", "Я тебе всё это"]


async def test_after_some_of_it_was_shown_an_answer_is_not_drawn_again(asked) -> None:
    """The length limit may end an answer with what was said before, after more than that was shown."""

    class Cut(Drawn):
        async def generate(self, turns, sampling, *, persona="", on_progress=None):
            self.asked.append(sampling)
            await on_progress(f"{SAID} Потому")
            return GeneratedAnswer(SAID, FinishReason.LENGTH, Usage())

    engine, told = Cut(), Told()
    assert (await generate(asked(live=True), engine, send_progress=told)).text == SAID
    assert told.texts == [f"{SAID} Потому"]
    assert len(engine.asked) == 1


async def test_where_a_draw_that_is_being_shown_fails_the_answer_from_before_is_sent(asked) -> None:
    class Breaking(Drawn):
        async def generate(self, turns, sampling, *, persona="", on_progress=None):
            if not self.asked:
                return await super().generate(turns, sampling, on_progress=on_progress)
            self.asked.append(sampling)
            await on_progress("Суп с")
            raise Retry("broke off")

    engine, told = Breaking(SAID), Told()
    assert (await generate(asked(live=True), engine, send_progress=told)).text == SAID
    assert told.texts == ["Суп с"]
    assert len(engine.asked) == 2
