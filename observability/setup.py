"""Starts a process's telemetry, once, in its composition root. A collector that is down costs nobody an answer."""

import logging
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.metrics import MeterProvider, NoOpMeterProvider, Observation
from opentelemetry.trace import NoOpTracerProvider, TracerProvider

from events.runtime.clock import Clock
from observability import names
from observability.complaints import explained
from observability.environment import Exporter, check_numbers, exporters, followed, sampler, sdk_disabled
from observability.spans import REAL
from observability.telemetry import Telemetry, silent

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

# The SDK is imported where it is used: a process that exports nothing starts without it.

FAULTS_EVERY = timedelta(minutes=1)
FILE_DELAY = timedelta(milliseconds=200)
Closer = Callable[[], None]


def start(
    service: str,
    *,
    capture_content: bool = False,
    trace_file: Path | None = None,
    span_exporter: "SpanExporter | None" = None,
    metric_reader: "MetricReader | None" = None,
    clock: Clock = REAL,
) -> Telemetry:
    """Telemetry of `timokha-<service>`, going where OpenTelemetry's environment variables say; nowhere by default.

    `capture_content` lets message text into spans. `trace_file` gets a JSON object a line and span (`trace_writer.py`).
    `span_exporter` and `metric_reader` are called in this process, at once.
    Raises SettingsError if a variable is bad.
    """
    if sdk_disabled():
        return silent(clock)
    check_numbers()
    with followed():
        processors, readers = _processors(trace_file, span_exporter), _readers(metric_reader)
        if not processors and not readers:
            return silent(clock)
        _quiet_faults(clock)
        resource = _resource(service)
        traces, may_begin, close_traces = _traces(resource, processors, clock)
        meters, close_meters = _meters(resource, readers, clock)
    closers = [close for close in (close_traces, close_meters) if close]
    return Telemetry.from_providers(
        traces,
        meters,
        capture_content=capture_content,
        parent_decides=not sampler() or sampler().startswith("parentbased"),
        may_begin=may_begin,
        closers=closers,
        clock=clock,
    )


def _processors(trace_file: Path | None, span_exporter: "SpanExporter | None") -> "list[SpanProcessor]":
    processors: list[SpanProcessor] = []
    for kind in exporters("TRACES"):
        processors.append(_batch(_span_exporter(kind)))
    if trace_file is not None:
        from observability.trace_writer import TraceFile  # noqa: PLC0415

        processors.append(_batch(TraceFile(trace_file), delay=FILE_DELAY))
    if span_exporter is not None:
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415

        processors.append(SimpleSpanProcessor(span_exporter))
    return processors


def _batch(exporter: "SpanExporter", *, delay: timedelta | None = None) -> "SpanProcessor":
    """A bounded queue (OTEL_BSP_MAX_QUEUE_SIZE, 2,048 spans) and a thread that empties it."""
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    millis = None if delay is None else delay / timedelta(milliseconds=1)
    return BatchSpanProcessor(exporter, schedule_delay_millis=millis)


def _span_exporter(kind: Exporter) -> "SpanExporter":
    if kind is Exporter.CONSOLE:
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415

        return ConsoleSpanExporter(out=sys.stdout)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    from observability.redirects import session  # noqa: PLC0415

    return OTLPSpanExporter(session=session())


def _readers(metric_reader: "MetricReader | None") -> "list[MetricReader]":
    readers = [metric_reader] if metric_reader is not None else []
    for kind in exporters("METRICS"):
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

        readers.append(PeriodicExportingMetricReader(_metric_exporter(kind)))
    return readers


def _metric_exporter(kind: Exporter) -> "MetricExporter":
    if kind is Exporter.CONSOLE:
        from opentelemetry.sdk.metrics.export import ConsoleMetricExporter  # noqa: PLC0415

        return ConsoleMetricExporter(out=sys.stdout)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

    from observability.redirects import session  # noqa: PLC0415

    return OTLPMetricExporter(session=session())


def _resource(service: str) -> "Resource":
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource  # noqa: PLC0415

    # What the environment says wins over ours.
    return Resource.create({SERVICE_NAME: f"timokha-{service}"}).merge(OTELResourceDetector().detect())


def _traces(
    resource: "Resource", processors: "list[SpanProcessor]", clock: Clock
) -> tuple[TracerProvider, Callable[[], bool] | None, Closer | None]:
    """The second says when a trace may begin, where no sampler was asked for."""
    if not processors:
        return NoOpTracerProvider(), None, None
    from opentelemetry.sdk.trace import TracerProvider as Provider  # noqa: PLC0415

    from observability import sampling  # noqa: PLC0415

    # Not at exit: the interpreter would wait half a minute for a collector that is away.
    chosen, may_begin = (None, None) if sampler() else sampling.default(clock.monotonic)
    provider = Provider(chosen, resource, shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider, may_begin, provider.shutdown


def _meters(resource: "Resource", readers: "list[MetricReader]", clock: Clock) -> tuple[MeterProvider, Closer | None]:
    if not readers:
        return NoOpMeterProvider(), None
    from opentelemetry.sdk.metrics import MeterProvider as Provider  # noqa: PLC0415

    provider = Provider(readers, resource, shutdown_on_exit=False)
    began = clock.monotonic()
    # The only metric that a process with nothing to do has: its absence says that the process is gone.
    provider.get_meter(names.SCOPE).create_observable_gauge(
        names.UPTIME, [lambda _: [Observation(clock.monotonic() - began)]], "s", "Since the process started"
    )
    return provider, provider.shutdown


def _quiet_faults(clock: Clock) -> None:
    """An exporter complains of every batch: let one complaint a minute through."""
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    if not any(isinstance(handler, Throttle) for handler in logger.handlers):
        logger.addHandler(Throttle(FAULTS_EVERY, clock, told=explained))


class Throttle(logging.Handler):
    """Hands at most one record every `period` on to the root logger's handlers, and drops the others."""

    def __init__(self, period: timedelta, clock: Clock, *, told: Callable[[str], str]) -> None:
        """`told` makes what is logged of a record's message."""
        super().__init__()
        self._told = told
        self._clock = clock
        self._period = period.total_seconds()
        self._quiet_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        now = self._clock.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + self._period
            record.msg, record.args = self._told(record.getMessage()), ()
            logging.getLogger().handle(record)
