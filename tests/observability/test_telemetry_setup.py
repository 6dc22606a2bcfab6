"""Where telemetry goes, and what a collector that is away may cost."""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from events.errors import SettingsError
from observability import setup
from observability.telemetry import Telemetry


@pytest.fixture
def refusing() -> Iterator[str]:
    """A port that is bound, so nobody else takes it, and refuses every connection."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def mute() -> Iterator[str]:
    """A port that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def complaints() -> list[logging.LogRecord]:
    """What reaches the root logger's handlers."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logging.getLogger().handlers = [Keep()]
    return records


def work(telemetry: Telemetry) -> None:
    with telemetry.tracer.start_as_current_span("work"):
        pass


def test_spans_and_metrics_arrive_at_a_collector(collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    telemetry = setup.start("generate")
    work(telemetry)
    telemetry.metrics.busy_ignored()
    telemetry.shutdown()

    traces = ExportTraceServiceRequest.FromString(collector.bodies["/v1/traces"][0])
    [resource] = traces.resource_spans
    attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert attributes["service.name"] == "timokha-generate"
    assert attributes["deployment.environment.name"] == "test"
    assert [span.name for span in resource.scope_spans[0].spans] == ["work"]
    metrics = ExportMetricsServiceRequest.FromString(collector.bodies["/v1/metrics"][0])
    [scope] = metrics.resource_metrics[0].scope_metrics
    assert {metric.name for metric in scope.metrics} == {"timokha.busy_ignored", "process.uptime"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_SERVICE_NAME", "mine"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=mine")],
)
def test_the_environment_may_rename_the_service(collector, monkeypatch, variable, value):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/custom")
    monkeypatch.setenv(variable, value)
    telemetry = setup.start("generate")
    work(telemetry)
    telemetry.shutdown()
    [resource] = ExportTraceServiceRequest.FromString(collector.bodies["/custom"][0]).resource_spans
    assert [p.value.string_value for p in resource.resource.attributes if p.key == "service.name"] == ["mine"]
    assert "/v1/metrics" not in collector.bodies


@pytest.mark.parametrize(
    "off",
    [
        {},
        {"OTEL_SDK_DISABLED": "TRUE"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
    ],
)
def test_nothing_leaves_a_process_that_was_not_asked_to(collector, monkeypatch, off):
    if off:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    for name, value in off.items():
        monkeypatch.setenv(name, value)
    telemetry = setup.start("generate")
    with telemetry.tracer.start_as_current_span("work") as span:
        assert not span.is_recording()
    telemetry.shutdown()
    assert collector.bodies == {}


def test_a_process_that_exports_nothing_does_not_even_load_the_sdk():
    script = (
        "import sys; from observability import setup; setup.start('x');"
        "print([m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter', 'requests'))])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_spans_are_printed_where_the_console_was_asked_for(monkeypatch, capsys):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    telemetry = setup.start("generate")
    work(telemetry)
    telemetry.shutdown()
    assert json.loads(capsys.readouterr().out)["name"] == "work"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin'; it takes otlp, console or none"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
            "OTEL_EXPORTER_OTLP_ENDPOINT is 'collector:4318'; it takes a URL such as http://localhost:4318",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'; it takes http/protobuf",
        ),
    ],
)
def test_a_setting_that_cannot_be_followed_stops_the_process(monkeypatch, variables, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        setup.start("generate")
    assert str(raised.value) == message


# A process of its own: it must also end while its exporters are still stuck.
ASKED_TO_EXPORT = """
import gc, sys
from opentelemetry.sdk.trace import ReadableSpan
from observability import logs, setup
logs.configure("generate", json=True)
telemetry = setup.start("generate")
for _ in range(10_000):
    with telemetry.tracer.start_as_current_span("work"):
        pass
print(sum(isinstance(thing, ReadableSpan) for thing in gc.get_objects()))
telemetry.shutdown()
"""


@pytest.mark.parametrize("away", ["refusing", "mute"])
def test_a_collector_that_is_away_costs_no_memory_no_flood_of_logs_and_no_slow_end(request, away):
    url = request.getfixturevalue(away)
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_SAMPLER": "always_on"}
    # The SDK by itself would wait half a minute for each exporter.
    ended = subprocess.run(
        [sys.executable, "-c", ASKED_TO_EXPORT], env=environment, capture_output=True, text=True, check=True, timeout=25
    )
    # The full queue, and the batch that is being sent.
    assert int(ended.stdout) <= 2048 + 512
    [complaint] = ended.stderr.splitlines()
    assert json.loads(complaint)["level"] in {"warning", "error"}


def test_shutting_down_again_does_nothing(observed, complaints):
    observed.telemetry.shutdown()
    observed.telemetry.shutdown()
    assert complaints == []


def test_a_fault_of_an_exporter_is_told_once_a_minute(complaints):
    for service in ("userbot", "generate"):
        setup.start(service, span_exporter=InMemorySpanExporter())
    exporter = logging.getLogger("opentelemetry.exporter.otlp")
    for _ in range(100):
        exporter.warning("collector away")
    assert [record.getMessage() for record in complaints] == ["collector away"]
