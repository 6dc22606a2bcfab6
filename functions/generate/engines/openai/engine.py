"""The OpenAI engine: any server with OpenAI's API, such as vLLM, for models that are too large for this machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Self

import structlog
from openai import APIError

from events.faults import Fault
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle
from events.schema import Sampling, Turn
from functions.generate.engine import GeneratedAnswer, OnProgress
from functions.generate.engines.openai.answer import StreamedAnswer
from functions.generate.engines.openai.errors import (
    FAULTS,
    fault,
    problem_and_advice,
    ran_out_of_room,
    short_reason,
    verdict,
)
from functions.generate.engines.openai.overflow import RequestSize, overflow_of
from functions.generate.engines.openai.parameters import is_refusal, may_be_about_system
from functions.generate.engines.openai.server import Dialect, Messages, Server
from functions.generate.engines.partial_text import PARTIAL_TEXT_INTERVAL, Throttle, partial_text_sender
from functions.generate.prompts.chat_messages import chat_messages, estimate_tokens, has_system
from functions.generate.settings import MAX_INPUT_TOKENS, MAX_THOUGHT_TOKENS, GenerateSettings
from functions.worker.outcomes import Reject

_TRIES = 6
"""For one attempt at a question: each try after the first corrects something that the server reported."""
LOG_EVERY = 60.0
"""Seconds between two log lines about the same refusal."""

log = structlog.get_logger(__name__)


async def open_engine(settings: GenerateSettings, *, clock: Clock) -> "OpenAIEngine":
    """Open the engine as the settings say. Raises SettingsError, one line, if the server can't serve the model."""
    key = settings.openai_api_key
    return await OpenAIEngine.open(
        str(settings.openai_base_url),
        key=key.get_secret_value() if key else None,
        model=settings.model,
        timeout=settings.openai_timeout,
        clock=clock,
        max_input_tokens=settings.max_input_tokens,
        max_thought_tokens=settings.max_thought_tokens,
    )


