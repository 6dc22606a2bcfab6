"""The OpenAI engine: any server that speaks its API, such as vLLM, for models that outgrow this machine."""

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
    out_of_room,
    problem_and_advice,
    short_reason,
    verdict,
)
from functions.generate.engines.openai.overflow import RequestSize, overflow_of
from functions.generate.engines.openai.parameters import is_refusal
from functions.generate.engines.openai.server import Dialect, Messages, Server
from functions.generate.engines.partial_text import PARTIAL_TEXT_INTERVAL, Throttle, partial_text_sender
from functions.generate.prompts.conversation import chat_messages, estimate_tokens
from functions.generate.settings import MAX_INPUT_TOKENS, MAX_THOUGHT_TOKENS, GenerateSettings
from functions.worker.outcomes import Reject

_TRIES = 6
"""For one attempt of a question: every try but the first corrects something that the server has told."""
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
    """An `Engine`. The server batches what is asked at once."""

    provider = "openai"
    samples = True
    own_sampling: Mapping[str, float] = MappingProxyType({})
    """The server has its own, and what a request says wins."""

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
        """The engine for `model`, or the only one, on the server at `url`, which may be silent for `timeout`.

        Raises SettingsError, one line, if it can't be served from there.
        """
        server = await Server.open(url, key=key, model=model, timeout=timeout, clock=clock)
        return cls(server, clock=clock, max_input_tokens=max_input_tokens, max_thought_tokens=max_thought_tokens)

    @property
    def model(self) -> str:
        return self._server.model

    async def generate(
        self, turns: Sequence[Turn], sampling: Sampling, *, on_progress: OnProgress | None = None
    ) -> GeneratedAnswer:
        """Answer the last turn. Cancelled, it closes the request, and the server's slot is free."""
        try:
            return await self._answered(turns, sampling, on_progress)
        except FAULTS as error:
            self._tell(error)
            raise verdict(error, now=self._clock.now()) from None

    async def close(self) -> None:
        await self._server.close()

    def _tell(self, error: Exception) -> None:
        """What a person has to put right in the server; until then every question would say so."""
        if fault(error) is Fault.FATAL and isinstance(error, APIError) and self._log_throttle.due(short_reason(error)):
            log.error("openai.refused", error=problem_and_advice(error, error.request.url))

    async def _answered(
        self, turns: Sequence[Turn], sampling: Sampling, on_progress: OnProgress | None
    ) -> GeneratedAnswer:
        """Ask, and ask again where the server's answer says how: shorter, with other parameters, or more room."""
        asked = self._first(sampling)
        for _ in range(_TRIES):
            prompt = chat_messages(turns, asked.size.prompt)
            try:
                answer = await self._answer(prompt, sampling, asked, on_progress)
            except FAULTS as error:
                asked = await self._after_refusal(error, asked, prompt, sampling)
                continue
            again = self._after_answer(answer, asked, prompt, sampling)
            if again is None:
                return answer.generated()
            asked = again
        raise Reject("the model server: the conversation is too long for it, however little of it is sent")

    def _first(self, sampling: Sampling) -> "_Asked":
        manner = self._server.manner
        thoughts = self._max_thought_tokens if manner.thinks else 0
        return _Asked(manner, RequestSize(self._max_input_tokens, sampling.max_new_tokens + thoughts), thoughts)

    async def _after_refusal(self, error: Exception, asked: "_Asked", prompt: Messages, sampling: Sampling) -> "_Asked":
        """How to ask after `error`, which is raised if nothing can help."""
        too_long = overflow_of(error)
        if too_long is not None:
            size = asked.size.within(too_long, sent=estimate_tokens(prompt))
            if size is None:
                raise Reject(f"the model server: {short_reason(error)}: even the question's end is too long for it")
            return replace(asked, size=size)
        if out_of_room(error) and not asked.thoughts:
            return self._with_thoughts(asked, sampling)
        if is_refusal(error) and await self._server.adapt(asked.manner, sampling):
            return replace(asked, manner=self._server.manner)
        raise error

    def _after_answer(
        self, answer: StreamedAnswer, asked: "_Asked", prompt: Messages, sampling: Sampling
    ) -> "_Asked | None":
        """How to ask instead, None if `answer` is one."""
        too_long = None if asked.shortened else answer.overflow(asked.size.answer)
        size = too_long and asked.size.within(too_long, sent=estimate_tokens(prompt))
        if size:
            return replace(asked, size=size, shortened=True)
        if answer.needs_room:
            return self._with_thoughts(asked, sampling)
        if answer.lost_in_thought:
            raise Reject(
                f"the model server: its model thought for {asked.size.answer} tokens and said nothing; "
                "switch thinking off there, or raise GENERATE_MAX_THOUGHT_TOKENS"
            )
        return None

    def _with_thoughts(self, asked: "_Asked", sampling: Sampling) -> "_Asked":
        thoughts = self._max_thought_tokens
        return replace(asked, thoughts=thoughts, size=replace(asked.size, answer=sampling.max_new_tokens + thoughts))

    async def _answer(
        self, prompt: Messages, sampling: Sampling, asked: "_Asked", on_progress: OnProgress | None
    ) -> StreamedAnswer:
        answer = StreamedAnswer(
            self._clock, visible=sampling.max_new_tokens, thoughts=asked.thoughts, thinking=asked.manner.opens
        )
        pace = Throttle(PARTIAL_TEXT_INTERVAL, self._clock)
        asking = self._server.ask(prompt, sampling, tokens=asked.size.answer, manner=asked.manner)
        async with partial_text_sender(on_progress, str) as told, asking as events:
            async for event in events:
                answer.add(event)
                if answer.is_full:
                    break
                if told and pace.is_due():
                    told(answer.visible.text)
        return answer


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a question is asked. `thoughts`: how many of the answer's tokens are for them."""

    manner: Dialect
    size: RequestSize
    thoughts: int
    shortened: bool = False
