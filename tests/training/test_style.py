"""A likeness is the owner's, whoever the owner is; where so little is said that it is chance, none is given."""

import asyncio
from random import Random

import pytest

from events.schema import Role, Turn
from observability.telemetry import noop_telemetry
from training.evaluation.command import main
from training.evaluation.likeness import score_likeness
from training.evaluation.report import describe_style
from training.evaluation.result import Evaluation, Score
from training.evaluation.style import SpokenTurns, normalize_for_style, spoken_turns
from training.examples import Example
from training.settings import EvaluateSettings

COMMON = ["the", "and", "I", "you", "it", "that", "of", "to", "in", "is", "we", "what", "for", "my", "not", "on", "so"]
THINGS = [f"{start}{end}" for start in ("ba", "do", "ki", "mu", "re", "sto", "tra") for end in ("n", "ll", "rd", "sk")]
NOBODY_LIKE_THAT = [chr(letter) * 3 for letter in range(0x3B1, 0x3C9)]


class Person:
    """Writes sentences with habits of their own: some frequent words more often, and one way to end."""

    def __init__(self, seed, end):
        self.draw, self.end = Random(seed), end
        self.weights = [self.draw.random() ** 2 for _ in COMMON]

    def turns(self, count):
        return [self._turn() for _ in range(count)]

    def _turn(self):
        common = self.draw.choices(COMMON, self.weights, k=6)
        words = [word for pair in zip(common, self.draw.choices(THINGS, k=6), strict=True) for word in pair]
        return " ".join(words) + self.end


@pytest.fixture
def people():
    return Person(1, ")"), Person(2, ".")


def heard(owner, other, count=80):
    return SpokenTurns(owner.turns(count), other.turns(count))


def test_the_owners_answers_are_like_the_owner_and_anothers_are_not(people):
    owner, other = people
    score, style = score_likeness(heard(*people), heard(*people), other.turns(40), owner.turns(40), seed=0)
    assert score.before == pytest.approx(0, abs=0.25)
    assert score.after == pytest.approx(1, abs=0.25)
    assert score.after_range[0] < score.after < score.after_range[1]
    assert style.told_apart > 0.95
    for found in (style.letters, style.words):
        assert found.ceiling < found.floor
        assert found.after < found.before


def test_half_of_the_owners_words_are_half_of_the_likeness(people):
    owner, other = people
    mixed = owner.turns(20) + other.turns(20)
    score, _ = score_likeness(heard(*people), heard(*people), mixed, owner.turns(40), seed=0)
    assert 0.2 < score.before < 0.95


def test_what_nobody_there_would_write_is_not_like_the_owner(people):
    draw = Random(0)
    strange = [" ".join(draw.choices(NOBODY_LIKE_THAT, k=12)) for _ in range(40)]
    score, _ = score_likeness(heard(*people), heard(*people), strange, people[0].turns(40), seed=0)
    assert score.before < 0.5


def test_the_same_seed_gives_the_same_likeness(people):
    owner, other = people
    learned, held_out, before, after = heard(*people), heard(*people), other.turns(30), owner.turns(30)
    assert score_likeness(learned, held_out, before, after, seed=3) == score_likeness(
        learned, held_out, before, after, seed=3
    )


def evaluation(answers, score, style):
    numbers = dict.fromkeys(
        ("bits_per_byte", "distinct_1", "distinct_2", "length_ratio", "verbatim"), Score(before=0, after=0)
    )
    known = {"data_sha256": "", "dialogues": answers, "samples": answers, "true_distinct_1": 1, "true_distinct_2": 1}
    return Evaluation(**known, **numbers, likeness=score, style=style)


def test_too_few_answers_give_no_likeness_and_say_how_many_would(people):
    learned, held_out = heard(*people), heard(*people)
    score, style = score_likeness(learned, held_out, ["so, me"], ["yes"], seed=0)
    assert score is None
    said = describe_style(evaluation(1, score, style))
    needed = style.answers_needed
    assert said.startswith(f"No likeness: to tell the owner's style from other people's takes about {needed} answers")
    before, after = ([text] * style.answers_needed for text in ("so, me", "yes"))
    assert score_likeness(learned, held_out, before, after, seed=0)[0], "so many are enough"


def test_a_person_who_writes_like_the_others_gives_no_likeness():
    one = Person(1, ".")
    score, style = score_likeness(heard(one, one), heard(one, one, 30), one.turns(40), one.turns(40), seed=0)
    assert score is None
    assert style.answers_needed is None
    assert "too little text" in describe_style(evaluation(40, score, style))


@pytest.mark.parametrize("answers", [[], ["", " "], ["[photo]"]])
def test_without_any_text_there_is_nothing_to_compare(people, answers):
    score, style = score_likeness(heard(*people), heard(*people), answers, people[0].turns(3), seed=0)
    assert (score, style) == (None, None)
    assert describe_style(evaluation(1, score, style)) == "No likeness: there is no text to compare."


def test_a_text_without_any_frequent_word_or_letter_is_far_from_everybody(people):
    score, style = score_likeness(heard(*people), heard(*people), ["…" * 30] * 40, people[0].turns(40), seed=0)
    assert 0.5 < style.words.before < 1.5
    assert score.before < 0.7


def test_each_turn_is_heard_once_without_place_holders_and_digits():
    first, answer, second = (
        Turn(role=role, text=text)
        for role, text in (
            (Role.USER, "see [link] at  10:30"),
            (Role.ASSISTANT, "no"),
            (Role.USER, "[photo]"),
        )
    )
    last = Turn(role=Role.ASSISTANT, text="yes")
    dialogues = [
        Example((first, answer), ((1,), (2,))),
        Example((first, answer, second, last), ((1,), (2,), (3,), (4,))),
    ]
    assert spoken_turns(dialogues, seed=0) == SpokenTurns(["no", "yes"], ["see at 00:00"])
    assert normalize_for_style(" [стикер 😹] a\nb ") == "a b"


async def test_the_terminal_says_that_there_is_no_likeness(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("training.evaluation.command.evaluate", lambda *_, **__: evaluation(1, None, None))
    await main(EvaluateSettings.read(run=tmp_path), noop_telemetry(), asyncio.Event())
    assert "No likeness: there is no text to compare." in capsys.readouterr().err
