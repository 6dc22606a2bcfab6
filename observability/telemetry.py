"""A process's telemetry, passed as an argument to whatever traces or measures."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Self

from opentelemetry.metrics import Meter, MeterProvider, NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider, Tracer, TracerProvider

from events.runtime.clock import Clock
from observability import names
from observability.metrics import Metrics
from observability.spans import SYSTEM_CLOCK, Spans

FLUSH = timedelta(seconds=3)
"""Longest wait for the last export during shutdown, whatever the collector does."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A process's telemetry; call `shutdown` at its end. Two in one process don't interfere."""

    tracer: Tracer
    meter: Meter
    spans: Spans
    metrics: Metrics
    closers: list[Callable[[], None]] = field(default_factory=list)
    clock: Clock = SYSTEM_CLOCK

    @classmethod
    def from_providers(
        cls,
        traces: TracerProvider,
        meters: MeterProvider,
        *,
        capture_content: bool = False,
        parent_decides: bool = True,
        may_begin: Callable[[], bool] | None = None,
        closers: Sequence[Callable[[], None]] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Return telemetry that uses two providers of the SDK."""
        tracer, meter = traces.get_tracer(names.SCOPE), meters.get_meter(names.SCOPE)
        metrics, measured = Metrics(meter, clock), not isinstance(meters, NoOpMeterProvider)
        spans = Spans(tracer, metrics, capture_content, parent_decides, may_begin, measured, clock=clock)
        return cls(tracer, meter, spans, metrics, list(closers), clock)

    def for_broker(self, system: str) -> Self:
        """Return the same telemetry for a process whose broker is `system`."""
        return replace(self, spans=replace(self.spans, system=system))

    def shutdown(self) -> None:
        """Export what is left, within `FLUSH`; further calls do nothing."""
        # The SDK's own limits do not hold during an export, so its threads are abandoned.
        threads = [threading.Thread(target=close, daemon=True) for close in self.closers]
        deadline = self.clock.monotonic() + FLUSH.total_seconds()
        self.closers.clear()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - self.clock.monotonic()))


def noop_telemetry(clock: Clock = SYSTEM_CLOCK) -> Telemetry:
    """Return telemetry that records nothing; the trace context of an incoming message is still propagated."""
    return Telemetry.from_providers(NoOpTracerProvider(), NoOpMeterProvider(), clock=clock)
