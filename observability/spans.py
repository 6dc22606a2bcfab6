"""The spans of a question's journey, as context managers, each with the metrics that belong to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NoOpTracer,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
)
from opentelemetry.util.types import Attributes, AttributeValue

from events.errors import MalformedEvent
from events.event import Event
from events.ids import RequestId
from events.runtime.clock import Clock, SystemClock
from events.schema import GenerationRequested
from events.subjects import destination as destination_of
from events.transport import Channel
from observability import names, propagation
from observability.chat_span import ChatSpan, request_attributes
from observability.metrics import Metrics, error_type

MAX_ID = 256
"""Characters kept of an id that came over the wire."""


def operation(kind: str, system: str, destination: str) -> dict[str, str]:
    """What metrics are told, too."""
    return {
        names.MESSAGING_SYSTEM: system,
        names.MESSAGING_OPERATION_NAME: kind,
        names.MESSAGING_OPERATION_TYPE: kind,
        names.MESSAGING_DESTINATION_NAME: destination,
    }


def routing(channel: Channel, system: str, target: str) -> dict[str, str]:
    """How `target` at the broker `system` was chosen."""
    if system == names.RABBITMQ:
        return {names.MESSAGING_RABBITMQ_ROUTING_KEY: target}
    return {names.MESSAGING_DESTINATION_TEMPLATE: names.template(channel)}


def message(event: Event) -> dict[str, str]:
    """Which event, and which question where it says that."""
    try:
        known = about(event.request_id)
    except MalformedEvent:
        known = {}
    return {**known, names.MESSAGING_MESSAGE_ID: event.id[:MAX_ID]}


def about(question: RequestId) -> dict[str, str]:
    """Which question."""
    return {
        names.MESSAGING_MESSAGE_ID: question.message,
        names.MESSAGING_MESSAGE_CONVERSATION_ID: f"{question.account}.{question.chat}",
        names.REQUEST_ID: str(question),
    }


QUIET = NoOpTracer()
REAL = SystemClock()
"""Where no clock is given."""
EPOCH = datetime.fromtimestamp(0, UTC)


class TracedDelivery(Protocol):
    """What is told about a delivery."""

    @property
    def event(self) -> Event: ...

    @property
    def attempt(self) -> int: ...

    @property
    def published_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Spans:
    """Starts spans. With `capture_content`, `chat` spans get the conversation's text and errors their messages.

    `system` is the broker where a call names none. `parent_decides`: what belongs to a trace that is not recorded is
    not recorded either. With `may_begin`, which is asked each time, a trace begins only where a question comes in, and
    one that is not recorded leaves nothing in headers. `measured`: somebody takes the metrics. Without them nothing is
    computed for a span that nobody records either, and only the trace travels on.
    """

    tracer: Tracer
    metrics: Metrics
    capture_content: bool = False
    parent_decides: bool = True
    may_begin: Callable[[], bool] | None = None
    measured: bool = True
    system: str = names.NATS
    clock: Clock = REAL

    @contextmanager
    def receive_telegram(self, question: RequestId) -> Iterator[Span]:
        """A Telegram message arrived: the first span of a new trace, whatever is current."""
        if self._silent(root := self._root()):
            with propagation.activate(root):
                yield INVALID_SPAN
            return
        attributes = operation(names.RECEIVE, names.TELEGRAM, names.TELEGRAM) | about(question)
        with self._span(names.span(names.RECEIVE, names.TELEGRAM), SpanKind.CLIENT, attributes, context=root) as span:
            yield span

    @contextmanager
    def step(self, name: str, question: RequestId, *, trace: Mapping[str, str], since: datetime) -> Iterator[None]:
        """A step of the edge that began at `since`, in the trace that was stored with `propagation.inject()`."""
        parent = self._parent(trace)
        if self._silent(parent):
            with propagation.activate(parent):
                yield
            return
        with self._span(name, SpanKind.INTERNAL, about(question), context=parent, start=since):
            yield

    @contextmanager
    def send_telegram(self, question: RequestId, *, part: int = 0) -> Iterator[Span]:
        """One message goes out to the question's chat; an answer in several messages has several parts."""
        if self._silent():
            yield INVALID_SPAN
            return
        metered = operation(names.SEND, names.TELEGRAM, names.TELEGRAM)
        attributes = metered | about(question)
        name = names.span(names.SEND, names.TELEGRAM)
        with self.metrics.measure_send(metered), self._span(name, SpanKind.PRODUCER, attributes) as span:
            span.set_attribute(names.PART, part)
            yield span

    @contextmanager
    def send(
        self, channel: Channel, event: Event, *, system: str | None = None, destination: str | None = None
    ) -> Iterator[Event]:
        """Publish the event that this yields: it is `event` with the trace in its headers.

        `destination` where it is not named after the channel: a queue of somebody else's.
        """
        context = None if get_current_span().get_span_context().is_valid else self._root()
        if self._silent(context):
            yield self._sent_on(event)
            return
        system, target = system or self.system, destination or destination_of(channel)
        metered = operation(names.SEND, system, target)
        attributes = metered | routing(channel, system, target) | message(event)
        name = names.span(names.SEND, target)
        with self.metrics.measure_send(metered), self._span(name, SpanKind.PRODUCER, attributes, context=context):
            yield self._sent_on(event)

    @contextmanager
    def process(
        self,
        channel: Channel,
        delivery: TracedDelivery,
        *,
        group: str,
        system: str | None = None,
        destination: str | None = None,
        entry: bool = False,
    ) -> Iterator[Span]:
        """Handle one delivery, in the trace of whoever sent it: as its child, and linked to it.

        `group` is the durable consumer's name. A delivery whose headers can't be read starts a new trace; with
        `may_begin` only at an `entry`, where its sender may know nothing of traces.
        """
        parent = self._parent(delivery.event.headers, entry=entry)
        if self._silent(parent):
            with propagation.activate(parent):
                yield INVALID_SPAN
            return
        system, target = system or self.system, destination or destination_of(channel)
        metered = operation(names.PROCESS, system, target)
        metered[names.MESSAGING_CONSUMER_GROUP_NAME] = group
        attributes = metered | routing(channel, system, target) | message(delivery.event)
        waited = self.clock.now() - delivery.published_at
        name = names.span(names.PROCESS, target)
        self._queued(target, attributes, delivery, parent)
        with (
            self.metrics.measure_process(metered, attempt=delivery.attempt, waited=waited),
            self._span(
                name,
                SpanKind.CONSUMER,
                {**attributes, names.ATTEMPT: delivery.attempt},
                context=parent,
                links=_links(parent),
            ) as span,
        ):
            yield span

    @contextmanager
    def chat(self, model: str, provider: str, request: GenerationRequested) -> Iterator[ChatSpan]:
        """One generation. Tell what came out with `ChatSpan.record_answer`."""
        if self._silent():
            yield ChatSpan(INVALID_SPAN, self.metrics, {names.GEN_AI_REQUEST_MODEL: model}, capture_content=False)
            return
        metered = {
            names.GEN_AI_OPERATION_NAME: names.CHAT,
            names.GEN_AI_PROVIDER_NAME: provider,
            names.GEN_AI_REQUEST_MODEL: model,
        }
        attributes = {**metered, **request_attributes(request, capture_content=self.capture_content)}
        with (
            self.metrics.measure_chat(metered),
            self._span(names.span(names.CHAT, model), SpanKind.CLIENT, attributes) as span,
        ):
            yield ChatSpan(span, self.metrics, metered, self.capture_content)

    def _queued(
        self, target: str, process: Mapping[str, AttributeValue], delivery: TracedDelivery, parent: Context
    ) -> None:
        """The time that a delivery spent at the broker, beside its `process` span.

        A later attempt's starts at the publication too: what earlier ones did, a killed worker can't tell.
        """
        if not get_current_span(parent).get_span_context().is_valid or self._tracer(parent) is QUIET:
            return
        attributes = {**process, names.MESSAGING_OPERATION_NAME: names.QUEUE, names.ATTEMPT: delivery.attempt}
        attributes.pop(names.MESSAGING_OPERATION_TYPE)
        name = names.span(names.QUEUE, target)
        # The clocks of two machines may differ by more than the wait.
        start = min(delivery.published_at, self.clock.now())
        with self._span(name, SpanKind.INTERNAL, attributes, context=parent, start=start):
            pass

    @contextmanager
    def _span(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        *,
        context: Context | None = None,
        links: Sequence[Link] = (),
        start: datetime | None = None,
    ) -> Iterator[Span]:
        began = _nanoseconds(start) if start else None
        # The SDK's own error handling would record the error's message.
        with self._tracer(context).start_as_current_span(
            name, context, kind, attributes, links, began, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                mark_failed(span, error_type(error))
                if self.capture_content:
                    span.record_exception(error)
                raise

    def _parent(self, headers: Mapping[str, str], *, entry: bool = False) -> Context:
        parent = propagation.extract(headers)
        if parent or not self.may_begin:
            return parent
        return self._root() if entry else propagation.UNRECORDED

    def _root(self) -> Context:
        """Under which a new trace begins, or nothing is recorded."""
        return Context() if self.may_begin is None or self.may_begin() else propagation.UNRECORDED

    def _sent_on(self, event: Event) -> Event:
        leave = propagation.without_trace if self.may_begin and is_unrecorded() else propagation.with_current_trace
        return replace(event, headers=leave(event.headers))

    def _tracer(self, context: Context | None) -> Tracer:
        """The SDK would come to the same end in a trace that is not recorded, but takes four times as long."""
        return QUIET if self.parent_decides and is_unrecorded(context) else self.tracer

    def _silent(self, context: Context | None = None) -> bool:
        """Whether nobody would see a span under `context`, by default the current one, nor its metrics."""
        return not self.measured and isinstance(self._tracer(context), NoOpTracer)


def is_unrecorded(context: Context | None = None) -> bool:
    """Whether whoever began the trace of `context`, by default the current one, decided not to record it."""
    span = get_current_span(context).get_span_context()
    return span.is_valid and not span.trace_flags.sampled


def mark_failed(span: Span, kind: str) -> None:
    """Mark a span as failed where no exception leaves it; `kind` from a small fixed set."""
    span.set_attribute(names.ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR))


def _nanoseconds(time: datetime) -> int:
    """Since 1970, without the rounding of a floating point number."""
    return (time - EPOCH) // timedelta(microseconds=1) * 1000


def _links(parent: Context) -> Sequence[Link]:
    creation = get_current_span(parent).get_span_context()
    return [Link(creation)] if creation.is_valid and creation.trace_flags.sampled else []
