"""Connect to an OpenAI-compatible server: find its address, its model and its dialect, or explain what is wrong."""

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
from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, AsyncStream, Timeout
from openai.types.chat import ChatCompletionChunk

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
from functions.generate.engines.openai.errors import FAULTS, problem_and_advice, ran_out_of_room, was_hung_up
from functions.generate.engines.openai.parameters import Parameters
from functions.generate.engines.openai.stream import StreamEvent, events
from functions.generate.prompts.chat_messages import SYSTEM
from functions.worker.outcomes import Reject, Retry
from observability import propagation

Messages = Sequence[Mapping[str, str]]
"""{role, content}, oldest first."""

_CONNECT_TIMEOUT = 5.0
"""Seconds."""
_NO_KEY = "none"
"""The client requires a key; servers without keys ignore it."""
_QUESTION: Messages = [{"role": "user", "content": "?"}]
_SYSTEM_MESSAGE = {"role": SYSTEM, "content": "."}
_ANSWER = 128
"""Tokens in which a thinking model has begun to think, and has often closed a thought that its prompt opened."""
_ENOUGH = 3.0
"""Seconds after which a slow server's first words suffice."""
_SEEDS = range(3)
"""Several, because a model may write nothing once."""
_PROBE_TIMEOUTS = 5
"""Time for our own questions, in units of the allowed silence."""
_NOT_THERE = {404, 405, 410, 501}
_UNLISTED = _NOT_THERE | {401, 403}
"""Statuses of a model list after which the model may still answer: some keys are for that alone."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to ask a server, learned by a question of our own. `opens_thought`: whether its prompts open a thought.

    `has_system_role`: whether it takes a system message, as far as that was tried.
    """

    parameters: Parameters = field(default_factory=Parameters)
    thinks: bool = False
    opens_thought: bool = False
    has_system_role: bool = True


class _NoApi(Exception):
    """The API is not at this address; the message says why."""


class Server:
    """One model on a server, asked in the `dialect` that was learned."""

    def __init__(self, client: AsyncOpenAI, model: str, clock: Clock, timeout: timedelta) -> None:
        self._client = client
        self.model = model
        self.dialect = Dialect()
        self._clock = clock
        self._timeout = timeout
        self._learning_lock = asyncio.Lock()

    @classmethod
    async def open(cls, url: str, *, key: str | None, model: str | None, timeout: timedelta, clock: Clock) -> Self:
        """Ask the server for its models, and the model a short question.

        Raises SettingsError, one line, if it can't be reached, does not have `model` or can't chat with it.
        """
        client = _client(url, key, timeout)
        try:
            return await cls._open_first(client, candidate_bases(url), model, timeout, clock)
        except BaseException as error:
            await client.close()
            if isinstance(error, FAULTS):
                place = error.request.url if isinstance(error, APIError) else client.base_url
                raise SettingsError(problem_and_advice(error, place)) from None
            raise

    @classmethod
    async def _open_first(
        cls, client: AsyncOpenAI, places: Sequence[URL], model: str | None, timeout: timedelta, clock: Clock
    ) -> Self:
        given, why = without_secrets(client.base_url), ""
        for place in places:
            client.base_url = place
            try:
                name, unlisted = await _model(client, model)
                server = cls(client, name, clock, timeout)
                await server._learn_in_time()
            except _NoApi as error:
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
        self, messages: Messages, sampling: Sampling, *, tokens: int, dialect: Dialect
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """Yield the events of the answer; close the request at the end. Raises `FAULTS`, also while events are read."""
        body = dialect.parameters.body(sampling, tokens=tokens)
        try:
            stream = await self._send(messages, body)
        except APIConnectionError as error:
            if not was_hung_up(error):
                raise
            stream = await self._send(messages, body)
        async with stream, aclosing(events(stream.response, tokens=tokens)) as coming:
            yield coming

    async def _send(self, messages: Messages, body: Mapping[str, Any]) -> AsyncStream[ChatCompletionChunk]:
        turns: Any = messages
        return await self._client.chat.completions.create(
            model=self.model,
            messages=turns,
            stream=True,
            extra_body={"stream": False, **body},
            extra_headers=propagation.inject(),
        )

    async def adapt(self, dialect: Dialect, sampling: Sampling) -> bool:
        """Return whether the server needs another dialect than `dialect`, in which it refused a question.

        This is learned by a question of our own with the numbers of `sampling`: a server may have been restarted in
        another version.
        """
        async with self._learning_lock:
            if self.dialect is dialect:
                try:
                    self.dialect, _ = await self._chat(dialect, sampling)
                except FAULTS:
                    return False
            return self.dialect.parameters != dialect.parameters

    async def adapt_to_system(self, dialect: Dialect) -> bool:
        """Return whether the server takes no system message, unlike in `dialect`.

        This is learned by a question of our own: an error may quote the conversation, whose words must not decide it.
        """
        async with self._learning_lock:
            if self.dialect is dialect and dialect.has_system_role:
                takes_it = await self._accepts(dialect, [_SYSTEM_MESSAGE, *_QUESTION])
                if not takes_it and await self._accepts(dialect, _QUESTION):
                    log.info("openai.system_role_refused", model=self.model)
                    self.dialect = replace(dialect, has_system_role=False)
            return not self.dialect.has_system_role

    async def _accepts(self, dialect: Dialect, question: Messages) -> bool:
        try:
            await self._answer(dialect, Sampling(), question)
        except FAULTS:
            return False
        return True

    async def close(self) -> None:
        await self._client.close()

    async def _learn_in_time(self) -> None:
        limit = self._timeout * _PROBE_TIMEOUTS
        try:
            await within(limit, self._learn())
        except TimeoutError:
            raise SettingsError(
                f"{without_secrets(self._client.base_url)} has not finished a short answer in "
                f"{limit.total_seconds():g} seconds: look at that server's log, or raise GENERATE_OPENAI_TIMEOUT"
            ) from None
        except FAULTS as error:
            if isinstance(error, APIError) and not _is_wrong_address(error):
                raise
            place = error.request.url if isinstance(error, APIError) else self._client.base_url
            raise _NoApi(problem_and_advice(error, place)) from None

    async def _learn(self) -> None:
        silence = False
        for seed in _SEEDS:
            self.dialect, answer = await self._chat(self.dialect, Sampling(seed=seed))
            if answer is None or answer.has_thought or answer.begins_in_thought:
                self.dialect = replace(
                    self.dialect, thinks=True, opens_thought=answer is not None and answer.begins_in_thought
                )
                return
            if answer.has_words:
                return
            silence = answer.is_silence
        if silence:
            log.warning("openai.nothing_said", url=without_secrets(self._client.base_url), model=self.model)
            return
        raise SettingsError(
            f"{without_secrets(self._client.base_url)}/chat/completions answers without readable text: "
            "set GENERATE_MODEL to a model that chats, or OPENAI_BASE_URL to another server"
        )

    async def _chat(self, dialect: Dialect, sampling: Sampling) -> tuple[Dialect, StreamedAnswer | None]:
        """Return `dialect` without refused parameters, and the answer, or None if thoughts left no room for one.

        Raises a refusal that is not about a parameter.
        """
        refusal: Exception | None = None
        while True:
            try:
                return dialect, await self._answer(dialect, sampling)
            except FAULTS as error:
                if ran_out_of_room(error):
                    return dialect, None
                fewer = dialect.parameters.without_refused(error, dialect.parameters.body(sampling, tokens=_ANSWER))
                refusal = refusal or error
                if fewer is None:
                    raise refusal from None
                log.info("openai.parameters_refused", refused=sorted(fewer.refused - dialect.parameters.refused))
                dialect = replace(dialect, parameters=fewer)

    async def _answer(self, dialect: Dialect, sampling: Sampling, question: Messages = _QUESTION) -> StreamedAnswer:
        """Return the short answer, or as much of it as shows the dialect."""
        answer, until = StreamedAnswer(self._clock, visible=_ANSWER, thoughts=0), self._clock.monotonic() + _ENOUGH
        async with self.ask(question, sampling, tokens=_ANSWER, dialect=dialect) as coming:
            async for event in coming:
                answer.add(event)
                if answer.has_thought or answer.is_full or (answer.has_words and self._clock.monotonic() > until):
                    return answer
        try:
            answer.generated()
        except (Retry, Reject) as verdict:
            raise ValueError(str(verdict)) from None
        return answer


