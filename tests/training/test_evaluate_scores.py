"""Scores mean what they say."""

import math

import pytest
import torch

from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.card import ModelCard
from functions.generate.engines.checkpoints import Checkpoint
from training.answering import distinct, length_ratio, verbatim
from training.examples import Example
from training.scoring import Scorer, Surprise, bits_per_byte, ranks

QUESTION = (Turn(role=Role.USER, text="как дела?"),)
ANSWER = "Хорошо, а у вас?"


@pytest.fixture
def checkpoint(tiny_model, tokenizer):
    return Checkpoint(tiny_model, tokenizer, ModelCard(name="tiny", format="dialogue"))


def example(answer, context=QUESTION):
    return Example((*context, Turn(role=Role.ASSISTANT, text=answer)), ())


def test_the_surprise_is_the_answers_own(checkpoint, tokenizer):
    """By the chain rule: of question and answer together, less that of the question."""
    prompt, whole = (tokenizer.encode(text) for text in ("Гость: как дела?\nТимоха:", " Хорошо, а у вас?\n"))
    ids = torch.tensor([prompt + whole])
    with torch.inference_mode():
        chances = checkpoint.model(input_ids=ids).logits[0].log_softmax(-1)
    nats = -sum(float(chances[place - 1, ids[0, place]]) for place in range(len(prompt), len(prompt + whole)))
    surprise = Scorer(checkpoint, clock=SystemClock()).surprise(QUESTION, ANSWER)
    assert surprise.nats == pytest.approx(nats, rel=1e-5)
    assert surprise.size == len(ANSWER.encode()) + 1


def test_the_owners_earlier_turns_are_context_and_not_measured(checkpoint):
    earlier = (*QUESTION, Turn(role=Role.ASSISTANT, text="Тоска. " * 5), *QUESTION)
    alone, after = (
        Scorer(checkpoint, clock=SystemClock()).surprise(context, ANSWER) for context in (QUESTION, earlier)
    )
    assert after.size == alone.size
    assert after.nats < 2 * alone.nats


def test_an_answer_in_two_turns_that_the_format_joins_is_measured_whole(tiny_model, tokenizer):
    scorer = Scorer(Checkpoint(tiny_model, tokenizer, ModelCard(name="tiny", format="rudialogpt")), clock=SystemClock())
    begun = (*QUESTION, Turn(role=Role.ASSISTANT, text="Хорошо,"))
    assert scorer.surprise(begun, "а у вас?") == scorer.surprise(QUESTION, "Хорошо,\nа у вас?")


def test_bits_per_byte_are_of_all_answers_together(checkpoint):
    both = [example("да"), example(ANSWER)]
    parts = [Scorer(checkpoint, clock=SystemClock()).surprise(QUESTION, one.answer) for one in both]
    expected = sum(part.nats for part in parts) / math.log(2) / sum(part.size for part in parts)
    assert bits_per_byte(Scorer(checkpoint, clock=SystemClock()), both) == pytest.approx(expected)
    assert Surprise(nats=math.log(2) * 8, size=4).bits_per_byte == pytest.approx(2)


class Favourite:
    """Finds one answer likely."""

    def __init__(self, likely):
        self.likely = likely

    def surprise(self, context, answer):
        return Surprise(1.0 if answer == self.likely else 2.0, 1)


def test_the_rank_is_the_true_answers_place_among_ten():
    others = [f"ответ {number}" for number in range(30)]
    assert ranks(Favourite("ответ 3"), [example("ответ 3")], others, seed=0) == [1]
    assert ranks(Favourite("ничто"), [example("ответ 3")], others, seed=0) == [10]
    assert ranks(Favourite("ответ 1"), [example("ответ 3")], ["ответ 1", "ответ 3"], seed=0) == [2]


def test_distinct_counts_different_words_and_pairs():
    assert distinct(["кот и кот", "Кот, и пёс!"], 1) == 3 / 6
    assert distinct(["кот и кот", "Кот, и пёс!"], 2) == 3 / 4
    assert distinct([], 2) == 0


def test_length_is_compared_with_the_true_answers():
    assert length_ratio(["аб", "аб"], ["абвг", "абвг"]) == 0.5


def test_a_long_answer_of_the_training_data_is_recognised_in_other_punctuation():
    learned = ["Я пришёл к тебе с приветом, рассказать", "да"]
    assert verbatim(["я пришел к тебе с приветом рассказать!", "да"], learned) == 0.5
