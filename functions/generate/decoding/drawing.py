"""Draw an answer from the model, and draw it again if it is empty or repeats an earlier text."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

import structlog

from events.runtime.clock import Clock
from events.runtime.tasks import within
from events.schema import FailureReason, GenerationProgressed, GenerationRequested, Sampling, Usage
from functions.generate.decoding.repetition import EarlierTexts
from functions.generate.engine import Engine, GeneratedAnswer
from functions.worker.outcomes import Reject
from observability.chat_span import ChatSpan

DRAWS = 3
"""At most, for any reason."""
LIVELIER = (0.7, 1.0)
"""The least temperature of the second and the third draw, after a repetition: at a low one another seed hardly ever
gives another answer."""
PATIENCE, LEAST_PATIENCE = 3, timedelta(seconds=5)
"""Once there is an answer: how many times as long as the longest draw so far the next may take."""

ProgressSender = Callable[[GenerationProgressed], Awaitable[None]]

log = structlog.get_logger(__name__)


class RedrawReason(StrEnum):
    """Why an answer is drawn again."""

    EMPTY = "empty"
    REPEATED = "repeated"


class LiveText:
    """Sends each new partial text once, in order, from the first that can't become a repetition, which is drawn again.

    Implements `functions.generate.engine.OnProgress`.
    """

    def __init__(self, request_id: str, send: ProgressSender, earlier: EarlierTexts) -> None:
        self._request_id = request_id
        self._send = send
        self._earlier = earlier
        self._last, self._sequence = "", 0

    @property
    def is_shown(self) -> bool:
        """Whether any text was sent."""
        return self._sequence > 0

    async def __call__(self, text: str) -> None:
        if not text or text == self._last or (not self.is_shown and self._earlier.may_contain(text)):
            return
        self._last, self._sequence = text, self._sequence + 1
        await self._send(GenerationProgressed(request_id=self._request_id, text=text, sequence=self._sequence))


class Drawing:
    """Draws the answer to one request. Seeds are derived from the request's, so a redelivery draws the same answer."""

    def __init__(
        self,
        request: GenerationRequested,
        engine: Engine,
        *,
        earlier: EarlierTexts,
        live: LiveText | None,
        clock: Clock,
        chat: ChatSpan,
    ) -> None:
        """`earlier`: texts that are drawn again, unless `live` has shown some of the answer already."""
        self._request = request
        self._engine = engine
        self._earlier = earlier
        self._live = live
        self._clock = clock
        self._chat = chat
        self._drawn: list[GeneratedAnswer] = []
        self._answer: GeneratedAnswer | None = None
        self._longest = timedelta(0)

    async def answer(self) -> GeneratedAnswer:
        """Return the last answer that is not empty, with the tokens and the time of all draws.

        Raises the engine's error unless there is an answer already, and Reject if all draws were empty.
        """
        while await self._draw() and (reason := self._redraw_reason()):
            self._chat.record_redraw(reason, number=len(self._drawn) + 1)
        if self._answer is None:
            raise Reject(f"the model gave an empty answer {DRAWS} times", reason=FailureReason.EMPTY)
        return self._with_totals(self._answer)

    async def _draw(self) -> bool:
        """Draw once. Return False if that failed and an earlier draw gave an answer."""
        began = self._clock.monotonic()
        generating = self._engine.generate(
            self._request.turns_with_memory, self._sampling(), persona=self._request.persona, on_progress=self._live
        )
        try:
            drawn = await (generating if self._answer is None else within(self._patience(), generating))
        except Exception as error:
            if self._answer is None:
                raise
            # Leave out the exception's text, which may quote the user's.
            log.info("answer.not_redrawn", request_id=self._request.request_id, error=type(error).__name__)
            return False
        self._longest = max(self._longest, timedelta(seconds=self._clock.monotonic() - began))
        self._drawn.append(drawn)
        self._answer = drawn if drawn.text.strip() else self._answer
        return True

    def _redraw_reason(self) -> RedrawReason | None:
        if len(self._drawn) == DRAWS:
            return None
        if self._answer is None:
            return RedrawReason.EMPTY
        is_repeated = not self._drawn[-1].text.strip() or self._earlier.contains(self._answer.text)
        is_shown = self._live is not None and self._live.is_shown
        has_time = self._longest <= self._patience()
        return RedrawReason.REPEATED if is_repeated and has_time and not is_shown else None

    def _sampling(self) -> Sampling:
        """Return the sampling of the next draw."""
        sampling, number = self._request.sampling, len(self._drawn)
        if not number:
            return sampling
        temperature = sampling.temperature if self._answer is None else max(sampling.temperature, LIVELIER[number - 1])
        return sampling.model_copy(update={"seed": (sampling.seed + number) % 2**32, "temperature": temperature})

    def _patience(self) -> timedelta:
        """Return how long another draw may take: at most half of the time until the deadline."""
        left = self._request.deadline - self._clock.now()
        return min(left / 2, max(LEAST_PATIENCE, PATIENCE * self._longest))

    def _with_totals(self, answer: GeneratedAnswer) -> GeneratedAnswer:
        """Return `answer` with the usage and time of all draws; reading the prompt again counts as generation."""
        first, *others = self._drawn
        if not others:
            return answer
        return replace(
            answer,
            usage=Usage(
                input_tokens=sum(drawn.usage.input_tokens for drawn in self._drawn),
                output_tokens=sum(drawn.usage.output_tokens for drawn in self._drawn),
            ),
            prompt_seconds=first.prompt_seconds,
            generation_seconds=first.generation_seconds
            + sum(drawn.prompt_seconds + drawn.generation_seconds for drawn in others),
        )
