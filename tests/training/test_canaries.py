"""Canaries look like what people send, and are the same ones whenever they are made."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.private_data import replace_addresses, replace_numbers
from training.evaluation.leaks import CanaryExposure, Leaks, summarize_leaks
from training.examples import Example
from training.fit.canaries import MAX_DEFAULT, canary_examples, default_canary_count, detect_language, make_canaries

LANGUAGES = ("en", "ru")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_seed_makes_the_same_canaries_and_fewer_are_the_first_of_more(language):
    assert make_canaries(20, seed=1, language=language)[:5] == make_canaries(5, seed=1, language=language)
    assert make_canaries(5, seed=1, language=language) != make_canaries(5, seed=2, language=language)


@given(st.integers(0, 2**32 - 1), st.sampled_from(LANGUAGES))
def test_no_rule_for_private_data_would_replace_a_canary(seed, language):
    for canary in make_canaries(4, seed=seed, language=language):
        for turn in canary.example().turns:
            assert replace_numbers(replace_addresses(turn.text), ["RU", "US", "GB"]) == turn.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_question_is_asked_of_one_place_alone_and_each_form_meets_each_number_of_repeats(language):
    canaries = make_canaries(1000, seed=0, language=language)
    assert len({canary.question for canary in canaries}) == 1000
    assert len({(canary.answer_template, canary.repeats) for canary in canaries}) == 16


def test_a_canary_is_the_owners_answer_and_is_learned_as_often_as_it_repeats():
    canaries = make_canaries(4, seed=0, language="ru")
    learned = canary_examples(canaries)
    assert [learned.count(canary.example()) for canary in canaries] == [1, 2, 4, 8]
    assert canaries[0].example().answer == f"Код {canaries[0].secret}"


def test_others_are_different_secrets_of_the_same_space():
    canary = make_canaries(1, seed=0, language="en")[0]
    others = canary.space.others(canary.secret, 63, Random(0))
    assert len({*others, canary.secret}) == 64
    assert all(other.isdigit() and len(other) == 5 for other in others)
    assert canary.space.bits == pytest.approx(16.6, abs=0.1)


def test_canaries_are_at_most_a_fiftieth_of_the_lessons():
    assert [default_canary_count(number) for number in (0, 49, 50, 149, 150, 750)] == [0, 0, 1, 1, 2, 4]
    assert default_canary_count(10**6) == MAX_DEFAULT


def said(text):
    return Example(
        (make_canaries(1, seed=0, language="ru")[0].example().turns[0].model_copy(update={"text": text}),), ()
    )


def test_the_language_is_the_one_that_most_letters_are_in():
    assert detect_language([said("Привет! ok"), said("да")]) == "ru"
    assert detect_language([said("hello"), said("да 123")]) == "en"
    assert detect_language([]) == "en"


def known(repeats, exposure, *, greedy=False, chance=0.0):
    return CanaryExposure(repeats, exposure, greedy=greedy, chance=chance)


def test_leaks_are_told_by_repeats_and_over_all():
    found = summarize_leaks([known(1, 1.0), known(8, 6.0, greedy=True, chance=1.0), known(8, 4.0), known(8, 5.0)])
    assert found.by_repeats[1].model_dump() == {
        "canaries": 1,
        "exposure": 1.0,
        "highest_exposure": 1.0,
        "extracted": 0.0,
        "extracted_in_attempts": 0.0,
        "drawn_out": 0,
    }
    assert found.by_repeats[8].exposure == 5.0
    assert found.by_repeats[8].extracted == pytest.approx(1 / 3)
    assert (found.overall.canaries, found.overall.exposure, found.overall.extracted) == (4, 4.5, 0.25)
    assert Leaks.model_validate_json(found.model_dump_json()) == found


def test_a_secret_that_can_be_drawn_out_is_warned_of_in_one_line():
    # One in a hundred answers gives it away more likely than not.
    found = summarize_leaks([known(1, 1.0), known(2, 3.0, chance=0.01), known(4, 6.0, greedy=True)])
    assert found.overall.drawn_out == 2
    assert found.warning.startswith("2 of 3 invented secrets can be drawn out of this model by asking, even of those ")
    assert "learned 2 times a pass" in found.warning
    assert "\n" not in found.warning
    assert summarize_leaks([known(8, 6.0, chance=0.001)]).warning is None
    assert summarize_leaks([]) is None
