"""Near examples: exchanges of a voice whose questions are most similar to the one asked, shown before it.

The search is deterministic: the same question always gets the same examples.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from events.errors import SettingsError
from events.schema import Role, Turn
from functions.generate.models.card import EXAMPLES_FILE
from functions.generate.prompts.ngrams import NgramIndex
from functions.generate.prompts.speakers import ENGLISH, speakers_for_texts

INDEXES = "examples.npz"
"""In a prepared model, beside its examples: the search indexes, which take a second to build."""
_FOLLOW_UP_FACTOR = 0.75
"""Factor on the similarity of a question inside a talk, unless the question before it is similar, too."""
_CACHED, _CACHED_IN_TRAINING = 4, 1024
"""Searches to cache: a prompt is rendered several times until it fits."""


@dataclass(frozen=True, slots=True)
class NearExample:
    """An exchange; `before`: the question before it in its talk."""

    question: str
    answer: str
    before: str | None

    @property
    def turns(self) -> tuple[Turn, Turn]:
        return Turn(role=Role.USER, text=self.question), Turn(role=Role.ASSISTANT, text=self.answer)


Talks = Iterable[Sequence[str]]
"""Each talk: questions and answers in turn."""


def read_talks(directory: Path) -> list[list[str]]:
    """Return the talks beside the card in `directory`. Raises SettingsError, one line, if they can't be read."""
    file = directory / EXAMPLES_FILE
    try:
        with file.open(encoding="utf-8") as lines:  # `splitlines` would cut a text at U+2028
            return [[str(text) for text in json.loads(line)] for line in lines]
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"{file} holds no examples, a talk a line ({error}): make it or the model anew") from None


def write_talks(directory: Path, talks: Talks) -> None:
    lines = (json.dumps(list(talk), ensure_ascii=False) for talk in talks)
    (directory / EXAMPLES_FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def copy_examples(source: Path, directory: Path) -> None:
    """Copy the talks of a model to another directory, and write their indexes. Raises SettingsError, OSError."""
    talks = read_talks(source)
    write_talks(directory, talks)
    arrays: dict[str, Any] = {
        f"{language} {name}": array
        for language, index in NearExamples(talks, count=1).indexes.items()
        for name, array in index.arrays().items()
    }
    np.savez(directory / INDEXES, examples=_checksum(directory), **arrays)


def load_examples(directory: Path, *, count: int, training: bool = False) -> "NearExamples":
    """Return the examples beside the card in `directory`. Raises SettingsError, one line, if they can't be read."""
    return NearExamples(read_talks(directory), count=count, training=training, indexes=_indexes(directory))


def _indexes(directory: Path) -> dict[str, NgramIndex]:
    """Return the stored indexes by language; none if they are missing, broken or of other talks."""
    try:
        with np.load(directory / INDEXES) as stored:
            if stored["examples"] != _checksum(directory):
                return {}
            found = defaultdict[str, dict[str, NDArray[np.generic]]](dict)
            for key in stored.files:
                language, _, name = key.rpartition(" ")
                found[language][name] = stored[key]
            return {language: NgramIndex.from_arrays(arrays) for language, arrays in found.items() if language}
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return {}


def _checksum(directory: Path) -> int:
    return crc32((directory / EXAMPLES_FILE).read_bytes())


class NearExamples:
    """Talks in several languages, searched in the user's language.

    `training` leaves out the exchange that was asked itself, after the same question, since it has the answer.
    """

    def __init__(
        self, talks: Talks, *, count: int, training: bool = False, indexes: Mapping[str, NgramIndex] | None = None
    ) -> None:
        """`indexes`: stored indexes of the questions, by language."""
        self.indexes = dict(indexes or {})
        self._examples = defaultdict[str, list[NearExample]](list)
        for talk in talks:
            questions = talk[::2]
            self._examples[_language(questions)] += map(NearExample, questions, talk[1::2], (None, *questions))
        for language, examples in self._examples.items():
            if language not in self.indexes:
                self.indexes[language] = NgramIndex.of_texts([example.question for example in examples])
        self._follows = {
            language: np.array([example.before is not None for example in examples])
            for language, examples in self._examples.items()
        }
        self._count = count
        self._training = training
        self._found = lru_cache(_CACHED_IN_TRAINING if training else _CACHED)(self._search)

    def examples(self, asked: Sequence[Turn]) -> tuple[NearExample, ...]:
        """Return at most `count` examples for the last question of `asked`, the nearest last."""
        *before, question = [turn.text for turn in asked if turn.role is Role.USER] or [""]
        return self._found(_language([*before, question]), question, before[-1] if before else None)

    def _search(self, language: str, question: str, before: str | None) -> tuple[NearExample, ...]:
        """Return each answer once; of equally near examples, the first in the talks."""
        if language not in self.indexes:
            return ()
        examples, found = self._examples[language], dict[str, NearExample]()
        scores = self._scores(language, question, before)
        for number in np.argsort(-scores, kind="stable"):
            example = examples[number]
            if not scores[number] or len(found) == self._count:
                break
            if not self._training or (example.question, example.before) != (question, before):
                found.setdefault(example.answer, example)
        return tuple(reversed(found.values()))

    def _scores(self, language: str, question: str, before: str | None) -> NDArray[np.float64]:
        index = self.indexes[language]
        befores = np.zeros(index.texts)
        if before is not None:  # an example's previous question is the previous one in the list
            befores[1:] = index.similarity(before)[:-1]
        return index.similarity(question) * np.where(self._follows[language], _FOLLOW_UP_FACTOR * (1 + befores), 1)


def _language(questions: Sequence[str]) -> str:
    return "en" if speakers_for_texts(reversed(questions)) is ENGLISH else "ru"
