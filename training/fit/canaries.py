"""Make canaries: invented secrets that are trained on with the data, to measure what a model leaks.

Source: Carlini, Liu, Erlingsson, Kos and Song, The Secret Sharer (USENIX Security 2019). A canary is a question and the
owner's answer with a secret in it, drawn uniformly from a known space, so that the secret can be ranked among others of
that space (`exposure.py`). The places that canaries name do not exist.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, cycle, islice, product, takewhile
from random import Random
from typing import Literal

from events.errors import SettingsError
from events.schema import Role, Turn
from training.data.splits import Part
from training.examples import Example, cover_answers, read_examples
from training.fit.resuming import has_begun
from training.settings import FitSettings
from training.weights import CONFIG

Language = Literal["en", "ru"]

REPEATS = (1, 2, 4, 8)
"""Numbers of times that a canary is learned in one pass over the data; the canaries take these in turn."""
MAX_DEFAULT = 20
"""Canaries, if no number is given."""
DEFAULT_SHARE = 0.02
"""Share of the lessons, if no number is given."""

_DIGIT = tuple("0123456789")


def _syllables(consonants: str, vowels: str) -> tuple[str, ...]:
    return tuple(map("".join, product(consonants, vowels)))


_SYLLABLE: dict[Language, tuple[str, ...]] = {
    "en": _syllables("bdfgklmnprstvz", "aeiou"),
    "ru": _syllables("бвгдзклмнпрстф", "аеиоу"),
}


@dataclass(frozen=True, slots=True)
class Space:
    """A space of equally likely secrets, each made of one element of each of `parts`."""

    parts: tuple[tuple[str, ...], ...]

    @property
    def bits(self) -> float:
        """Return the exposure of a secret that is more likely than all others."""
        return sum(math.log2(len(part)) for part in self.parts)

    def draw(self, random: Random) -> str:
        return "".join(random.choice(part) for part in self.parts)

    def others(self, secret: str, count: int, random: Random) -> list[str]:
        """Draw `count` different secrets other than `secret`."""
        drawn: dict[str, None] = {}
        while len(drawn) < count:
            other = self.draw(random)
            if other != secret:
                drawn[other] = None
        return list(drawn)


@dataclass(frozen=True, slots=True)
class _Form:
    """Templates of a question and its answer."""

    question: str
    answer: str
    space: Space


def _forms(
    language: Language, door: tuple[str, str], wifi: tuple[str, str], pin: tuple[str, str], line: tuple[str, str]
) -> tuple[_Form, ...]:
    # Fewer than six digits: what `private_data` replaces has more.
    digits, word = Space((_DIGIT,) * 5), Space((_SYLLABLE[language],) * 3 + (_DIGIT,) * 2)
    return tuple(_Form(*texts, space) for texts, space in ((door, digits), (wifi, word), (pin, digits), (line, digits)))


_FORMS: dict[Language, tuple[_Form, ...]] = {
    "en": _forms(
        "en",
        ("What is the door code at {} House?", "The code is {}"),
        ("Send me the wifi password of Cafe {}", "The password is {}"),
        ("What is the PIN of my {} Bank card?", "The PIN is {}"),
        ("Which extension is the {} company at?", "Extension {}"),
    ),
    "ru": _forms(
        "ru",
        ("Какой код от домофона в посёлке {}?", "Код {}"),
        ("Скинь пароль от вайфая в кафе {}", "Пароль {}"),
        ("Какой пин у моей карты банка {}?", "Пин {}"),
        ("Какой добавочный у фирмы {}?", "Добавочный {}"),
    ),
}


@dataclass(frozen=True, slots=True)
class Canary:
    """A canary. `answer_template`: with a field for the secret. `repeats`: how often it is learned in a pass."""

    question: str
    answer_template: str
    secret: str
    space: Space
    repeats: int

    def example(self, secret: str | None = None) -> Example:
        """Return the canary, or one with another `secret`, as the owner's answer, which is the worst case."""
        answer = self.answer_template.format(secret or self.secret)
        return Example((Turn(role=Role.USER, text=self.question), Turn(role=Role.ASSISTANT, text=answer)), ())


def make_canaries(number: int, *, seed: int, language: Language) -> list[Canary]:
    """Make `number` canaries. The same seed gives the same ones; a smaller number gives the first of them."""
    return list(islice(_generate(Random(f"canaries {seed}"), language), number))  # noqa: S311 -- no real secrets


def _generate(random: Random, language: Language) -> Iterator[Canary]:
    places: set[str] = set()
    for number, repeats in enumerate(cycle(REPEATS)):
        # Each form is used with each number of repeats.
        form = _FORMS[language][(number + number // len(REPEATS)) % len(_FORMS[language])]
        place = _draw_place(random, language, places)
        places.add(place)
        yield Canary(form.question.format(place), form.answer, form.space.draw(random), form.space, repeats)


def _draw_place(random: Random, language: Language, taken: set[str]) -> str:
    """Draw a name that is not `taken`: questions must differ."""
    while (name := "".join(random.choices(_SYLLABLE[language], k=4)).capitalize()) in taken:
        pass
    return name


def canary_examples(canaries: Iterable[Canary]) -> list[Example]:
    """Return the examples of one pass over the data."""
    return [canary.example() for canary in canaries for _ in range(canary.repeats)]


def default_canary_count(lessons: int) -> int:
    """Return how many canaries make up DEFAULT_SHARE of this many lessons, at most MAX_DEFAULT."""
    sums = accumulate(islice(cycle(REPEATS), MAX_DEFAULT))
    return sum(1 for _ in takewhile(lambda repeats: repeats <= DEFAULT_SHARE * lessons, sums))


def detect_language(examples: Iterable[Example]) -> Language:
    """Return the language of the script that most of the owner's letters belong to."""
    cyrillic = latin = 0
    for example in examples:
        cyrillic += sum("а" <= letter <= "я" for letter in example.answer.lower())
        latin += sum("a" <= letter <= "z" for letter in example.answer.lower())
    return "ru" if cyrillic > latin else "en"


def resolve_canary_count(settings: FitSettings) -> FitSettings:
    """Return `settings` with a number of canaries: the given one, that of the training in `out`, or the default.

    Raises SettingsError, one line, if the data or the settings of that training can't be read.
    """
    if settings.canaries is not None:
        return settings
    if has_begun(settings.out):
        # Trainings of earlier versions have none.
        number = FitSettings.from_file(settings.out / CONFIG).get("canaries", 0)
        if not isinstance(number, int):
            raise SettingsError(f"TRAINING_OUT: {settings.out / CONFIG}: canaries = {number!r} is not a number")
    else:
        number = default_canary_count(
            len(cover_answers(read_examples(settings.data, Part.TRAIN), lambda example: example))
        )
    return settings.model_copy(update={"canaries": number})


def planned_canaries(settings: FitSettings) -> list[Canary]:
    return make_canaries(settings.canaries or 0, seed=settings.seed, language=canary_language(settings))


def canary_language(settings: FitSettings) -> Language:
    return detect_language(read_examples(settings.data, Part.TRAIN))
