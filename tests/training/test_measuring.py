"""A model is asked what it is asked at work, and whoever wants it to end is heard."""

import pytest

from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.engines.transformers.checkpoints import Checkpoint
from functions.generate.models.card import ModelCard
from training.evaluation.measurement import HeldOut, measure, measuring_cost, unique_questions
from training.examples import Example

QUESTION, FIRST, SECOND = (
    Turn(role=role, text=text)
    for role, text in ((Role.USER, "как дела?"), (Role.ASSISTANT, "Хорошо."), (Role.ASSISTANT, "А у вас?"))
)


def example(*turns):
    return Example(turns, tuple((number,) for number in range(len(turns))))


def test_nobody_is_asked_to_go_on_with_words_of_his_own():
    """At work the last turn is never the owner's; a template may refuse one that is."""
    asked = unique_questions([example(QUESTION, FIRST), example(QUESTION, FIRST, SECOND), example(SECOND)])
    assert asked == [example(QUESTION, FIRST)]


@pytest.fixture
def held_out():
    examples = [example(Turn(role=Role.USER, text=f"вопрос {number}"), FIRST) for number in range(12)]
    return HeldOut(examples, examples[:2], examples[2:4], ["Хорошо."], [f"ответ {number}" for number in range(12)])


def test_all_that_is_measured_is_counted(tiny_model, tokenizer, held_out):
    counted = []

    def doing(_, each):
        return lambda more: counted.append(more * each)

    checkpoint = Checkpoint(tiny_model, tokenizer, ModelCard(name="tiny", format="dialogue"))
    measure(checkpoint, held_out, seed=0, clock=SystemClock(), start_step=doing)
    assert sum(counted) == pytest.approx(measuring_cost(held_out))


@pytest.mark.parametrize("phase", ["bits per byte", "recall", "answers"])
def test_every_phase_ends_when_told_to(tiny_model, tokenizer, held_out, phase):
    def doing(what, _):
        def done(_):
            if what == phase:
                raise InterruptedError

        return done

    checkpoint = Checkpoint(tiny_model, tokenizer, ModelCard(name="tiny", format="dialogue"))
    with pytest.raises(InterruptedError):
        measure(checkpoint, held_out, seed=0, clock=SystemClock(), start_step=doing)
