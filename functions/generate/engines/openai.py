"""The OpenAI engine: any server that speaks its API, such as vLLM, for models that outgrow this machine."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Self

import structlog
from openai import APIError
from openai.types.chat import ChatCompletionChunk

from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.runtime.clock import Clock
from events.runtime.seldom import Seldom
from events.schema import FinishReason, Sampling, Turn, Usage
from functions.generate.answers import tidy
from functions.generate.engine import Generated, Progressed
from functions.generate.engines.openai_errors import FAULTS, fault, mending, reason, verdict
from functions.generate.engines.openai_server import Messages, Server
from functions.generate.engines.pace import Pace
from functions.generate.engines.telling import INTERVAL, telling
from functions.generate.messages import messages
from functions.verdicts import Reject, Retry

LOG_EVERY = 60.0
"""Seconds between two log lines about the same refusal."""

log = structlog.get_logger(__name__)


class OpenAIEngine:
    """An `Engine`. The server batches what is asked at once."""

    provider = "openai"

    def __init__(self, server: Server, *, clock: Clock, max_input_tokens: int) -> None:
        self._server = server
        self._clock = clock
        self._max_input_tokens = max_input_tokens
        self._seldom = Seldom(LOG_EVERY)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        key: str | None,
        model: str | None,
        timeout: timedelta,
        clock: Clock,
        max_input_tokens: int = 1024,
    ) -> Self:
        """The engine for `model`, or the only one, on the server at `url`, which may be silent for `timeout`.

        Raises SettingsError, one line, if it can't be served from there.
        """
        server = await Server.open(url, key=key, model=model, timeout=timeout)
        return cls(server, clock=clock, max_input_tokens=max_input_tokens)

    @property
    def model(self) -> str:
        return self._server.model

    async def generate(
        self, turns: Sequence[Turn], sampling: Sampling, *, progressed: Progressed | None = None
    ) -> Generated:
        """Answer the last turn. Cancelled, it closes the request, and the server's slot is free."""
        prompt = messages(turns, self._max_input_tokens)
        try:
            answer = await self._answer(prompt, sampling, progressed)
        except FAULTS as error:
            self._tell(error)
            raise verdict(error, now=self._clock.now()) from None
        return answer.generated()

    async def close(self) -> None:
        await self._server.close()

    def _tell(self, error: Exception) -> None:
        """What a person has to put right in the server; until then every question would say so."""
        if fault(error) is Fault.FATAL and isinstance(error, APIError) and self._seldom.due(reason(error)):
            log.error("openai.refused", error=mending(error, error.request.url))

    async def _answer(self, prompt: Messages, sampling: Sampling, progressed: Progressed | None) -> "_Answer":
        answer, pace = _Answer(self._clock), Pace(INTERVAL, self._clock)
        async with telling(progressed, str) as told, await self._server.ask(prompt, sampling) as chunks:
            async for chunk in chunks:
                answer.add(chunk)
                if told and pace.is_due():
                    told(answer.text)
        return answer


class _Answer:
    """An answer as it comes in; its clock runs from the start."""

    def __init__(self, clock: Clock) -> None:
        self.text = ""
        self._clock = clock
        self._finish_reason: str | None = None
        self._usage = Usage()
        self._started = self._clock.monotonic()
        self._first_at: float | None = None

    def add(self, chunk: ChatCompletionChunk) -> None:
        if chunk.usage:
            self._usage = Usage(input_tokens=chunk.usage.prompt_tokens, output_tokens=chunk.usage.completion_tokens)
        for choice in chunk.choices:
            self._finish_reason = choice.finish_reason or self._finish_reason
            if choice.delta.content:
                self._first_at = self._first_at or self._clock.monotonic()
                self.text += choice.delta.content

    def generated(self) -> Generated:
        ended = self._clock.monotonic()
        first = self._first_at or ended
        finish_reason = self._finished()
        return Generated(
            text=tidy(self.text, cut=finish_reason is FinishReason.LENGTH),
            finish_reason=finish_reason,
            usage=self._usage,
            prompt_seconds=first - self._started,
            generation_seconds=ended - first,
        )

    def _finished(self) -> FinishReason:
        match self._finish_reason:
            case "stop":
                return FinishReason.STOP
            case "length":
                return FinishReason.LENGTH
            case "content_filter":
                raise Reject("the model server: its content filter took the answer")
            case _:
                raise Retry("the model server: the answer broke off", attempts=UNKNOWN_ATTEMPTS)
