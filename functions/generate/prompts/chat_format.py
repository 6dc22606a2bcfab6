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
from functions.generate.prompts.persona import persona_as_words

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

_ROLES: tuple[str, ...] = (Role.USER, Role.ASSISTANT) * 3
_SYSTEM = "system"


class ChatFormat:
    """Renders as the template does, with people's text as plain text, even where it spells control tokens."""

    joins_turns = True
    needs_bos = False

    def __init__(self, template: Template) -> None:
        """Raises TemplateRefused, one line, if the template can't render conversations."""
        self._template = template
        self._content = self._find_content()
        self._changes: dict[str, Callable[[str], str]] = {role: self._find_change(_ROLES[:3], role) for role in Role}
        self._has_system = self._find_system()
        pieces = self._split(_ROLES[:3], answer=True)
        self._unopened = self._find_unopened(pieces[2])
        self.opening = pieces[-1] + self._unopened
        self.end = self._find_end(pieces[4])

    def render(self, turns: Sequence[Turn], *, persona: str = "", answer: bool = True) -> list[Segment]:
        """The persona is the system message, or precedes the user's first words if the template has none."""
        messages = self._messages(turns, persona.strip())
        segments: list[Segment] = []
        learned = False
        pieces = self._split([role for role, _ in messages], answer=answer)
        pieces[-1] += self._unopened if answer else ""
        for place, text in enumerate(pieces):
            if place % 2:
                role, words = messages[int(text)]
                learned = role == Role.ASSISTANT
                segments.append(Segment(self._changes[role](words.strip()), learned=learned))
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

    def _messages(self, turns: Sequence[Turn], persona: str) -> list[tuple[str, str]]:
        """Return role and text of each message."""
        merged = alternating_turns(turns)
        if not self._has_system:
            merged = persona_as_words(persona, merged)
        system = [(_SYSTEM, persona)] if persona and self._has_system else []
        return [*system, *((turn.role.value, turn.text) for turn in merged)]

    def _after_answer(self, text: str) -> Iterator[Segment]:
        start = text.find(self.end)
        if start >= 0 and not text[:start].strip():
            size = start + len(self.end)
            yield Segment(text[:size], framing=True, learned=True)
            text = text[size:]
        yield Segment(text, framing=True)

    def _split(self, roles: Sequence[str], *, answer: bool) -> list[str]:
        """Return framing and numbers of messages, alternating.

        Raises TemplateRefused if a message is missing or in the wrong place; that of a system message is up to it.
        """
        places = [str(place) for place in range(len(roles))]
        pieces = _MARKS.split(self._write(roles, map(_MARK.format, places), answer=answer))
        found = list(dict.fromkeys(pieces[1::2]))
        system = {place for place, role in zip(places, roles, strict=True) if role == _SYSTEM}
        if not system <= {*found} or [place for place in found if place not in system] != places[len(system) :]:
            raise TemplateRefused("its chat template leaves out messages of a conversation")
        return pieces

    def _write(self, roles: Sequence[str], texts: Iterable[str], *, answer: bool) -> str:
        messages = [
            {"role": str(role), "content": self._content(text)} for role, text in zip(roles, texts, strict=True)
        ]
        return self._template.render(messages, answer=answer)

    def _find_content(self) -> Callable[[str], Any]:
        """Return the first form of content with which the template renders all kinds of conversations."""
        refused: list[TemplateRefused] = []
        for self._content in _CONTENTS:
            try:
                for count in (1, 3, 5):
                    self._split(_ROLES[:count], answer=True)
            except TemplateRefused as error:
                refused.append(error)
            else:
                return self._content
        raise refused[0]

    def _find_system(self) -> bool:
        """Return whether the template takes a system message, and as nobody's turn; find out how it changes it."""
        try:
            for count in (1, 3, 5):
                roles = [_SYSTEM, *_ROLES[:count]]
                self._split(roles, answer=True)
                if any(self._writes_the_same(roles, [role, *roles[1:]]) for role in Role):
                    return False
            self._changes[_SYSTEM] = self._find_change([_SYSTEM, *_ROLES[:3]], _SYSTEM)
        except TemplateRefused:
            return False
        return True

    def _writes_the_same(self, roles: Sequence[str], others: Sequence[str]) -> bool:
        marks = [_MARK.format(place) for place in range(len(roles))]
        written = self._write(roles, marks, answer=True)
        try:
            return self._write(others, marks, answer=True) == written
        except TemplateRefused:
            return False

    def _find_change(self, roles: Sequence[str], role: str) -> Callable[[str], str]:
        """Return what the template does to messages of `role`."""
        marks = [_MARK.format(place) for place in range(len(roles))]
        expected = self._write(roles, marks, answer=True)
        written = self._write(roles, _filled(roles, marks, role, _SAMPLE), answer=True)
        for change in _CHANGES:
            texts = _filled(roles, marks, role, change(_SAMPLE))
            if written == _MARKS.sub(lambda mark, texts=texts: texts[int(mark[1])], expected):  # type: ignore[misc]
                return change
        raise TemplateRefused("its chat template changes what people write")

    def _find_unopened(self, before: str) -> str:
        """Return what a template that can't open an answer leaves out, from the frame `before` a given answer."""
        opened, plain = (self._split(_ROLES[:1], answer=answer)[-1] for answer in (True, False))
        rest = before.removeprefix(opened)
        return rest if opened == plain and len(rest) < len(before) and rest.strip() else ""

    def _find_end(self, between: str) -> str:
        """Return the token, or else the text, that the template writes after an answer, or else the tokenizer's eos.

        `between`: the frame between an answer and the next question.
        """
        try:
            after = self._split(_ROLES[:2], answer=False)[-1].strip()
        except TemplateRefused:
            after = ""  # it rejects conversations that end with an answer
        if tokens := [token for token in self._template.controls if token and after.startswith(token)]:
            return max(tokens, key=len)
        if end := after or self._template.eos or between.strip():
            return end
        raise TemplateRefused("its chat template writes nothing after an answer, and its tokenizer has no eos_token")


def _filled(roles: Sequence[str], marks: Sequence[str], role: str, text: str) -> list[str]:
    return [text if other == role else mark for other, mark in zip(roles, marks, strict=True)]
