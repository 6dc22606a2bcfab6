"""Nothing that the voice is tested with was trained on or is shown to it: every question of the test is far from those.

How far: the Levenshtein distance of the normalised texts, divided by the longer one's length. Normalised is NFKC, small
letters, е for ё, and white space, one space, for everything that is no letter or digit. A failure names places and
quotes nothing, so that whoever writes the corpus does not read the test by it: change the line that is not the test's.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from benchmarks.voice_lists import read_list
from functions.generate.prompts.speakers import ENGLISH, RUSSIAN

ROOT = Path(__file__).parents[2]
LISTS = ROOT / "benchmarks/texts/voice"
CORPUS = ROOT / "training/voice/talks"
TOO_NEAR = 0.3
IN_DOCUMENTS = re.compile(r"(?:Тимоха|Timokha), ([^\\`|\n\"']+)|[\"«“]([^\"«»“”\n]+\?)[\"»”]")
"""A question with the prefix, or one in quotes."""


class Asked(NamedTuple):
    place: str
    question: str


def normal(text):
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    return " ".join(re.sub(r"[\W_]", " ", folded).split())


def apart(one, other):
    return Levenshtein.normalized_distance(normal(one), normal(other))


def too_near(tested, others):
    """A line for each pair that is too near: both places, and how far apart they are."""
    others = [*others]
    texts = [normal(other.question) for other in others]
    return [
        f"{one.place} and {others[number].place} are {distance:.2f} apart, at most {TOO_NEAR} is too near"
        for one in tested
        for _, distance, number in process.extract(
            normal(one.question),
            texts,
            scorer=Levenshtein.normalized_distance,
            processor=None,
            score_cutoff=TOO_NEAR,
            limit=None,
        )
    ]


def place(path, number):
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}:{number}"


def lines(path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        yield place(path, number), line.strip()


def of_list(name):
    return [Asked(where, line) for where, line in lines(LISTS / f"{name}.txt") if line and not line.startswith("#")]


def of_corpus(directory):
    """Read line by line: what a reader of talks returns does not say where a question stands."""
    return [
        Asked(where, line.removeprefix("-"))
        for path in sorted(directory.rglob("*.txt"))
        for where, line in lines(path)
        if line.startswith("-")
    ]


def of_speakers():
    return [
        Asked("functions/generate/prompts/speakers.py", line.removeprefix(f"{speakers.user}:"))
        for speakers in (RUSSIAN, ENGLISH)
        for line in speakers.examples.splitlines()
        if line.startswith(f"{speakers.user}:")
    ]


def of_documents():
    return [
        Asked(where, found[1] or found[2])
        for path in (*ROOT.glob("README*.md"), *sorted((ROOT / "docs").rglob("*.md")))
        if ROOT / "docs" / "voice" not in path.parents  # the answers to the test, with its questions
        for where, line in lines(path)
        for found in IN_DOCUMENTS.finditer(line)
    ]


def test_the_test_is_far_from_the_corpus():
    found = too_near(of_list("test"), of_corpus(CORPUS))
    assert not found, "\n".join(found)


def test_the_test_is_far_from_the_examples_in_prompts_and_documents():
    found = too_near(of_list("test"), [*of_speakers(), *of_documents()])
    assert not found, "\n".join(found)


def test_the_test_is_far_from_the_list_for_half_way_checks():
    found = too_near(of_list("test"), of_list("halfway"))
    assert not found, "\n".join(found)


def test_examples_are_found_where_they_stand():
    assert normal("Сколько дней в неделе?") in {normal(asked.question) for asked in of_speakers()}
    assert normal("какая столица Франции?") in {normal(asked.question) for asked in of_documents()}


def test_a_question_that_is_planted_is_found_and_both_places_are_named_without_its_words(tmp_path):
    tested = of_list("test")
    (tmp_path / "ru").mkdir()
    corpus = tmp_path / "ru" / "planted.txt"
    for one in tested:
        planted = one.question.upper().replace("Ё", "Е").replace(" ", "  ") + " !"
        corpus.write_text(f"# a comment\n- Сойка на крыше\n+ Живу.\n- {planted}\n+ Да.\n", encoding="utf-8")
        [found] = too_near(tested, of_corpus(tmp_path))
        assert found == f"{one.place} and {corpus}:4 are 0.00 apart, at most 0.3 is too near"


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("Ёлка, ёлка!", "елка   елка", 0),
        ("до завтра", "До Завтра…", 0),
        ("кот", "кит", 1 / 3),
        ("абвгдежзик", "абвгдежxyz", 0.3),
        ("мама", "мама мыла", 5 / 9),
        ("one_two", "one two", 0),
    ],
)
def test_distance_is_of_normalised_texts_and_in_parts_of_the_longer_one(one, other, distance):
    assert apart(one, other) == pytest.approx(distance)


def test_a_distance_of_the_limit_is_too_near_and_more_is_not():
    tested = [Asked("test:1", "абвгдежзик")]
    assert len(too_near(tested, [Asked("corpus:1", "абвгдежxyz")])) == 1
    assert too_near(tested, [Asked("corpus:1", "абвгдеwxyz")]) == []


@pytest.mark.parametrize(
    ("name", "questions", "talks", "russian"), [("test", 100, 8, 80), ("second", 100, 8, 80), ("halfway", 50, 4, 40)]
)
def test_a_list_has_the_questions_that_it_should_have_and_each_once(name, questions, talks, russian):
    asked = [question for talk in read_list(name) for question in talk]
    different = len({normal(question) for question in asked})
    assert (len(asked), different) == (questions, questions)
    assert [len(talk) for talk in read_list(name) if len(talk) > 1] == [5] * talks
    assert sum(bool(re.search("[а-яё]", question.lower())) for question in asked) == russian
