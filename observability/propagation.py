"""Trace context in message headers, as W3C `traceparent` and `tracestate`; an invalid one starts a new trace.

Source: https://www.w3.org/TR/trace-context/
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()
_FIELDS = frozenset(_W3C.fields)

UNRECORDED = set_span_in_context(NonRecordingSpan(SpanContext(trace_id=1, span_id=1, is_remote=True)), Context())
"""Context of a message without a trace: nothing under it is recorded. It never leaves the process."""


def inject() -> dict[str, str]:
    """Return headers that propagate the current trace; none without one."""
    headers: dict[str, str] = {}
    _W3C.inject(headers)
    return headers


def with_current_trace(headers: Mapping[str, str]) -> dict[str, str]:
    """Return `headers` with the current trace in place of theirs; unchanged without one."""
    current = inject()
    if not current:
        return dict(headers)
    return without_trace(headers) | current


def without_trace(headers: Mapping[str, str]) -> dict[str, str]:
    """Return `headers` without trace context."""
    return {name: value for name, value in headers.items() if name.lower() not in _FIELDS}


def extract(headers: Mapping[str, str]) -> Context:
    """Return the context that `headers` carry; if it is invalid, an empty one, under which a new trace starts."""
    carrier = {name.lower(): value for name, value in headers.items() if name.lower() in _FIELDS}
    texts = {name: value for name, value in carrier.items() if isinstance(value, str)}
    return _W3C.extract(texts, Context()) if texts else Context()


@contextmanager
def activate(context: Context) -> Iterator[None]:
    """Inside, `context` is the current one."""
    token = attach(context)
    try:
        yield
    finally:
        detach(token)


def resume(headers: Mapping[str, str]) -> AbstractContextManager[None]:
    """Inside, continue the trace that was stored with `inject()`, e.g. when a timer fires or after a restart."""
    return activate(extract(headers))
