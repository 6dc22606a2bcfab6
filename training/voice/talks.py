"""Read the talks that the voice is trained on: `talks/LANGUAGE/*.txt`, written for this project.

A talk is a block of lines that ends with an empty line. `- ` begins a question, `+ ` its answer, alternately; `#`
begins a comment.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from events.errors import TimokhaError
from events.schema import Role, Turn

TALKS = Path(__file__).with_name("talks")
LANGUAGES = ("ru", "en")
MOST = 10
"""Exchanges of a talk, at most."""
_QUESTION, _ANSWER, _COMMENT = "-", "+", "#"
_WHAT = {_QUESTION: "question", _ANSWER: "answer"}
_LABEL = re.compile(r"(?:Гость|Тимоха|Guest|Timokha)\s*:", re.IGNORECASE)
_LISTED = 20


class BadTalks(TimokhaError):
    """The talks have errors: one line for each, with its file and line."""


@dataclass(frozen=True, slots=True)
class Exchange:
    question: str
    answer: str

    @property
    def turns(self) -> tuple[Turn, Turn]:
        return Turn(role=Role.USER, text=self.question), Turn(role=Role.ASSISTANT, text=self.answer)


@dataclass(frozen=True, slots=True)
class Talk:
    """A talk. `place`: the file and line where it begins."""

    exchanges: tuple[Exchange, ...]
    language: str
    place: str


def talk_texts(talk: Talk) -> list[str]:
    """Return the questions and answers alternately."""
    return [text for exchange in talk.exchanges for text in (exchange.question, exchange.answer)]


def read_talks(directory: Path = TALKS) -> list[Talk]:
    """Read the talks of all languages, file by file. Raises BadTalks."""
    reader = _Reader()
    for language in LANGUAGES:
        for file in sorted((directory / language).glob("*.txt")):
            reader.read(file, language)
    if reader.faults:
        more = [f"… and {len(reader.faults) - _LISTED} more"] if len(reader.faults) > _LISTED else []
        raise BadTalks("\n".join([*reader.faults[:_LISTED], *more]))
    return reader.talks


@dataclass(slots=True)
class _Reader:
    talks: list[Talk] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def read(self, file: Path, language: str) -> None:
        name = f"{language}/{file.name}"
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, ValueError) as error:
            self.faults.append(f"{name}: can't be read ({error})")
            return
        for block in _blocks(lines):
            self._add(block, language, name)

    def _add(self, block: list[tuple[int, str]], language: str, name: str) -> None:
        if wrong := [f"{name}:{number}: {fault}" for number, fault in _faults(block)]:
            self.faults += wrong
            return
        said = [text[1:].strip() for _, text in block]
        exchanges = tuple(map(Exchange, said[::2], said[1::2]))
        self.talks.append(Talk(exchanges, language, f"{name}:{block[0][0]}"))


def _blocks(lines: list[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield the numbered lines of each talk, without comments."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate([*lines, ""], 1):
        text = line.strip()
        if text and not text.startswith(_COMMENT):
            block.append((number, text))
        elif not text and block:
            yield block
            block = []


def _faults(block: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for place, (number, text) in enumerate(block):
        wanted = _ANSWER if place % 2 else _QUESTION
        if text[0] != wanted:
            yield number, f"expected a line with {wanted} ({_WHAT[wanted]}), not {text[:40]!r}"
            return
        if not text[1:].strip():
            yield number, f"an empty {_WHAT[wanted]}"
        if _LABEL.search(text):
            yield number, "names a speaker with a colon, as only prompts may"
    if len(block) % 2:
        yield block[-1][0], "the talk ends with a question"
    if len(block) > 2 * MOST:
        yield block[0][0], f"a talk of {len(block) // 2} exchanges, more than {MOST}"
