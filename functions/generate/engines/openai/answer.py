"""Assemble an answer from a chat server's events; empty and unknown fields are ignored."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from events.faults import UNKNOWN_ATTEMPTS
from events.runtime.clock import Clock
from events.schema import FinishReason, Usage
from functions.generate.decoding.answers import tidy_answer
from functions.generate.decoding.control_tokens import ControlTokens
from functions.generate.decoding.thoughts import THOUGHT_MARKS, VisibleText, hide_thoughts
from functions.generate.engine import GeneratedAnswer
from functions.generate.engines.openai.overflow import Overflow
from functions.generate.engines.openai.stream import DONE, StreamEvent
from functions.generate.prompts.conversation import MAX_CHARACTERS_PER_TOKEN
from functions.worker.outcomes import Reject, Retry

_REASONING = ("reasoning_content", "reasoning", "thinking")
"""Fields in which servers send thoughts separately."""
_TEXTS = {"text", "output_text"}
"""Kinds of content parts that are shown to the user."""
_LETTERS_PER_TOKEN = 3
"""Fewest letters per token of ordinary text."""
_GROWTH = 64
"""Thoughts are searched for when the text has grown by one part in so many; at every piece it would take seconds."""
_CONTROL_TOKENS = ControlTokens()
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class StreamedAnswer:
    """An answer that is being received; its time is measured from here.

    `visible`, `thoughts`: how many tokens of each were requested. `thinking`: whether the prompt opened a thought.
    """

    def __init__(self, clock: Clock, *, visible: int, thoughts: int, thinking: bool = False) -> None:
        self._clock = clock
        self._visible = visible
        self._thoughts = thoughts
        self._thinking = thinking
        self._pieces: list[str] = []
        self._size = 0
        self._pieces_said = 0
        self._refusal = ""
        self._finish_reason: str | None = None
        self._ended = False
        self._usage = Usage()
        self._counted = False
        self._started = self._clock.monotonic()
        self._first_at: float | None = None
        self.has_reasoning = False
        self._latest = self.visible
        self._update_at = 1

    @property
    def written(self) -> str:
        """Return the whole text, thoughts included."""
        text = "".join(self._pieces) or self._refusal
        # Some servers split a character between two events, as UTF-16 surrogates.
        return _CONTROL.sub("", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))

    @property
    def visible(self) -> VisibleText:
        """What may be shown so far."""
        return self._visible_text(whole=False)

    @property
    def has_thought(self) -> bool:
        """Return whether there was a thought, in the answer or apart from it."""
        return self.has_reasoning or self._thinking or any(mark.opening in self.written for mark in THOUGHT_MARKS)

    @property
    def has_words(self) -> bool:
        return bool(self.written.strip())

    @property
    def is_silence(self) -> bool:
        """Return whether the model wrote only its end token, by the server's count."""
        return self._counted and self._usage.output_tokens <= 1 and not self.has_words

    @property
    def begins_in_thought(self) -> bool:
        """Return whether the answer begins inside a thought."""
        return not self.has_thought and not hide_thoughts(self.written, thinking=True).thinking

    @property
    def is_full(self) -> bool:
        """Return whether the server writes more than was requested."""
        most = (self._visible + self._thoughts) * MAX_CHARACTERS_PER_TOKEN
        if self._size > most:
            return True
        # Most servers send single tokens; some proxies send letters.
        return self._pieces_said > self._visible and len(self._latest.text) > self._visible * _LETTERS_PER_TOKEN

    @property
    def is_only_thought(self) -> bool:
        """Return whether the limit was reached before any visible text; an answer of white space is just empty."""
        hidden = self.has_thought or not self.written
        return hidden and self._finished() is FinishReason.LENGTH and not self._text().strip()

    @property
    def needs_thought_room(self) -> bool:
        """Return whether thoughts, for which no tokens were requested, used up the answer's."""
        return not self._thoughts and self._finished() is FinishReason.LENGTH and (self.has_thought or not self._text())

    def add(self, event: StreamEvent) -> None:
        if event is DONE:
            self._ended = True
            return
        self._count(event.get("usage"))
        for choice in _choices(event):
            reason = choice.get("finish_reason")
            piece = self._read(choice)
            self._finish_reason = str(reason) if reason else self._finish_reason
            # Every event may have an empty reason; in the last event it means the end.
            self._ended = reason == "" and not piece

    def overflow(self, room: int) -> Overflow | None:
        """Return the overflow if the server's context was full before `room` tokens were written, without an error."""
        wrote, read = self._usage.output_tokens, self._usage.input_tokens
        if not self._counted or wrote >= max(1, room // 2) or (self.written and not wrote):
            return None
        if self._finished() is not FinishReason.LENGTH and self.written:
            return None
        return Overflow(limit=read + wrote, prompt=read) if read and wrote else Overflow()

    def generated(self) -> GeneratedAnswer:
        ended = self._clock.monotonic()
        first = self._first_at or ended
        finish_reason = self._finished()
        return GeneratedAnswer(
            text=tidy_answer(self._text(), cut=finish_reason is FinishReason.LENGTH),
            finish_reason=finish_reason,
            usage=self._usage,
            prompt_seconds=first - self._started,
            generation_seconds=ended - first,
        )

    def _read(self, choice: Mapping[str, Any]) -> str:
        """Add the text of `choice` and return it."""
        delta = _mapping(choice.get("delta"))
        self.has_reasoning |= any(delta.get(name) for name in _REASONING)
        piece = _text(delta.get("content")) or _text(choice.get("text"))
        if not piece and not self._pieces:
            # Not streamed, or repeated in full at the end.
            message = _mapping(choice.get("message"))
            self.has_reasoning |= any(message.get(name) for name in _REASONING)
            piece = _text(message.get("content"))
            delta = delta or message
        self._refusal += _text(delta.get("refusal"))
        if piece:
            self._first_at = self._first_at or self._clock.monotonic()
            self._pieces.append(piece)
            self._size += len(piece)
            if self._thoughts:
                self._update_latest()
                self._pieces_said += not self._latest.thinking
        return piece

    def _update_latest(self) -> None:
        if self._size >= self._update_at:
            self._latest = self.visible
            self._update_at = self._size + self._size // _GROWTH + 1

    def _count(self, usage: object) -> None:
        counted = _mapping(usage)
        read, wrote = _number(counted.get("prompt_tokens")), _number(counted.get("completion_tokens"))
        if read is None and wrote is None:
            return
        self._usage, self._counted = Usage(input_tokens=read or 0, output_tokens=wrote or 0), wrote is not None
        self.has_reasoning |= bool(_mapping(counted.get("completion_tokens_details")).get("reasoning_tokens"))

    def _text(self) -> str:
        whole = self._finished() is not FinishReason.LENGTH
        return self._visible_text(whole=whole).text

    def _visible_text(self, *, whole: bool) -> VisibleText:
        found = hide_thoughts(self.written, thinking=self._thinking, whole=whole)
        return replace(found, text=_CONTROL_TOKENS.remove_from(found.text))

    def _finished(self) -> FinishReason:
        if self._finish_reason == "content_filter":
            raise Reject("the model server: its content filter removed the answer")
        if self._finish_reason == "length" or self.is_full:
            return FinishReason.LENGTH
        if self._finish_reason or self._ended:
            return FinishReason.STOP
        raise Retry("the model server: the answer broke off", attempts=UNKNOWN_ATTEMPTS)


def _choices(event: StreamEvent) -> Iterator[Mapping[str, Any]]:
    """Yield the first choice: no more are requested, and servers that send several interleave them."""
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict) and not choice.get("index"):
            yield choice


def _text(content: object) -> str:
    """What is for the reader in a content: text, or parts of several kinds."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return _text(content.get("text")) if content.get("type", "text") in _TEXTS else ""
    return "".join(_text(part) for part in content) if isinstance(content, list) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
