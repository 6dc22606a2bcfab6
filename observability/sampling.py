"""The sampler where OpenTelemetry's variables name none: everything, but of a flood only a part.

Recording a question's spans takes about a millisecond of Python in all. Beside a model that is nothing; beside the
messaging alone it is not, and what a flood of questions costs must not grow with it.
"""

from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

PER_SECOND, BURST = 2, 100
"""New traces that a process begins at most, in the long run and at once."""


def default(clock: Callable[[], float]) -> tuple[Sampler, Callable[[], bool]]:
    """A sampler, and whether it would record a trace that begins now.

    A trace that somebody else has begun is recorded, or not, as they decided.
    """
    limited = RateLimited(PER_SECOND, BURST, clock)
    return ParentBased(limited), limited.ready


class RateLimited(Sampler):
    """A token bucket: `per_second` tokens come in, at most `burst` are kept, a new trace takes one.

    `clock` gives seconds.
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
        if not self.ready():
            return SamplingResult(Decision.DROP, None, state)
        self._tokens -= 1
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, state)

    def ready(self) -> bool:
        """Whether there is a token."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return self._tokens >= 1

    def get_description(self) -> str:
        return f"RateLimited{{{self._per_second}/s, {self._burst} at once}}"
