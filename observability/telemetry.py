"""What the composition root hands to everybody who traces or measures."""

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
from observability.spans import REAL, Spans

FLUSH = timedelta(seconds=3)
"""A process that ends waits this long for its last spans, whatever the collector does."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One process's telemetry; `shutdown` when it ends. Two in one process do not disturb each other."""

    tracer: Tracer
    meter: Meter
    spans: Spans
    metrics: Metrics
    closers: list[Callable[[], None]] = field(default_factory=list)
    clock: Clock = REAL

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
        clock: Clock = REAL,
    ) -> Self:
        """Telemetry that goes where the two providers take it."""
        tracer, meter = traces.get_tracer(names.SCOPE), meters.get_meter(names.SCOPE)
        metrics, measured = Metrics(meter, clock), not isinstance(meters, NoOpMeterProvider)
        spans = Spans(tracer, metrics, capture_content, parent_decides, may_begin, measured, clock=clock)
        return cls(tracer, meter, spans, metrics, list(closers), clock)

    def for_broker(self, system: str) -> Self:
        """The same for a process whose broker is `system`."""
        return replace(self, spans=replace(self.spans, system=system))

    def shutdown(self) -> None:
        """Send what is left, for at most `FLUSH`; calling it again does nothing."""
        # The SDK's own limits do not hold while an export is under way, so its threads are left behind.
        threads = [threading.Thread(target=close, daemon=True) for close in self.closers]
        deadline = self.clock.monotonic() + FLUSH.total_seconds()
        self.closers.clear()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - self.clock.monotonic()))


def silent(clock: Clock = REAL) -> Telemetry:
    """Telemetry that goes nowhere; the trace of an incoming message still travels on."""
    return Telemetry.from_providers(NoOpTracerProvider(), NoOpMeterProvider(), clock=clock)
