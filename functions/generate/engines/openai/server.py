"""An OpenAI-compatible server: where it is, which model is asked, how it speaks, and what is wrong if it can't be."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import structlog
from httpx2 import URL, Response
from openai import APIError, APIStatusError, AsyncOpenAI, Timeout

from events.errors import SettingsError
from events.files import read_problem
from events.runtime.clock import Clock
from events.runtime.tasks import within
from events.schema import Sampling
from functions.generate.engines.openai.address import (
    candidate_bases,
    find_model,
    model_names,
    model_problem,
    redirected_base,
    without_secrets,
)
from functions.generate.engines.openai.answer import StreamedAnswer
from functions.generate.engines.openai.errors import FAULTS, out_of_room, problem_and_advice
from functions.generate.engines.openai.parameters import Parameters
from functions.generate.engines.openai.stream import StreamEvent, events
from functions.worker.outcomes import Reject, Retry
from observability import propagation

Messages = Sequence[Mapping[str, str]]
"""{role, content}, oldest first."""

_CONNECT_TIMEOUT = 5.0
"""Seconds."""
_NO_KEY = "none"
"""The client wants one; servers without keys do not look at it."""
_QUESTION: Messages = [{"role": "user", "content": "?"}]
_ANSWER = 128
"""Tokens in which a model that thinks has begun to, and one whose prompt opened a thought has often closed it."""
_ENOUGH = 3.0
"""Seconds after which a slow server's first words will do."""
_SEEDS = range(3)
"""A model may have nothing to say once."""
_PATIENCE = 5
"""Times the silence that is allowed: all that the short question may take."""
_NOT_THERE = {404, 405, 410, 501}
_UNLISTED = _NOT_THERE | {401, 403}
"""Statuses of a list of models after which the model can still be asked: some keys are for that alone."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server wants to be asked, found out with a question of our own. `opens`: its prompts open a thought."""

    parameters: Parameters = field(default_factory=Parameters)
    thinks: bool = False
    opens: bool = False


class _NotHere(Exception):
    """The API is not at this address; the message says how that shows."""


