"""Prompt formats: turns in, segments out. Serving and training share them, so a model sees at work what it learned."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from events.schema import Role, Turn
from functions.generate.prompts.conversation import alternating_turns
from functions.generate.prompts.personas import ENGLISH, RUSSIAN, Persona, persona_for_turns

if TYPE_CHECKING:
    from functions.generate.prompts.near_examples import NearExamples

FIRST_SPEAKER, SECOND_SPEAKER = "@@ПЕРВЫЙ@@", "@@ВТОРОЙ@@"


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt.

    `framing` is ours and may name control tokens; anything else is somebody's words and must never become one.
    `learned` marks what the assistant writes, its end of turn included: where training puts the loss.
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
        """What the model writes after an answer."""
        ...

    @property
    def joins(self) -> bool:
        """Whether neighbouring turns of one role become one, as in `alternating`."""
        ...

    @property
    def opening(self) -> str:
        """What a chat template writes last before an answer; it may open a thought."""
        ...

    @property
    def bare(self) -> bool:
        """Whether the tokenizer's beginning-of-text token still has to be put in front."""
        ...

    def render(self, turns: Sequence[Turn], *, answer: bool = True) -> list[Segment]:
        """The prompt, oldest turn first; `answer` opens the assistant's next turn at the end."""
        ...

    def answer(self, text: str) -> list[Segment]:
        """What the model is to write after a prompt: an answer and its end."""
        ...


class DialogueFormat:
    """Plain text, a line a turn, for models without control tokens of their own."""

    end = "\n"
    joins = False
    opening = ""
    bare = True

    def __init__(
        self,
        *,
        preamble: bool = False,
        scene: bool = False,
        labels: Persona | None = RUSSIAN,
        near: "NearExamples | None" = None,
    ) -> None:
        """`preamble` puts a persona's scene and examples in front, for a model that was never trained on dialogues.

        `scene` puts the scene alone there. Both are in the language of who asks; without them the speakers have the
        `labels` that training gave them, or, if that is None, those of who asks, too. `near` examples follow the scene,
        and an empty line follows them.
        """
        self._front = attrgetter("preamble" if preamble else "scene") if preamble or scene else None
        self._labels = None if self._front else labels
        self._near = near

    def render(self, turns: Sequence[Turn], *, answer: bool = True) -> list[Segment]:
        persona = self._labels or persona_for_turns(turns)
        segments = [Segment(self._front(persona), framing=True)] if self._front else []
        if shown := self._examples(turns, persona):
            segments += [*shown, Segment("\n", framing=True)]
        for turn in turns:
            segments += self._said(turn, persona, learned=turn.role is Role.ASSISTANT)
        return [*segments, Segment(persona.label(Role.ASSISTANT), framing=True)] if answer else segments

    def _examples(self, turns: Sequence[Turn], persona: Persona) -> list[Segment]:
        examples = self._near.examples(turns) if self._near else ()
        said = (self._said(turn, persona, learned=False) for example in examples for turn in example.turns)
        return [segment for segments in said for segment in segments]

    def _said(self, turn: Turn, persona: Persona, *, learned: bool) -> list[Segment]:
        return [
            Segment(persona.label(turn.role), framing=True),
            Segment(f" {one_line(turn.text)}", learned=learned),
            Segment(self.end, framing=True, learned=learned),
        ]

    def answer(self, text: str) -> list[Segment]:
        return [Segment(f" {one_line(text)}", learned=True), Segment(self.end, framing=True, learned=True)]


class RuDialoGPTFormat:
    """The original's model: a speaker token before each turn; the user's ends an answer.

    Source: the model card of tinkoff-ai/ruDialoGPT-medium.
    """

    end = FIRST_SPEAKER
    joins = True
    opening = ""
    bare = True

    def render(self, turns: Sequence[Turn], *, answer: bool = True) -> list[Segment]:
        segments: list[Segment] = []
        for turn in alternating_turns(turns):
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
    rf"\b({'|'.join(name for persona in (RUSSIAN, ENGLISH) for name in (persona.user, persona.assistant))})\s*[:：]",
    re.IGNORECASE,
)


def one_line(text: str) -> str:
    """`text` as one line that can't be read as the next speaker's: white space is one space, labels lose the colon."""
    return _LABELS.sub(r"\1,", " ".join(text.split()))


def without_label(text: str) -> str:
    """`text` less a speaker label that it begins with."""
    label = _LABELS.match(text)
    return text[label.end() :].lstrip() if label else text


def may_be_label(text: str) -> bool:
    """Whether `text`, of which more is to come, can still become a speaker label and nothing else."""
    begun = text.rstrip().casefold()
    names = (name for persona in (RUSSIAN, ENGLISH) for name in (persona.user, persona.assistant))
    return any(name.casefold().startswith(begun) for name in names)
