"""The spans of a question, as context managers that also record the metrics which belong to them."""

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
"""Longest message id that is recorded, in characters."""


def operation_attributes(kind: str, system: str, destination: str) -> dict[str, str]:
    """Return the attributes that spans and metrics share."""
    return {
        names.MESSAGING_SYSTEM: system,
        names.MESSAGING_OPERATION_NAME: kind,
        names.MESSAGING_OPERATION_TYPE: kind,
        names.MESSAGING_DESTINATION_NAME: destination,
    }


def routing_attributes(channel: Channel, system: str, target: str) -> dict[str, str]:
    """Return how `target` at the broker `system` was chosen."""
    if system == names.RABBITMQ:
        return {names.MESSAGING_RABBITMQ_ROUTING_KEY: target}
    return {names.MESSAGING_DESTINATION_TEMPLATE: names.subject_template(channel)}


def event_attributes(event: Event) -> dict[str, str]:
    """Return which event it is, and to which question it belongs, if it says so."""
    try:
        known = question_attributes(event.request_id)
    except MalformedEvent:
        known = {}
    return {**known, names.MESSAGING_MESSAGE_ID: event.id[:MAX_ID]}


def question_attributes(question: RequestId) -> dict[str, str]:
    """Return which question it is."""
    return {
        names.MESSAGING_MESSAGE_ID: question.message,
        names.MESSAGING_MESSAGE_CONVERSATION_ID: f"{question.account}.{question.chat}",
        names.REQUEST_ID: str(question),
    }


NOOP_TRACER = NoOpTracer()
SYSTEM_CLOCK = SystemClock()
"""The default clock."""
EPOCH = datetime.fromtimestamp(0, UTC)


