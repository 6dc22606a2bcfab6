"""A chat template as a prompt format: it renders placeholders, so people's text never passes through it."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Protocol

from events.errors import SettingsError
from events.schema import Role, Turn
from functions.generate.decoding.thoughts import open_mark
from functions.generate.prompts.conversation import alternating_turns
from functions.generate.prompts.formats import Segment

Message = Mapping[str, Any]
"""{role, content}; the content is a string or a list of parts such as {type: text, text: …}."""


class TemplateRefused(SettingsError):
    """A template rejects a conversation, fails, or exceeds its limits."""


class Template(Protocol):
    """Implemented by `templates.ChatTemplate`."""

    @property
    def eos(self) -> str:
        """The token that ends a text; empty if the tokenizer has none."""
        ...

    @property
    def controls(self) -> Collection[str]:
        """The tokenizer's special and added tokens."""
        ...

    def render(self, messages: Sequence[Message], *, answer: bool) -> str:
        """Raises TemplateRefused."""
        ...


_MARK = "\ue000{}\ue001"
_MARKS = re.compile("\ue000(\\d+)\ue001")

_CONTENTS: tuple[Callable[[str], Any], ...] = (str, lambda text: [{"type": "text", "text": text}])
"""A string or a list of parts: some templates take only one of them."""

_CHANGES: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: text.replace("\r\n", "\n").replace("\n\n", "\n"),
    lambda text: text.replace("\n", " "),
    lambda text: " ".join(text.split()),
    str.upper,
    str.lower,
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
)
"""What templates do to contents: we do the same to people's text."""
_SAMPLE = "Ёж  и \"Уж\": <b>3 > 2</b> & 'x\\y'\n\nда, Да.\n" * 40 + "Нет"
"""A content that each of them, or a limit of its length, would change."""

_TURNS = [Turn(role=role, text=".") for role in (Role.USER, Role.ASSISTANT)] * 3


class ChatFormat:
    """Renders as the template does, with people's text as plain text, even where it spells control tokens."""

    joins_turns = True
    needs_bos = False

    def __init__(self, template: Template) -> None:
        """Raises TemplateRefused, one line, if the template can't render conversations."""
        self._template = template
        self._content = self._find_content()
        self._changes = {role: self._find_change(role) for role in Role}
        pieces = self._split(_TURNS[:3], answer=True)
        self._unopened = self._find_unopened(pieces[2])
        self.opening = pieces[-1] + self._unopened
        self.end = self._find_end(pieces[4])

    def render(self, turns: Sequence[Turn], *, answer: bool = True) -> list[Segment]:
        merged = alternating_turns(turns)
        segments: list[Segment] = []
        learned = False
        pieces = self._split(merged, answer=answer)
        pieces[-1] += self._unopened if answer else ""
        for place, text in enumerate(pieces):
            if place % 2:
                turn = merged[int(text)]
                learned = turn.role is Role.ASSISTANT
                segments.append(Segment(self._changes[turn.role](turn.text.strip()), learned=learned))
            else:
                segments += self._after_answer(text) if learned else [Segment(text, framing=True)]
        if learned and not pieces[-1].strip():
            # The template leaves out the end of the last answer.
            segments[-1] = Segment(self.end, framing=True, learned=True)
        return segments

    def answer(self, text: str) -> list[Segment]:
        """Close a thought first if the prompt opens one."""
        words = Segment(self._changes[Role.ASSISTANT](text.strip()), learned=True)
        thought = open_mark(self.opening)
        closing = [Segment(f"{thought.closing}\n\n", framing=True, learned=True)] if thought else []
        return [*closing, words, Segment(self.end, framing=True, learned=True)]

    def _after_answer(self, text: str) -> Iterator[Segment]:
        start = text.find(self.end)
        if start >= 0 and not text[:start].strip():
            size = start + len(self.end)
            yield Segment(text[:size], framing=True, learned=True)
            text = text[size:]
        yield Segment(text, framing=True)

    def _split(self, turns: Sequence[Turn], *, answer: bool) -> list[str]:
        """Return framing and numbers of turns, alternating. Raises TemplateRefused if a turn is missing."""
        places = [str(place) for place in range(len(turns))]
        pieces = _MARKS.split(self._write(turns, map(_MARK.format, places), answer=answer))
        if list(dict.fromkeys(pieces[1::2])) != places:
            raise TemplateRefused("its chat template leaves out messages of a conversation")
        return pieces

    def _write(self, turns: Sequence[Turn], texts: Iterable[str], *, answer: bool) -> str:
        messages = [
            {"role": turn.role.value, "content": self._content(text)} for turn, text in zip(turns, texts, strict=True)
        ]
        return self._template.render(messages, answer=answer)

    def _find_content(self) -> Callable[[str], Any]:
        """Return the first form of content with which the template renders all kinds of conversations."""
        refused: list[TemplateRefused] = []
        for self._content in _CONTENTS:
            try:
                for count in (1, 3, 5):
                    self._split(_TURNS[:count], answer=True)
            except TemplateRefused as error:
                refused.append(error)
            else:
                return self._content
        raise refused[0]

    def _find_change(self, role: Role) -> Callable[[str], str]:
        turns = _TURNS[:3]
        marks = [_MARK.format(place) for place in range(len(turns))]
        expected = self._write(turns, marks, answer=True)
        written = self._write(turns, _filled(turns, marks, role, _SAMPLE), answer=True)
        for change in _CHANGES:
            texts = _filled(turns, marks, role, change(_SAMPLE))
            if written == _MARKS.sub(lambda mark, texts=texts: texts[int(mark[1])], expected):  # type: ignore[misc]
                return change
        raise TemplateRefused("its chat template changes what people write")

    def _find_unopened(self, before: str) -> str:
        """Return what a template that can't open an answer leaves out, from the frame `before` a given answer."""
        opened, plain = (self._split(_TURNS[:1], answer=answer)[-1] for answer in (True, False))
        rest = before.removeprefix(opened)
        return rest if opened == plain and len(rest) < len(before) and rest.strip() else ""

    def _find_end(self, between: str) -> str:
        """Return the token, or else the text, that the template writes after an answer, or else the tokenizer's eos.

        `between`: the frame between an answer and the next question.
        """
        try:
            after = self._split(_TURNS[:2], answer=False)[-1].strip()
        except TemplateRefused:
            after = ""  # it rejects conversations that end with an answer
        if tokens := [token for token in self._template.controls if token and after.startswith(token)]:
            return max(tokens, key=len)
        if end := after or self._template.eos or between.strip():
            return end
        raise TemplateRefused("its chat template writes nothing after an answer, and its tokenizer has no eos_token")


def _filled(turns: Sequence[Turn], marks: Sequence[str], role: Role, text: str) -> list[str]:
    return [text if turn.role is role else mark for turn, mark in zip(turns, marks, strict=True)]
