"""Scores mean what they say."""

import math

import pytest
import torch

from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.engines.transformers.checkpoints import Checkpoint
from functions.generate.engines.transformers.engine import format_of
from functions.generate.models.card import ModelCard
from functions.generate.prompts.encoding import Encoder
from training.evaluation.comparison import compare, ratio_interval, share_interval
from training.evaluation.measurement import HeldOut, Measurements
from training.evaluation.scoring import Scorer, Surprisal, bits_per_byte, example_surprisals, recall_ranks
from training.evaluation.variety import count_verbatim, distinct_share, ngrams
from training.examples import Example
from training.fit.lessons import Renderer

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
    surprise = Scorer(checkpoint, clock=SystemClock()).surprisal(QUESTION, ANSWER)
    assert surprise.nats == pytest.approx(nats, rel=1e-5)
    assert surprise.size == len(ANSWER.encode()) + 1


def plainly(checkpoint, context, answer):
    """The nats of the answer, read alone, at one go, with all logits."""
    lesson = Renderer(
        format_of(checkpoint.card, checkpoint.tokenizer, SystemClock()), Encoder(checkpoint.tokenizer), 1024
    ).lesson([*context, Turn(role=Role.ASSISTANT, text=answer)])
    ids = torch.tensor([[*lesson.prompt.ids, *lesson.answer.ids]])
    with torch.inference_mode():
        chances = checkpoint.model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
    start = len(lesson.prompt.ids)
    return -sum(float(chances[place - 1, ids[0, place]]) for place in range(start, ids.shape[1]))


@pytest.mark.parametrize("card", [{"format": "dialogue", "preamble": True}, {"format": "rudialogpt"}])
def test_answers_side_by_side_are_scored_as_each_alone(tiny_model, tokenizer, card):
    """Of both personas, of several lengths, several after one context, one twice, one after the owner's own turn."""
    checkpoint = Checkpoint(tiny_model, tokenizer, ModelCard(name="tiny", **card))
    english = (Turn(role=Role.USER, text="How are you? " * 9),)
    own = (*QUESTION, Turn(role=Role.ASSISTANT, text="Хорошо."))
    answers = ["да", ANSWER, "Тоска. " * 20, "да"]
    asked = [*((QUESTION, answer) for answer in answers), (english, "Well."), (own, "А вы?"), (english * 2, ANSWER)]
    told = []
    found = Scorer(checkpoint, clock=SystemClock()).surprisals(asked, told.append)
    assert [one.nats for one in found] == pytest.approx([plainly(checkpoint, *one) for one in asked], rel=1e-4)
    assert sum(told) == len(asked)


def test_what_prompts_begin_with_is_read_once(tiny_model, tokenizer):
    """The examples of the preamble are most of a prompt, and there are two of them, for two languages."""
    checkpoint = Checkpoint(tiny_model, tokenizer, ModelCard(name="tiny", format="dialogue", preamble=True))
    scorer = Scorer(checkpoint, clock=SystemClock())
    longest = []
    hook = tiny_model.register_forward_pre_hook(
        lambda _, given, named: longest.append(given[0].shape[1]), with_kwargs=True
    )
    scorer.surprisals([(QUESTION, "да"), ((Turn(role=Role.USER, text="how are you?"),), "Well.")])
    hook.remove()
    assert max(longest) < 40


def test_an_answer_that_is_too_long_to_be_read_whole_is_as_surprising_a_byte_as_its_beginning(checkpoint):
    """All of its bytes next to the nats of some would be a low score for nothing."""
    scorer = Scorer(checkpoint, clock=SystemClock())
    short, long = (scorer.surprisal(QUESTION, " ".join(["Тоска зелёная."] * times)) for times in (60, 600))
    assert long.size > 9 * short.size
    assert long.bits_per_byte == pytest.approx(short.bits_per_byte, rel=0.1)


def test_a_dialogue_without_a_question_has_no_surprise(checkpoint):
    """Serving asks no model without one."""
    assert Scorer(checkpoint, clock=SystemClock()).surprisal((), ANSWER).nats == 0


def test_the_owners_earlier_turns_are_context_and_not_measured(checkpoint):
    earlier = (*QUESTION, Turn(role=Role.ASSISTANT, text="Тоска. " * 5), *QUESTION)
    alone, after = (
        Scorer(checkpoint, clock=SystemClock()).surprisal(context, ANSWER) for context in (QUESTION, earlier)
    )
    assert after.size == alone.size
    assert after.nats < 2 * alone.nats


def test_an_answer_in_two_turns_that_the_format_joins_is_measured_whole(tiny_model, tokenizer):
    scorer = Scorer(Checkpoint(tiny_model, tokenizer, ModelCard(name="tiny", format="rudialogpt")), clock=SystemClock())
    begun = (*QUESTION, Turn(role=Role.ASSISTANT, text="Хорошо,"))
    assert scorer.surprisal(begun, "а у вас?") == scorer.surprisal(QUESTION, "Хорошо,\nа у вас?")


