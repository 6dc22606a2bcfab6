"""An OpenAI-compatible server: which model is asked, with which parameters, and what is wrong if it can't be."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

from openai import APIError, APIStatusError, AsyncOpenAI, AsyncStream, Timeout
from openai.types.chat import ChatCompletionChunk

from events.errors import SettingsError
from events.schema import Sampling
from functions.generate.engines.openai_errors import FAULTS, mending
from observability import propagation

Messages = Sequence[Mapping[str, str]]
"""{role, content}, oldest first."""

_CONNECT_TIMEOUT = 5.0
"""Seconds."""
_NO_KEY = "none"
"""The client wants one; servers without keys do not look at it."""
_LISTED = 10
"""Names of models in an error."""


class Server:
    """`extras`: which of the parameters beyond OpenAI's own it takes."""

    def __init__(self, client: AsyncOpenAI, model: str, extras: frozenset[str]) -> None:
        self._client = client
        self.model = model
        self._extras = extras

    @classmethod
    async def open(cls, url: str, *, key: str | None, model: str | None, timeout: timedelta) -> Self:
        """Ask what it has, and a short question.

        Raises SettingsError, one line, if it can't be reached, does not have `model` or can't chat with it.
        """
        client = _client(url, key, timeout)
        try:
            chosen = _chosen(model, [listed.id async for listed in client.models.list()])
            return cls(client, chosen, await _accepted_extras(client, chosen))
        except BaseException as error:
            await client.close()
            if isinstance(error, FAULTS):
                place = error.request.url if isinstance(error, APIError) else client.base_url
                raise SettingsError(mending(error, place)) from None
            raise

    async def ask(self, messages: Messages, sampling: Sampling) -> AsyncStream[ChatCompletionChunk]:
        """The answer's stream, to be closed. Raises APIError, also while it is read."""
        extras = {name: value for name, value in _extras(sampling).items() if name in self._extras}
        return await _ask(self._client, self.model, messages, sampling, extras)

    async def close(self) -> None:
        await self._client.close()


def _client(url: str, key: str | None, timeout: timedelta) -> AsyncOpenAI:
    try:
        return AsyncOpenAI(
            base_url=url,
            api_key=key or _NO_KEY,
            timeout=Timeout(timeout.total_seconds(), connect=_CONNECT_TIMEOUT),
            max_retries=0,  # the worker tries again
        )
    except OSError as error:  # it reads the authorities' certificates
        raise SettingsError(f"SSL_CERT_FILE can't be used ({error}); it takes a PEM file of authorities") from None


async def _ask(
    client: AsyncOpenAI, model: str, messages: Messages, sampling: Sampling, extras: Mapping[str, float]
) -> AsyncStream[ChatCompletionChunk]:
    turns: Any = messages
    return await client.chat.completions.create(
        model=model,
        messages=turns,
        max_tokens=sampling.max_new_tokens,  # Ollama does not know its successor, max_completion_tokens
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
        stream=True,
        stream_options={"include_usage": True},
        extra_body=extras,
        extra_headers=propagation.inject(),
    )


def _extras(sampling: Sampling) -> dict[str, float]:
    """Parameters that OpenAI does not have, under the names of vLLM and llama-server; without neutral ones."""
    extras: dict[str, float] = {"top_k": sampling.top_k} if sampling.top_k else {}
    if sampling.repetition_penalty != 1:
        extras |= dict.fromkeys(("repetition_penalty", "repeat_penalty"), sampling.repetition_penalty)
    return extras


async def _accepted_extras(client: AsyncOpenAI, model: str) -> frozenset[str]:
    """Those that a short question is not refused for: servers ignore the ones that they don't know, or object."""
    sampling = Sampling(max_new_tokens=1)
    extras = _extras(sampling)
    while True:
        try:
            async with await _ask(client, model, [{"role": "user", "content": "?"}], sampling, extras) as chunks:
                if not [chunk async for chunk in chunks]:
                    raise ValueError("no stream came")
        except APIStatusError as error:
            refused = {name for name in extras if name in error.response.text}
            if not refused:
                raise
            extras = {name: value for name, value in extras.items() if name not in refused}
        else:
            return frozenset(extras)


def _chosen(model: str | None, listed: Sequence[str]) -> str:
    if model is None and len(listed) == 1:
        return listed[0]
    if model is not None and model in listed:
        return model
    names = ", ".join(listed[:_LISTED]) + (" …" if len(listed) > _LISTED else "")
    said = "is not set" if model is None else f"is {model}"
    raise SettingsError(f"GENERATE_MODEL {said}; the server at OPENAI_BASE_URL has {names or 'no models'}")
