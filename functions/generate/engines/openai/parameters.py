"""Choose the parameters of a request, without those that the server refuses."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from openai import APIConnectionError, APIError, APIStatusError

from events.schema import Sampling

_REFUSALS = {None, 400, 415, 422, 500, 501}
"""Statuses that may be about a parameter; None stands for an error in the stream."""
_NAMED_REFUSALS = _REFUSALS | {404}
"""Statuses that are about a parameter if the error names one."""
_LATER = {400, 415, 422}
"""Statuses after which a server that took all parameters is probed again."""
_SYSTEM_REFUSED = _LATER | {500}
"""Statuses of servers whose chat template raises an error: vLLM's 400, llama-server's 500."""
_EFFORTS = ("none", "minimal", "low")
"""Least thinking first, as it answers sooner; not every server knows each word."""
_SEEDS = 2**31
"""Some servers store a seed as a signed 32-bit number."""
_ALIASES = {
    "chat_template_kwargs": ("chat_template_kwargs", "chat_template", "enable_thinking", "thinking"),
    "reasoning_effort": ("reasoning_effort", "reasoning", "thinking"),
    "stream_options": ("stream_options", "include_usage"),
}
"""Other words for a parameter in an error."""
_GROUPS = (
    ("chat_template_kwargs", "reasoning_effort", "repeat_penalty", "repetition_penalty", "top_k"),
    ("seed", "stream_options"),
    ("temperature", "top_p"),
)
"""Parameters in the order in which they are omitted if an error names none."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of requests. `refused`: names to omit; `reasoning_effort` has one for each of its words."""

    refused: frozenset[str] = frozenset()

    def body(self, sampling: Sampling, *, tokens: int) -> dict[str, Any]:
        """Return what is sent besides model and messages. `tokens`: for thoughts and answer together."""
        return {name: value for name, value in self._wanted(sampling, tokens) if name not in self.refused}

    def without_refused(self, error: Exception, sent: Iterable[str]) -> Self | None:
        """Return what is left after our own question was refused, or None if that was not about a parameter.

        Our own, because an error may quote the question, and a user's words must not decide this.
        """
        if not isinstance(error, APIError) or isinstance(error, APIConnectionError):
            return None
        if _status(error) not in _NAMED_REFUSALS:
            return None
        names = _named(str(error.param or ""), sent) or _named(str(error.body), sent)
        if not names and _status(error) in _REFUSALS:
            names = next((some for group in _GROUPS if (some := set(group) & set(sent))), set())
        return type(self)(self.refused | {self._word(name) for name in names}) if names else None

    def _word(self, name: str) -> str:
        return f"{name}={self._effort()}" if name == "reasoning_effort" else name

    def _effort(self) -> str | None:
        return next((word for word in _EFFORTS if f"reasoning_effort={word}" not in self.refused), None)

    def _wanted(self, sampling: Sampling, tokens: int) -> Iterable[tuple[str, Any]]:
        # Ollama does not know its successor, max_completion_tokens, and OpenAI's newer models not max_tokens.
        yield ("max_completion_tokens" if "max_tokens" in self.refused else "max_tokens"), tokens
        yield "temperature", sampling.temperature
        yield "top_p", sampling.top_p
        yield "seed", sampling.seed % _SEEDS
        yield "stream", True
        yield "stream_options", {"include_usage": True}
        yield from extras(sampling)
        yield "chat_template_kwargs", {"enable_thinking": False, "thinking": False}
        if effort := self._effort():
            yield "reasoning_effort", effort


def is_refusal(error: Exception) -> bool:
    """Return whether a question may have been refused for a parameter that was accepted before."""
    return isinstance(error, APIStatusError) and error.status_code in _LATER


def may_be_about_system(error: Exception) -> bool:
    """Return whether a question may have been refused for its system message."""
    return isinstance(error, APIStatusError) and error.status_code in _SYSTEM_REFUSED


def _status(error: APIError) -> int | None:
    return error.status_code if isinstance(error, APIStatusError) else None


def extras(sampling: Sampling) -> Iterable[tuple[str, float]]:
    """Yield parameters that OpenAI does not have, by vLLM's and llama-server's names, unless they are neutral."""
    if sampling.top_k:
        yield "top_k", sampling.top_k
    if sampling.repetition_penalty != 1:
        yield "repetition_penalty", sampling.repetition_penalty
        yield "repeat_penalty", sampling.repetition_penalty


def _named(text: str, sent: Iterable[str]) -> set[str]:
    """Return those of `sent` that `text` names; `stream` only if alone, because many errors contain that word."""
    words = set(re.findall(r"\w+", text))
    named = {name for name in sent if words & set(_ALIASES.get(name, (name,)))}
    return named - {"stream"} or named