def test_bits_per_byte_are_of_all_answers_together(checkpoint):
    both = [example("да"), example(ANSWER)]
    parts = [Scorer(checkpoint, clock=SystemClock()).surprisal(QUESTION, one.answer) for one in both]
    expected = sum(part.nats for part in parts) / math.log(2) / sum(part.size for part in parts)
    found = example_surprisals(Scorer(checkpoint, clock=SystemClock()), both)
    assert bits_per_byte(found) == pytest.approx(expected)
    assert Surprisal(nats=math.log(2) * 8, size=4).bits_per_byte == pytest.approx(2)


class Favourite:
    """Finds some answers likely, the first ones most."""

    def __init__(self, *likely):
        self.likely = likely

    def surprisals(self, asked, done):
        return [Surprisal(self.likely.index(answer) if answer in self.likely else 10.0, 1) for _, answer in asked]


def test_the_rank_is_the_true_answers_place_among_ten():
    others = [f"ответ {number}" for number in range(30)]
    assert recall_ranks(Favourite("ответ 3"), [example("ответ 3")], others, seed=0) == [1]
    assert recall_ranks(Favourite("ничто"), [example("ответ 3")], others, seed=0) == [10]
    assert recall_ranks(Favourite("ответ 1", "ответ 3"), [example("ответ 3")], others[:10], seed=0) == [2]


def test_the_rank_among_fewer_than_ten_is_not_given():
    assert recall_ranks(Favourite("ответ 3"), [example("ответ 3")], ["ответ 1", "ответ 3"] * 9, seed=0) == []


def test_distinct_counts_different_words_and_pairs():
    texts = ["кот и кот", "Кот, и пёс!"]
    assert distinct_share(ngrams(texts, 1), among=6) == pytest.approx(3 / 6)
    assert distinct_share(ngrams(texts, 2), among=4) == pytest.approx(3 / 4)
    assert distinct_share(ngrams([], 2), among=0) == 0


def test_distinct_is_compared_at_one_length():
    """A text said twice is as varied as said once, among as many words."""
    once = [f"слово{number} и" for number in range(50)]
    assert distinct_share(ngrams(once, 1), among=40) == pytest.approx(
        distinct_share(ngrams(once * 2, 1), among=40), abs=0.05
    )
    assert distinct_share(ngrams(["кот кот пёс"], 1), among=2) == pytest.approx((1 + 2 + 2) / 3 / 2), (
        "of all draws of two"
    )


def measured(answers, *, nats, places=(1,) * 20, recited=(False,) * 5):
    return Measurements([Surprisal(one, 10) for one in nats], places, answers, recited)


def held(answers, learned=()):
    return HeldOut([], [example(answer) for answer in answers], [], learned, [])


def test_scores_of_before_and_after_have_the_range_that_so_few_dialogues_leave():
    true = ["абвг"] * 20
    before = measured(["аб"] * 20, nats=[20.0 + number for number in range(20)])
    after = measured(["абвг"] * 20, nats=[10.0 + number for number in range(20)], places=(1, 2) * 10)
    scores = compare(before, after, held(true), seed=0)
    bits, recall, length = scores["bits_per_byte"], scores["recall_at_1"], scores["length_ratio"]
    assert (bits.before, bits.after) == pytest.approx((29.5 / 10 / math.log(2), 19.5 / 10 / math.log(2)))
    assert bits.before_range[0] < bits.before < bits.before_range[1]
    assert bits.change_range == pytest.approx((bits.after - bits.before,) * 2), "every dialogue gained the same"
    assert (recall.before, recall.after, recall.change_range) == (1, 0.5, None)
    assert recall.after_range == pytest.approx((0.299, 0.701), abs=1e-3)
    assert (length.before, length.after) == (0.5, 1)
    assert scores["memorised"].after_range == pytest.approx((0, 0.434), abs=1e-3), "none of five is not none"


def test_what_can_not_be_measured_is_not_given():
    nothing = measured(["да"] * 3, nats=[1.0] * 3, places=(), recited=())
    scores = compare(nothing, nothing, held(["да"] * 3), seed=0)
    assert scores["recall_at_1"] is scores["recall_at_5"] is scores["memorised"] is None
    assert scores["bits_per_byte"].before_range is None, "three dialogues do not say how others would be"


def test_the_range_of_a_share_and_of_a_ratio():
    assert share_interval(0, 5) == pytest.approx((0, 0.434), abs=1e-3)
    assert share_interval(5, 5) == pytest.approx((0.566, 1), abs=1e-3)
    low, high = ratio_interval([0.0, 1.0] * 50, [1] * 100, seed=0)
    assert (low, high) == pytest.approx((0.4, 0.6), abs=0.03)


def test_a_long_answer_of_the_training_data_is_recognised_in_other_punctuation():
    learned = ["Я пришёл к тебе с приветом, рассказать", "да"]
    assert count_verbatim(["я пришел к тебе с приветом рассказать!", "да"], learned) == 1
