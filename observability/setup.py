"""Start a process's telemetry. A collector that is down delays no answer."""

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
from observability.environment import (
    Exporter,
    check_numbers,
    exporters,
    is_sdk_disabled,
    sampler,
    sdk_errors_as_settings_errors,
)
from observability.export_errors import explain, session
from observability.spans import SYSTEM_CLOCK
from observability.telemetry import Telemetry, noop_telemetry

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

# The SDK is imported where it is used: a process that exports nothing starts faster without it.

ERROR_INTERVAL = timedelta(minutes=1)
FILE_DELAY = timedelta(milliseconds=200)
"""Between two writes to a trace file."""
Closer = Callable[[], None]


def start(
    service: str,
    *,
    capture_content: bool = False,
    trace_file: Path | None = None,
    span_exporter: "SpanExporter | None" = None,
    metric_reader: "MetricReader | None" = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Telemetry:
    """Return telemetry of `timokha-<service>`, exported as OpenTelemetry's variables say; by default not at all.

    `capture_content` lets message text into spans. `trace_file` gets a line of JSON per span (`trace_writer.py`).
    `span_exporter` and `metric_reader` are called in this process, without delay.
    Raises SettingsError if a variable is bad.
    """
    if is_sdk_disabled():
        return noop_telemetry(clock)
    check_numbers()
    with sdk_errors_as_settings_errors():
        processors, readers = _processors(trace_file, span_exporter), _readers(metric_reader)
        if not processors and not readers:
            return noop_telemetry(clock)
        _throttle_errors(clock)
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
    """Return a bounded queue (OTEL_BSP_MAX_QUEUE_SIZE, 2,048 spans) with a thread that exports it in batches."""
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    millis = None if delay is None else delay / timedelta(milliseconds=1)
    return BatchSpanProcessor(exporter, schedule_delay_millis=millis)


def _span_exporter(kind: Exporter) -> "SpanExporter":
    if kind is Exporter.CONSOLE:
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415

        return ConsoleSpanExporter(out=sys.stdout)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

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

    return OTLPMetricExporter(session=session())


def _resource(service: str) -> "Resource":
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource  # noqa: PLC0415

    # The environment overrides our values.
    return Resource.create({SERVICE_NAME: f"timokha-{service}"}).merge(OTELResourceDetector().detect())


def _traces(
    resource: "Resource", processors: "list[SpanProcessor]", clock: Clock
) -> tuple[TracerProvider, Callable[[], bool] | None, Closer | None]:
    """Return the provider, whether a trace may begin (None if a sampler is configured), and how to close it."""
    if not processors:
        return NoOpTracerProvider(), None, None
    from opentelemetry.sdk.trace import TracerProvider as Provider  # noqa: PLC0415

    from observability import sampling  # noqa: PLC0415

    # Without a shutdown at exit, which would wait half a minute for a collector that is down.
    chosen, may_begin = (None, None) if sampler() else sampling.default_sampler(clock.monotonic)
    provider = Provider(chosen, resource, shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider, may_begin, provider.shutdown


def _meters(resource: "Resource", readers: "list[MetricReader]", clock: Clock) -> tuple[MeterProvider, Closer | None]:
    if not readers:
        return NoOpMeterProvider(), None
    from opentelemetry.sdk.metrics import MeterProvider as Provider  # noqa: PLC0415

    provider = Provider(readers, resource, shutdown_on_exit=False)
    started = clock.monotonic()
    # The only metric of an idle process: if it is missing, the process is gone.
    provider.get_meter(names.SCOPE).create_observable_gauge(
        names.UPTIME, [lambda _: [Observation(clock.monotonic() - started)]], "s", "Since the process started"
    )
    return provider, provider.shutdown


def _throttle_errors(clock: Clock) -> None:
    """Exporters log an error for every batch: log one a minute."""
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    if not any(isinstance(handler, ThrottlingHandler) for handler in logger.handlers):
        logger.addHandler(ThrottlingHandler(ERROR_INTERVAL, clock, rewrite=explain))


class ThrottlingHandler(logging.Handler):
    """Passes at most one record every `period` to the root logger's handlers, and drops the others."""

    def __init__(self, period: timedelta, clock: Clock, *, rewrite: Callable[[str], str]) -> None:
        """`rewrite` returns the text to log for a record's message."""
        super().__init__()
        self._rewrite = rewrite
        self._clock = clock
        self._period = period.total_seconds()
        self._quiet_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        now = self._clock.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + self._period
            record.msg, record.args = self._rewrite(record.getMessage()), ()
            logging.getLogger().handle(record)
