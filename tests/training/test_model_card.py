"""A model card is in the language of the data and says which it is."""

import pytest
import yaml

from functions.generate.models.card import ModelCard
from training.data.manifest import Manifest
from training.evaluation.leaks import CanaryExposure, summarize_leaks
from training.evaluation.result import Evaluation, Score
from training.model_card import model_card
from training.settings import FitSettings

COUNTS = (
    *("items", "messages", "sessions", "turns", "dialogues", "train", "validation", "test"),
    *("replies_resolved", "replies_unresolved", "edited", "speakers", "chats"),
)


def card(*, evaluation=None, **given):
    manifest = Manifest.model_validate(
        {
            **dict.fromkeys(COUNTS, 7),
            **{name: {} for name in ("dropped", "dropped_dialogues", "private_data_replaced", "settings")},
            "truncated": False,
            "data_sha256": "5ha",
            **given,
        }
    )
    fitted = FitSettings.read(data="data", out="out")
    return model_card(ModelCard(name="me", format="dialogue"), fitted, manifest, evaluation, 0.0012)


def parts(text):
    """The front matter and the text below."""
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def is_russian(text):
    words = "".join(filter(str.isalpha, text))
    return sum("а" <= letter <= "я" for letter in words.lower()) > len(words) / 2


@pytest.mark.parametrize(
    ("languages", "tags", "russian"),
    [
        ({"ru": 1.0}, ["ru"], True),
        ({"en": 1.0}, ["en"], False),
        ({"ru": 0.85, "en": 0.11, "de": 0.04}, ["ru", "en"], True),
        ({"no": 1.0}, ["no"], False),
        ({"uk": 0.5, "ru": 0.5}, ["uk", "ru"], False),
    ],
)
def test_a_card_is_in_the_language_of_the_data_and_names_it(languages, tags, russian):
    front, body = parts(card(languages=languages))
    assert front["language"] == tags
    assert is_russian(body) is russian
    assert "telegram.org/tos/content-licensing" in body
    assert all(said in body for said in ("# me", "`dialogue`", "`5ha`", "0.0003", "0.12%"))


def test_a_card_of_data_whose_language_is_not_known_names_none():
    front, body = parts(card())
    assert "language" not in front
    assert not is_russian(body)


def test_the_scores_are_in_the_table_in_either_language():
    score = Score(before=1.5, after=1.25)
    names = ("bits_per_byte", "distinct_1", "distinct_2", "length_ratio", "verbatim")
    evaluation = Evaluation(
        data_sha256="5ha",
        dialogues=3,
        samples=2,
        true_distinct_1=1,
        true_distinct_2=1,
        **dict.fromkeys(names, score),
    )
    for language in ("ru", "en"):
        _, body = parts(card(evaluation=evaluation, languages={language: 1.0}))
        assert "| bits_per_byte | 1.500 | 1.250 |" in body


def with_leaks(**known):
    score = Score(before=1, after=1)
    scores = dict.fromkeys(("bits_per_byte", "distinct_1", "distinct_2", "length_ratio", "verbatim"), score)
    found = summarize_leaks([CanaryExposure(1, 1.0, greedy=False, chance=0.0), CanaryExposure(8, 6.0, **known)])
    return Evaluation(
        data_sha256="5ha", dialogues=1, samples=1, true_distinct_1=1, true_distinct_2=1, canaries=found, **scores
    )


@pytest.mark.parametrize(
    ("spoken", "said", "warning"),
    [
        ({"en": 1}, "can be drawn out by asking: ", "can be drawn out of this"),
        ({"ru": 1}, "если спросить: ", "модель тоже"),
    ],
)
def test_what_the_model_gives_away_is_said_and_warned_of(spoken, said, warning):
    safe = card(evaluation=with_leaks(greedy=False, chance=0.0), languages=spoken)
    leaking = card(evaluation=with_leaks(greedy=True, chance=1.0), languages=spoken)
    assert f"{said}0" in safe
    assert warning not in safe
    assert f"{said}1" in leaking
    assert warning in leaking
    assert said not in card(languages=spoken)


@pytest.mark.parametrize("spoken", [{"en": 1}, {"ru": 1}])
def test_it_advises_to_evaluate_only_where_that_is_possible(spoken):
    assert "timokha train evaluate" in card(languages=spoken)
    assert "timokha train evaluate" not in card(languages=spoken, test=0)
