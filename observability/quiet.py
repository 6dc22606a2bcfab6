"""Spans for a process that exports nothing: nothing is computed for them, but an incoming trace travels on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from opentelemetry.trace import INVALID_SPAN, Span

from events.event import Event
from events.ids import RequestId
from events.schema import GenerationRequested
from events.transport import Channel
from observability import names, propagation
from observability.chat import Chat
from observability.spans import InHand, Spans


class QuietSpans(Spans):
    """The same as `Spans` over OpenTelemetry's own no-op tracer and meter, in a tenth of the time."""

    @contextmanager
    def receive_telegram(self, question: RequestId) -> Iterator[Span]:
        with propagation.resumed({}):
            yield INVALID_SPAN

    @contextmanager
    def step(self, name: str, question: RequestId, *, trace: Mapping[str, str], since: datetime) -> Iterator[None]:
        with propagation.resumed(trace):
            yield

    @contextmanager
    def send_telegram(self, question: RequestId, *, part: int = 0) -> Iterator[Span]:
        yield INVALID_SPAN

    @contextmanager
    def send(
        self, channel: Channel, event: Event, *, system: str | None = None, destination: str | None = None
    ) -> Iterator[Event]:
        yield replace(event, headers=propagation.onward(event.headers))

    @contextmanager
    def process(
        self,
        channel: Channel,
        delivery: InHand,
        *,
        group: str,
        system: str | None = None,
        destination: str | None = None,
    ) -> Iterator[Span]:
        with propagation.resumed(delivery.event.headers):
            yield INVALID_SPAN

    @contextmanager
    def chat(self, model: str, provider: str, request: GenerationRequested) -> Iterator[Chat]:
        yield Chat(INVALID_SPAN, self.metrics, {names.GEN_AI_REQUEST_MODEL: model}, capture_content=False)
