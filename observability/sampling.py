"""The default sampler: record every trace, but during a flood only a limited number per second.

Recording a question's spans takes about a millisecond of Python. That is little beside a model, but not beside the
messaging alone, so a flood of questions must not pay for it each time.
"""

from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

PER_SECOND, BURST = 2, 100
"""Limits of new traces per process: in the long run, and at once."""


def default_sampler(clock: Callable[[], float]) -> tuple[Sampler, Callable[[], bool]]:
    """Return a sampler, and a function that returns whether it would record a trace that begins now.

    A trace begun by another process is recorded if that process records it.
    """
    limited = RateLimited(PER_SECOND, BURST, clock)
    return ParentBased(limited), limited.has_token


class RateLimited(Sampler):
    """A token bucket: gains `per_second` tokens, holds at most `burst`; a new trace takes one.

    `clock` returns seconds.
    """

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._at = clock()

    def should_sample(  # noqa: PLR0917 - the SDK calls it by position
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        state = get_current_span(parent_context).get_span_context().trace_state
        if not self.has_token():
            return SamplingResult(Decision.DROP, None, state)
        self._tokens -= 1
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, state)

    def has_token(self) -> bool:
        """Return whether a new trace would be recorded."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return self._tokens >= 1

    def get_description(self) -> str:
        return f"RateLimited{{{self._per_second}/s, {self._burst} at once}}"
