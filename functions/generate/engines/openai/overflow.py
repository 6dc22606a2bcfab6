"""A conversation that is too long for its server: the server's numbers, and how much of it to send instead."""

import re
from dataclasses import dataclass, replace
from typing import Any, Self

from openai import APIError, APIStatusError

_STATUSES = {None, 400, 413, 422, 500}
"""None stands for an error in the stream."""
_READ = 4000
"""Characters of a message: servers quote the conversation in it."""

_TOO_LARGE = 413
_CODES = {"context_length_exceeded", "exceed_context_size_error"}
_TOLD = re.compile(
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
"""Such a server stops counting at its limit."""
_FRAME = 16
"""Tokens that are kept free: counts differ by what a template adds."""
_CERTAINTY = 0.95
_LEAST = 12
"""Estimated tokens of a prompt below which there is nothing left to leave out."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """`limit` and `prompt` in the server's tokens, if it has told them."""

    limit: int | None = None
    prompt: int | None = None


@dataclass(frozen=True, slots=True)
class RequestSize:
    """How much is asked: `prompt` in estimated tokens, `answer` in tokens of the server."""

    prompt: int
    answer: int

    def within(self, overflow: Overflow, *, sent: int) -> Self | None:
        """The size to ask with instead, after a prompt estimated at `sent`; None if it can't be less."""
        answer = min(self.answer, max(1, overflow.limit // 2)) if overflow.limit else self.answer
        prompt = min(self.prompt, _prompt(overflow, answer, sent))
        if answer == self.answer and prompt >= sent:
            prompt = sent // 2
        return replace(self, prompt=prompt, answer=answer) if prompt >= _LEAST else None


def overflow_of(error: Exception) -> Overflow | None:
    """What `error` says about a conversation that is too long; None if it is about something else.

    It may quote that conversation, whose words could pass for the server's: they decide about this request alone.
    """
    status = error.status_code if isinstance(error, APIStatusError) else None
    if not isinstance(error, APIError) or status not in _STATUSES:
        return None
    body: Any = error.body if isinstance(error.body, dict) else {"message": error.body}
    message = str(body.get("message") or body.get("detail") or body)[:_READ]
    if not (status == _TOO_LARGE or str(error.code) in _CODES or str(error.type) in _CODES or _TOLD.search(message)):
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