def _is_wrong_address(error: APIError) -> bool:
    """Return whether the API is not at this address, rather than the model missing."""
    status = error.status_code if isinstance(error, APIStatusError) else None
    return status in _NOT_THERE and "model" not in str(error.body).lower()


def _client(url: str, key: str | None, timeout: timedelta) -> AsyncOpenAI:
    try:
        return AsyncOpenAI(
            base_url=url,
            api_key=key or _NO_KEY,
            timeout=Timeout(timeout.total_seconds(), connect=_CONNECT_TIMEOUT),
            max_retries=0,  # the worker retries
        )
    except OSError as error:  # the client reads the authorities' certificates
        said = read_problem(Path(os.environ.get("SSL_CERT_FILE", ""))) or error
        raise SettingsError(f"SSL_CERT_FILE can't be used ({said}); it takes a PEM file of authorities") from None


async def _model(client: AsyncOpenAI, model: str | None) -> tuple[str, bool]:
    """Return the model to ask, and whether the server did not list it. Raises _NoApi if there is no name."""
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
            raise _NoApi(why)
        return model, True
    found = find_model(model, listed)
    if found is None:
        raise SettingsError(model_problem(model, listed))
    return found, False


async def _listed(client: AsyncOpenAI) -> list[str] | None:
    try:
        response = await client.get("/models", cast_to=Response)
    except APIStatusError as error:
        # The client does not send a key to another address.
        if error.response.history and _follow_redirect(client, error.response):
            return model_names(await client.get("/models", cast_to=Response))
        raise
    _follow_redirect(client, response)
    return model_names(response)


def _follow_redirect(client: AsyncOpenAI, response: Response) -> bool:
    """Follow a redirect for all requests, because a redirected question would lose its body; return whether one was."""
    base = redirected_base(response, "/models")
    if base is None:
        return False
    if base.host != client.base_url.host:
        raise SettingsError(
            f"{without_secrets(client.base_url)} has moved: set OPENAI_BASE_URL to {without_secrets(base)}"
        )
    client.base_url = base
    return True
