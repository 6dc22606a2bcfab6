"""Prompt formats: turns in, segments out. Serving and training share them, so both see the same prompts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from events.schema import Role, Turn
from functions.generate.prompts.conversation import alternating_turns
from functions.generate.prompts.persona import persona_as_words
from functions.generate.prompts.speaker_names import with_name
from functions.generate.prompts.speakers import ENGLISH, RUSSIAN, Speakers, is_to_the_assistant, speakers_for_turns

if TYPE_CHECKING:
    from functions.generate.prompts.near_examples import NearExamples

FIRST_SPEAKER, SECOND_SPEAKER = "@@ПЕРВЫЙ@@", "@@ВТОРОЙ@@"


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt.

    `framing` may name control tokens; other text was written by people and must never become one.
    `learned`: the assistant writes it, end of turn included; training applies the loss to it.
    """

    text: str
    framing: bool = False
    learned: bool = False


class FormatName(StrEnum):
    DIALOGUE = "dialogue"
    CHAT = "chat"
    RUDIALOGPT = "rudialogpt"


class Format(Protocol):
    @property
    def end(self) -> str:
        """The text that the model writes after an answer."""
        ...

    @property
    def joins_turns(self) -> bool:
        """Whether neighbouring turns of one role are joined, as by `alternating_turns`."""
        ...

    @property
    def opening(self) -> str:
        """The end of a chat template's prompt, before the answer; it may open a thought."""
        ...

    @property
    def needs_bos(self) -> bool:
        """Whether the tokenizer's beginning-of-text token must be put in front."""
        ...

    def render(self, turns: Sequence[Turn], *, persona: str = "", answer: bool = True) -> list[Segment]:
        """Return the prompt, oldest turn first; `answer` opens the assistant's next turn at the end.

        `persona`: who answers, in the owner's words, put where the format has its place for that.
        """
        ...

    def answer(self, text: str) -> list[Segment]:
        """Return what the model should write after a prompt: an answer and its end."""
        ...


class DialogueFormat:
    """Plain text, a line a turn, for models without control tokens of their own."""

    end = "\n"
    joins_turns = False
    opening = ""
    needs_bos = True

    def __init__(
        self,
        *,
        preamble: bool = False,
        scene: bool = False,
        labels: Speakers | None = RUSSIAN,
        near: "NearExamples | None" = None,
    ) -> None:
        """Start prompts with the speakers' scene and examples (`preamble`), or with their `scene` alone.

        The preamble is for models that were never trained on dialogues. Both are in the user's language; without them
        the speakers have the `labels` of the training, or, if None, those of the user's language. `near` examples
        follow the scene, then an empty line. Names of people are only in prompts without scene and examples, which
        are of two people (docs/models.md).
        """
        self._has_scene = preamble or scene
        self._has_examples = preamble
        self._labels = None if self._has_scene else labels
        self._near = near
        self._is_named = not self._has_scene and near is None

    def render(self, turns: Sequence[Turn], *, persona: str = "", answer: bool = True) -> list[Segment]:
        """Put the persona into the paragraph of the scene, in one line, or into one of its own."""
        speakers = self._labels or speakers_for_turns(turns)
        segments = self._front(speakers, one_line(persona))
        if examples := self._near_lines(turns, speakers, told=bool(persona)):
            segments += [*examples, Segment("\n", framing=True)]
        for turn in turns:
            segments += self._line(turn, speakers, learned=turn.role is Role.ASSISTANT)
        return [*segments, Segment(speakers.label(Role.ASSISTANT), framing=True)] if answer else segments

    def _front(self, speakers: Speakers, persona: str) -> list[Segment]:
        scene = [Segment(speakers.scene, framing=True)] if self._has_scene else []
        words = [Segment(f" {persona}" if scene else persona)] if persona else []
        if not scene and not words:
            return []
        examples = speakers.examples if self._has_examples else ""
        return [*scene, *words, Segment(f"\n\n{examples}", framing=True)]

    def _near_lines(self, turns: Sequence[Turn], speakers: Speakers, *, told: bool) -> list[Segment]:
        """Return near examples, but none that would answer a question to the assistant in the persona's place."""
        near = None if told and is_to_the_assistant(turns[-1].text) else self._near
        examples = near.examples(turns) if near else ()
        lines = (self._line(turn, speakers, learned=False) for example in examples for turn in example.turns)
        return [segment for segments in lines for segment in segments]

    def _line(self, turn: Turn, speakers: Speakers, *, learned: bool) -> list[Segment]:
        return [
            Segment(speakers.label(turn.role), framing=True),
            Segment(f" {one_line(with_name(turn) if self._is_named else turn.text)}", learned=learned),
            Segment(self.end, framing=True, learned=learned),
        ]

    def answer(self, text: str) -> list[Segment]:
        return [Segment(f" {one_line(text)}", learned=True), Segment(self.end, framing=True, learned=True)]


class RuDialoGPTFormat:
    """The format of the original bot's model: a speaker token before each turn; the user's ends an answer.

    Source: the model card of tinkoff-ai/ruDialoGPT-medium.
    """

    end = FIRST_SPEAKER
    joins_turns = True
    opening = ""
    needs_bos = True

    def render(self, turns: Sequence[Turn], *, persona: str = "", answer: bool = True) -> list[Segment]:
        """The format has no place for a persona: it precedes the user's first words."""
        segments: list[Segment] = []
        for turn in persona_as_words(persona, alternating_turns(turns)):
            learned = turn.role is Role.ASSISTANT
            token = SECOND_SPEAKER if learned else FIRST_SPEAKER
            segments += [
                Segment(token, framing=True, learned=not learned and bool(segments)),
                Segment(f" {turn.text.strip()} ", learned=learned),
            ]
        if answer:
            return [*segments, Segment(SECOND_SPEAKER, framing=True)]
        return [*segments, Segment(FIRST_SPEAKER, framing=True, learned=True)]

    def answer(self, text: str) -> list[Segment]:
        return [Segment(f" {text.strip()} ", learned=True), Segment(self.end, framing=True, learned=True)]


_LABELS = re.compile(
    rf"\b({'|'.join(name for one in (RUSSIAN, ENGLISH) for name in (one.user, one.assistant))})\s*[:：]",
    re.IGNORECASE,
)


def one_line(text: str) -> str:
    """Return `text` as one line, and its speaker labels without the colon, so that it can't pose as another turn."""
    return _LABELS.sub(r"\1,", " ".join(text.split()))


def without_label(text: str) -> str:
    """Return `text` without a speaker label at its start."""
    label = _LABELS.match(text)
    return text[label.end() :].lstrip() if label else text


def may_be_label(text: str) -> bool:
    """Return whether the unfinished `text` may be the beginning of a speaker label."""
    begun = text.rstrip().casefold()
    names = (name for one in (RUSSIAN, ENGLISH) for name in (one.user, one.assistant))
    return any(name.casefold().startswith(begun) for name in names)