class Server:
    """One model on a server, asked in the `manner` that was found out."""

    def __init__(self, client: AsyncOpenAI, model: str, clock: Clock, timeout: timedelta) -> None:
        self._client = client
        self.model = model
        self.manner = Dialect()
        self._clock = clock
        self._timeout = timeout
        self._learning = asyncio.Lock()

    @classmethod
    async def open(cls, url: str, *, key: str | None, model: str | None, timeout: timedelta, clock: Clock) -> Self:
        """Ask what it has, and a short question.

        Raises SettingsError, one line, if it can't be reached, does not have `model` or can't chat with it.
        """
        client = _client(url, key, timeout)
        try:
            return await cls._somewhere(client, candidate_bases(url), model, timeout, clock)
        except BaseException as error:
            await client.close()
            if isinstance(error, FAULTS):
                place = error.request.url if isinstance(error, APIError) else client.base_url
                raise SettingsError(problem_and_advice(error, place)) from None
            raise

    @classmethod
    async def _somewhere(
        cls, client: AsyncOpenAI, places: Sequence[URL], model: str | None, timeout: timedelta, clock: Clock
    ) -> Self:
        given, why = without_secrets(client.base_url), ""
        for place in places:
            client.base_url = place
            try:
                name, unlisted = await _model(client, model)
                server = cls(client, name, clock, timeout)
                await server._meet()
            except _NotHere as error:
                why = why or str(error)
                continue
            if unlisted or without_secrets(client.base_url) != given:
                log.info("openai.adapted", url=without_secrets(client.base_url), model=name, listed=not unlisted)
            return server
        if len(places) == 1:
            raise SettingsError(why)
        tried = " and ".join(map(without_secrets, places))
        raise SettingsError(f"OpenAI's API is neither at {tried} ({why}): correct OPENAI_BASE_URL")

    @asynccontextmanager
    async def ask(
        self, messages: Messages, sampling: Sampling, *, tokens: int, manner: Dialect
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """The answer's events, hung up on at the end. Raises what is in `FAULTS`, also while they are read."""
        turns: Any = messages
        body = manner.parameters.body(sampling, tokens=tokens)
        stream = await self._client.chat.completions.create(
            model=self.model,
            messages=turns,
            stream=True,
            extra_body={"stream": False, **body},
            extra_headers=propagation.inject(),
        )
        async with stream, aclosing(events(stream.response, tokens=tokens)) as coming:
            yield coming

    async def adapt(self, manner: Dialect, sampling: Sampling) -> bool:
        """Whether it wants to be asked otherwise than in `manner`, in which it has refused a question.

        A question of our own finds that out, with the numbers of `sampling`: a server may have been started again in
        another version.
        """
        async with self._learning:
            if self.manner is manner:
                try:
                    self.manner, _ = await self._chat(manner, sampling)
                except FAULTS:
                    return False
            return self.manner.parameters != manner.parameters

    async def close(self) -> None:
        await self._client.close()

    async def _meet(self) -> None:
        limit = self._timeout * _PATIENCE
        try:
            await within(limit, self._learn())
        except TimeoutError:
            raise SettingsError(
                f"{without_secrets(self._client.base_url)} has not finished a short answer in "
                f"{limit.total_seconds():g} seconds: look at that server's log, or raise GENERATE_OPENAI_TIMEOUT"
            ) from None
        except FAULTS as error:
            if isinstance(error, APIError) and not _is_nowhere(error):
                raise
            place = error.request.url if isinstance(error, APIError) else self._client.base_url
            raise _NotHere(problem_and_advice(error, place)) from None

    async def _learn(self) -> None:
        silence = False
        for seed in _SEEDS:
            self.manner, answer = await self._chat(self.manner, Sampling(seed=seed))
            if answer is None or answer.thought or answer.opened:
                self.manner = replace(self.manner, thinks=True, opens=answer is not None and answer.opened)
                return
            if answer.has_words:
                return
            silence = answer.is_silence
        if silence:
            log.warning("openai.nothing_said", url=without_secrets(self._client.base_url), model=self.model)
            return
        raise SettingsError(
            f"{without_secrets(self._client.base_url)}/chat/completions answers without a word that can be read: "
            "set GENERATE_MODEL to a model that chats, or OPENAI_BASE_URL to another server"
        )

    async def _chat(self, manner: Dialect, sampling: Sampling) -> tuple[Dialect, StreamedAnswer | None]:
        """`manner` less the parameters that are refused, and the answer, None if there was no room for its thoughts.

        Raises the refusal that is about no parameter.
        """
        refusal: Exception | None = None
        while True:
            try:
                return manner, await self._answer(manner, sampling)
            except FAULTS as error:
                if out_of_room(error):
                    return manner, None
                fewer = manner.parameters.without(error, manner.parameters.body(sampling, tokens=_ANSWER))
                refusal = refusal or error
                if fewer is None:
                    raise refusal from None
                log.info("openai.parameters_refused", refused=sorted(fewer.refused - manner.parameters.refused))
                manner = replace(manner, parameters=fewer)

    async def _answer(self, manner: Dialect, sampling: Sampling) -> StreamedAnswer:
        """The short answer, as far as it tells how the model speaks."""
        answer, until = StreamedAnswer(self._clock, visible=_ANSWER, thoughts=0), self._clock.monotonic() + _ENOUGH
        async with self.ask(_QUESTION, sampling, tokens=_ANSWER, manner=manner) as coming:
            async for event in coming:
                answer.add(event)
                if answer.thought or answer.is_full or (answer.has_words and self._clock.monotonic() > until):
                    return answer
        try:
            answer.generated()
        except (Retry, Reject) as verdict:
            raise ValueError(str(verdict)) from None
        return answer


def _is_nowhere(error: APIError) -> bool:
    """Whether nothing of the API is at an address, rather than its model missing."""
    status = error.status_code if isinstance(error, APIStatusError) else None
    return status in _NOT_THERE and "model" not in str(error.body).lower()


def _client(url: str, key: str | None, timeout: timedelta) -> AsyncOpenAI:
    try:
        return AsyncOpenAI(
            base_url=url,
            api_key=key or _NO_KEY,
            timeout=Timeout(timeout.total_seconds(), connect=_CONNECT_TIMEOUT),
            max_retries=0,  # the worker tries again
        )
    except OSError as error:  # it reads the authorities' certificates
        said = read_problem(Path(os.environ.get("SSL_CERT_FILE", ""))) or error
        raise SettingsError(f"SSL_CERT_FILE can't be used ({said}); it takes a PEM file of authorities") from None


async def _model(client: AsyncOpenAI, model: str | None) -> tuple[str, bool]:
    """The model to ask for, and whether it is taken at its word. Raises _NotHere where nothing names one."""
    try:
        listed = await _listed(client)
        url = without_secrets(client.base_url)
        why = f"{url}/models is no list of models: correct OPENAI_BASE_URL, or set GENERATE_MODEL"
    except APIStatusError as error:
        if error.status_code not in (_UNLISTED if model else _NOT_THERE):
            raise
        listed, why = None, problem_and_advice(error, error.request.url)
    if listed is None:
        if model is None:
            raise _NotHere(why)
        return model, True
    found = find_model(model, listed)
    if found is None:
        raise SettingsError(model_problem(model, listed))
    return found, False


async def _listed(client: AsyncOpenAI) -> list[str] | None:
    try:
        response = await client.get("/models", cast_to=Response)
    except APIStatusError as error:
        # A key does not go along to another address.
        if error.response.history and _follow(client, error.response):
            return model_names(await client.get("/models", cast_to=Response))
        raise
    _follow(client, response)
    return model_names(response)


def _follow(client: AsyncOpenAI, response: Response) -> bool:
    """Whether the server has sent us on, which then holds for all: a redirected question would lose its words."""
    base = redirected_base(response, "/models")
    if base is None:
        return False
    if base.host != client.base_url.host:
        raise SettingsError(
            f"{without_secrets(client.base_url)} has moved: set OPENAI_BASE_URL to {without_secrets(base)}"
        )
    client.base_url = base
    return True
