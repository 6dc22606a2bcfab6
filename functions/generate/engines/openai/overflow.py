"""Recognise that a conversation is too long for its server, and decide how much of it to send instead."""

import re
from dataclasses import dataclass, replace
from typing import Any, Self

from openai import APIError, APIStatusError

_STATUSES = {None, 400, 413, 422, 500}
"""None stands for an error in the stream."""
_READ = 4000
"""Characters of a message that are read; servers may quote the conversation in it."""

_TOO_LARGE = 413
_CODES = {"context_length_exceeded", "exceed_context_size_error"}
_TOO_LONG = re.compile(
    r"context (?:length|size|window|limit)|reduce the length|(?:prompt|input) is too long|too many (?:input )?tokens"
    r"|maximum (?:model|allowed|input) length|must have less than \d+ tokens|max_new_tokens. must be <="
    r"|exceeds? the maximum number of tokens|tokens exceed",
    re.IGNORECASE | re.ASCII,
)
_LIMITS = [
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        r"context (?:length|size|window)\D{0,24}?(\d{2,9})",
        r"limit of (\d{2,9})",
        r"maximum (?:model|allowed|input) length\D{0,8}(\d{2,9})",
        r"(?:less than|<=|>) ?(\d{2,9})",
        r"(?:number of tokens allowed|with)\D{0,8}(\d{2,9})",
    )
]
_PROMPTS = [
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        r"(\d{1,9}) (?:tokens )?(?:in|from|of) (?:the |your )?(?:input )?(?:messages|prompt|text input)",
        r"(?:resulted in|request has|prompt contains|keep the first)\D{0,3}(\d{1,9})",
        r"(?:given:|requested tokens|context limit:)\D{0,3}(\d{1,9})",
        r"(?:request|input|input length|input token count|prompt)\s?\((?:length )?(\d{1,9})",
        r"prompt is too long: (\d{1,9})",
    )
]
_AT_LEAST = re.compile(r"at least \d", re.IGNORECASE | re.ASCII)
"""A server that says so stops counting at its limit."""
_FRAME = 16
"""Tokens that stay free, because counts differ by what a template adds."""
_CERTAINTY = 0.95
_LEAST = 12
"""Estimated tokens of a prompt that can't be shortened further."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """A context that is too small. `limit`, `prompt`: in the server's tokens, or None if unknown."""

    limit: int | None = None
    prompt: int | None = None


@dataclass(frozen=True, slots=True)
class RequestSize:
    """The size of a request: `prompt` in estimated tokens, `answer` in the server's tokens."""

    prompt: int
    answer: int

    def shrink(self, overflow: Overflow, *, sent: int) -> Self | None:
        """Return a smaller size after a prompt estimated at `sent` tokens, or None if it can't be smaller."""
        answer = min(self.answer, max(1, overflow.limit // 2)) if overflow.limit else self.answer
        prompt = min(self.prompt, _prompt(overflow, answer, sent))
        if answer == self.answer and prompt >= sent:
            prompt = sent // 2
        return replace(self, prompt=prompt, answer=answer) if prompt >= _LEAST else None


def overflow_of(error: Exception) -> Overflow | None:
    """Return the overflow that `error` reports, or None if it is about something else.

    The error may quote the conversation, whose words could be mistaken for the server's; they affect this request only.
    """
    status = error.status_code if isinstance(error, APIStatusError) else None
    if not isinstance(error, APIError) or status not in _STATUSES:
        return None
    body: Any = error.body if isinstance(error.body, dict) else {"message": error.body}
    message = str(body.get("message") or body.get("detail") or body)[:_READ]
    if not (
        status == _TOO_LARGE or str(error.code) in _CODES or str(error.type) in _CODES or _TOO_LONG.search(message)
    ):
        return None
    limit = _number(body.get("n_ctx")) or _first(_LIMITS, message)
    prompt = None if _AT_LEAST.search(message) else _first(_PROMPTS, message)
    return Overflow(limit=limit, prompt=_number(body.get("n_prompt_tokens")) or prompt)


def _prompt(overflow: Overflow, answer: int, sent: int) -> int:
    if overflow.limit is None:
        return sent // 2
    room = max(1, overflow.limit - answer - _FRAME)
    if overflow.prompt:
        return int(sent * room / overflow.prompt * _CERTAINTY)
    return min(room, sent // 2)


def _number(value: object) -> int | None:
    return value if type(value) is int and 0 < value < 10**9 else None


def _first(patterns: list[re.Pattern[str]], message: str) -> int | None:
    found = next((found for pattern in patterns if (found := pattern.search(message))), None)
    return int(found[1]) if found else None