class OpenAIEngine:
    """An `Engine`. The server batches concurrent requests."""

    provider = "openai"
    samples = True
    own_sampling: Mapping[str, float] = MappingProxyType({})
    """The server has defaults of its own; a request overrides them."""

    def __init__(self, server: Server, *, clock: Clock, max_input_tokens: int, max_thought_tokens: int) -> None:
        self._server = server
        self._clock = clock
        self._max_input_tokens = max_input_tokens
        self._max_thought_tokens = max_thought_tokens
        self._log_throttle = LogThrottle(LOG_EVERY)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        key: str | None,
        model: str | None,
        timeout: timedelta,
        clock: Clock,
        max_input_tokens: int = MAX_INPUT_TOKENS,
        max_thought_tokens: int = MAX_THOUGHT_TOKENS,
    ) -> Self:
        """Return the engine for `model`, or the only model, on the server at `url`; `timeout`: of its silence.

        Raises SettingsError, one line, if the server can't serve it.
        """
        server = await Server.open(url, key=key, model=model, timeout=timeout, clock=clock)
        return cls(server, clock=clock, max_input_tokens=max_input_tokens, max_thought_tokens=max_thought_tokens)

    @property
    def model(self) -> str:
        return self._server.model

    async def generate(
        self,
        turns: Sequence[Turn],
        sampling: Sampling,
        *,
        persona: str = "",
        on_progress: OnProgress | None = None,
    ) -> GeneratedAnswer:
        """Answer the last turn. Cancelling closes the request, which frees the server's slot."""
        try:
            return await self._ask_until_answered(turns, persona, sampling, on_progress)
        except FAULTS as error:
            self._log_refusal(error)
            raise verdict(error, now=self._clock.now()) from None

    async def close(self) -> None:
        await self._server.close()

    def _log_refusal(self, error: Exception) -> None:
        """Log what a person has to correct in the server, once in a while instead of for every question."""
        if fault(error) is Fault.FATAL and isinstance(error, APIError) and self._log_throttle.due(short_reason(error)):
            log.error("openai.refused", error=problem_and_advice(error, error.request.url))

    async def _ask_until_answered(
        self, turns: Sequence[Turn], persona: str, sampling: Sampling, on_progress: OnProgress | None
    ) -> GeneratedAnswer:
        """Ask, and ask again if the response shows how: shorter, with other parameters, or with more room."""
        attempt = self._first_attempt(sampling)
        for _ in range(_TRIES):
            prompt = chat_messages(
                turns, attempt.size.prompt, persona=persona, system_role=attempt.dialect.has_system_role
            )
            try:
                answer = await self._answer(prompt, sampling, attempt, on_progress)
            except FAULTS as error:
                attempt = await self._after_refusal(error, attempt, prompt, sampling)
                continue
            again = self._after_answer(answer, attempt, prompt, sampling)
            if again is None:
                return answer.generated()
            attempt = again
        raise Reject("the model server: the conversation is too long for it, even when shortened")

    def _first_attempt(self, sampling: Sampling) -> "_Attempt":
        dialect = self._server.dialect
        thoughts = self._max_thought_tokens if dialect.thinks else 0
        return _Attempt(dialect, RequestSize(self._max_input_tokens, sampling.max_new_tokens + thoughts), thoughts)

    async def _after_refusal(
        self, error: Exception, attempt: "_Attempt", prompt: Messages, sampling: Sampling
    ) -> "_Attempt":
        """Return how to ask after `error`, or raise it if nothing helps."""
        too_long = overflow_of(error)
        if too_long is not None:
            size = attempt.size.shrink(too_long, sent=estimate_tokens(prompt))
            if size is None:
                raise Reject(
                    f"the model server: {short_reason(error)}: even the end of the question is too long for it"
                )
            return replace(attempt, size=size)
        if ran_out_of_room(error) and not attempt.thoughts:
            return self._with_thoughts(attempt, sampling)
        if is_refusal(error) and await self._server.adapt(attempt.dialect, sampling):
            return replace(attempt, dialect=self._server.dialect)
        if has_system(prompt) and may_be_about_system(error) and await self._server.adapt_to_system(attempt.dialect):
            return replace(attempt, dialect=self._server.dialect)
        raise error

    def _after_answer(
        self, answer: StreamedAnswer, attempt: "_Attempt", prompt: Messages, sampling: Sampling
    ) -> "_Attempt | None":
        """Return how to ask again, or None if `answer` is usable."""
        too_long = None if attempt.shortened else answer.overflow(attempt.size.answer)
        size = too_long and attempt.size.shrink(too_long, sent=estimate_tokens(prompt))
        if size:
            return replace(attempt, size=size, shortened=True)
        if answer.needs_thought_room:
            return self._with_thoughts(attempt, sampling)
        if answer.is_only_thought:
            raise Reject(
                f"the model server: its model thought for {attempt.size.answer} tokens without an answer; "
                "disable thinking there, or raise GENERATE_MAX_THOUGHT_TOKENS"
            )
        return None

    def _with_thoughts(self, attempt: "_Attempt", sampling: Sampling) -> "_Attempt":
        thoughts = self._max_thought_tokens
        return replace(
            attempt, thoughts=thoughts, size=replace(attempt.size, answer=sampling.max_new_tokens + thoughts)
        )

    async def _answer(
        self, prompt: Messages, sampling: Sampling, attempt: "_Attempt", on_progress: OnProgress | None
    ) -> StreamedAnswer:
        answer = StreamedAnswer(
            self._clock,
            visible=sampling.max_new_tokens,
            thoughts=attempt.thoughts,
            thinking=attempt.dialect.opens_thought,
        )
        throttle = Throttle(PARTIAL_TEXT_INTERVAL, self._clock)
        asking = self._server.ask(prompt, sampling, tokens=attempt.size.answer, dialect=attempt.dialect)
        async with partial_text_sender(on_progress, str) as send_partial, asking as events:
            async for event in events:
                answer.add(event)
                if answer.is_full:
                    break
                if send_partial and throttle.is_due():
                    send_partial(answer.visible.text)
        return answer


@dataclass(frozen=True, slots=True)
class _Attempt:
    """How a question is asked. `thoughts`: how many of the answer's tokens are for thoughts."""

    dialect: Dialect
    size: RequestSize
    thoughts: int
    shortened: bool = False
