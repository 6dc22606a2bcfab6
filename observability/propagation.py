"""Trace context in message headers, as W3C `traceparent` and `tracestate`; garbage starts a new trace.

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
"""Of a message that nobody traces: what belongs to it is not recorded. It stays in its process."""


def inject() -> dict[str, str]:
    """The headers that carry the current trace on; none where nothing is traced."""
    headers: dict[str, str] = {}
    _W3C.inject(headers)
    return headers


def with_current_trace(headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` with the current trace in place of the one they had; unchanged where nothing is traced."""
    current = inject()
    if not current:
        return dict(headers)
    return without_trace(headers) | current


def without_trace(headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` without a trace."""
    return {name: value for name, value in headers.items() if name.lower() not in _FIELDS}


def extract(headers: Mapping[str, str]) -> Context:
    """The context that `headers` carry. An empty one, under which a new trace starts, if that can't be read."""
    carrier = {name.lower(): value for name, value in headers.items() if name.lower() in _FIELDS}
    texts = {name: value for name, value in carrier.items() if isinstance(value, str)}
    return _W3C.extract(texts, Context()) if texts else Context()


@contextmanager
def activate(context: Context) -> Iterator[None]:
    """Go on in the trace of `context`."""
    token = attach(context)
    try:
        yield
    finally:
        detach(token)


def resume(headers: Mapping[str, str]) -> AbstractContextManager[None]:
    """Go on in the trace that was stored with `inject()`, e.g. when a timer fires or after a restart."""
    return activate(extract(headers))