class TracedDelivery(Protocol):
    """What a span needs to know of a delivery."""

    @property
    def event(self) -> Event: ...

    @property
    def attempt(self) -> int: ...

    @property
    def published_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Spans:
    """Starts spans. With `capture_content`, `chat` spans get the conversation's text and errors their messages.

    `system` is the broker of calls that name none. `parent_decides`: spans of a trace that is not recorded are not
    recorded either. With `may_begin`, called each time, a trace begins only where a question arrives, and a trace that
    is not recorded leaves no headers. `measured`: metrics are collected. Without metrics, nothing is computed for a
    span that is not recorded; only the trace context is propagated.
    """

    tracer: Tracer
    metrics: Metrics
    capture_content: bool = False
    parent_decides: bool = True
    may_begin: Callable[[], bool] | None = None
    measured: bool = True
    system: str = names.NATS
    clock: Clock = SYSTEM_CLOCK

    @contextmanager
    def receive_telegram(self, question: RequestId) -> Iterator[Span]:
        """Trace the arrival of a Telegram message: the first span of a new trace, whatever is current."""
        if self._records_nothing(root := self._root()):
            with propagation.activate(root):
                yield INVALID_SPAN
            return
        attributes = operation_attributes(names.RECEIVE, names.TELEGRAM, names.TELEGRAM) | question_attributes(question)
        with self._span(
            names.span_name(names.RECEIVE, names.TELEGRAM), SpanKind.CLIENT, attributes, context=root
        ) as span:
            yield span

    @contextmanager
    def step(self, name: str, question: RequestId, *, trace: Mapping[str, str], since: datetime) -> Iterator[None]:
        """Trace a step of the edge that began at `since`, in a trace stored with `propagation.inject()`."""
        parent = self._parent(trace)
        if self._records_nothing(parent):
            with propagation.activate(parent):
                yield
            return
        with self._span(name, SpanKind.INTERNAL, question_attributes(question), context=parent, start=since):
            yield

    @contextmanager
    def send_telegram(self, question: RequestId, *, part: int = 0) -> Iterator[Span]:
        """Trace sending a message to the question's chat; an answer in several messages has several parts."""
        if self._records_nothing():
            yield INVALID_SPAN
            return
        metered = operation_attributes(names.SEND, names.TELEGRAM, names.TELEGRAM)
        attributes = metered | question_attributes(question)
        name = names.span_name(names.SEND, names.TELEGRAM)
        with self.metrics.measure_send(metered), self._span(name, SpanKind.PRODUCER, attributes) as span:
            span.set_attribute(names.PART, part)
            yield span

    @contextmanager
    def send(
        self, channel: Channel, event: Event, *, system: str | None = None, destination: str | None = None
    ) -> Iterator[Event]:
        """Trace the publication of the event that this yields: `event` with the trace in its headers.

        `destination` if it is not named after the channel, e.g. a requester's queue.
        """
        context = None if get_current_span().get_span_context().is_valid else self._root()
        if self._records_nothing(context):
            yield self._with_trace(event)
            return
        system, target = system or self.system, destination or destination_of(channel)
        metered = operation_attributes(names.SEND, system, target)
        attributes = metered | routing_attributes(channel, system, target) | event_attributes(event)
        name = names.span_name(names.SEND, target)
        with self.metrics.measure_send(metered), self._span(name, SpanKind.PRODUCER, attributes, context=context):
            yield self._with_trace(event)

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
        """Trace the processing of a delivery in its sender's trace: as a child, and linked to it.

        `group` is the durable consumer's name. A delivery without a valid trace context starts a new trace; with
        `may_begin` only at an `entry`, whose senders may not trace.
        """
        parent = self._parent(delivery.event.headers, entry=entry)
        if self._records_nothing(parent):
            with propagation.activate(parent):
                yield INVALID_SPAN
            return
        system, target = system or self.system, destination or destination_of(channel)
        metered = operation_attributes(names.PROCESS, system, target)
        metered[names.MESSAGING_CONSUMER_GROUP_NAME] = group
        attributes = metered | routing_attributes(channel, system, target) | event_attributes(delivery.event)
        waited = self.clock.now() - delivery.published_at
        name = names.span_name(names.PROCESS, target)
        self._record_queue_time(target, attributes, delivery, parent)
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
        """Trace a generation. Record its answer with `ChatSpan.record_answer`."""
        if self._records_nothing():
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
            self._span(names.span_name(names.CHAT, model), SpanKind.CLIENT, attributes) as span,
        ):
            yield ChatSpan(span, self.metrics, metered, self.capture_content)

    def _record_queue_time(
        self, target: str, process: Mapping[str, AttributeValue], delivery: TracedDelivery, parent: Context
    ) -> None:
        """Record the time that a delivery spent at the broker, as a sibling of its `process` span.

        A later attempt's span starts at the publication too: what a killed worker did before is unknown.
        """
        if not get_current_span(parent).get_span_context().is_valid or self._tracer(parent) is NOOP_TRACER:
            return
        attributes = {**process, names.MESSAGING_OPERATION_NAME: names.QUEUE, names.ATTEMPT: delivery.attempt}
        attributes.pop(names.MESSAGING_OPERATION_TYPE)
        name = names.span_name(names.QUEUE, target)
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
        # Its length is measured by the monotonic clock: the other one may be set meanwhile, or since `start`.
        began, entered = self.clock.now(), self.clock.monotonic()
        # The SDK's own error handling would record the error's message.
        with self._tracer(context).start_as_current_span(
            name,
            context,
            kind,
            attributes,
            links,
            _nanoseconds(min(start or began, began)),
            record_exception=False,
            set_status_on_exception=False,
            end_on_exit=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                mark_failed(span, error_type(error))
                if self.capture_content:
                    span.record_exception(error)
                raise
            finally:
                span.end(_nanoseconds(began) + round((self.clock.monotonic() - entered) * 1e9))

    def _parent(self, headers: Mapping[str, str], *, entry: bool = False) -> Context:
        parent = propagation.extract(headers)
        if parent or not self.may_begin:
            return parent
        return self._root() if entry else propagation.UNRECORDED

    def _root(self) -> Context:
        """Return the context under which a new trace begins, or under which nothing is recorded."""
        return Context() if self.may_begin is None or self.may_begin() else propagation.UNRECORDED

    def _with_trace(self, event: Event) -> Event:
        propagate = propagation.without_trace if self.may_begin and is_unrecorded() else propagation.with_current_trace
        headers = propagate(event.headers)
        return event if headers == event.headers else replace(event, headers=headers)

    def _tracer(self, context: Context | None) -> Tracer:
        """Return a tracer that records nothing in a trace that is not recorded: the SDK takes four times as long to."""
        return NOOP_TRACER if self.parent_decides and is_unrecorded(context) else self.tracer

    def _records_nothing(self, context: Context | None = None) -> bool:
        """Return whether neither a span under `context`, by default the current one, nor its metrics are recorded."""
        return not self.measured and isinstance(self._tracer(context), NoOpTracer)


def _nanoseconds(time: datetime) -> int:
    """Return a time as OpenTelemetry wants it. In integers: a floating-point number would round nanoseconds."""
    return (time - EPOCH) // timedelta(microseconds=1) * 1000


def is_unrecorded(context: Context | None = None) -> bool:
    """Return whether `context`, by default the current one, belongs to a trace that is not recorded."""
    span = get_current_span(context).get_span_context()
    return span.is_valid and not span.trace_flags.sampled


def mark_failed(span: Span, kind: str) -> None:
    """Mark a span as failed if no exception leaves it; `kind` from a small fixed set."""
    span.set_attribute(names.ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR))


def _links(parent: Context) -> Sequence[Link]:
    creation = get_current_span(parent).get_span_context()
    return [Link(creation)] if creation.is_valid and creation.trace_flags.sampled else []
