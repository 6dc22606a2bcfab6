"""Where telemetry goes, and what a collector that is away may cost."""

import json
import logging
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cli.config import other_variables
from cli.demo.nats_server import HOST
from events.errors import SettingsError
from observability import setup
from observability.export_errors import explain
from observability.telemetry import Telemetry
from tests.authorities import Authority


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
    telemetry.metrics.count_busy_ignored()
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


def test_env_file_may_say_where_telemetry_goes_and_the_environment_wins(collector, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        f"OTEL_EXPORTER_OTLP_ENDPOINT='{collector.url}'\nOTEL_SERVICE_NAME=file\nOTEL_METRICS_EXPORTER=none\nOTHER=1\n"
    )
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME", "OTEL_METRICS_EXPORTER", "OTHER")
    for name in names:  # what is taken over goes again
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "environment")
    other_variables.export_to_libraries()
    assert [os.environ[name] for name in names] == [collector.url, "environment", "none", ""]
    telemetry = setup.start("generate")
    work(telemetry)
    telemetry.shutdown()
    assert list(collector.bodies) == ["/v1/traces"]


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
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318/v1/traces"},
            "OTEL_EXPORTER_OTLP_ENDPOINT is 'http://x:4318/v1/traces', which takes traces only; set it to http://x:4318,"
            " without /v1/traces (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT takes the whole address)",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:geheim@x/otlp/v1/metrics/?key=geheim"},
            "OTEL_EXPORTER_OTLP_ENDPOINT is 'https://***@x/otlp/v1/metrics/?***', which takes metrics only; set it to https://***@x/otlp,"
            " without /v1/metrics (OTEL_EXPORTER_OTLP_METRICS_ENDPOINT takes the whole address)",
        ),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:4318/v1/metrics"},
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is 'http://x:4318/v1/metrics', which takes metrics;"
            " an address for traces ends in /v1/traces",
        ),
        *[
            (
                {"OTEL_EXPORTER_OTLP_ENDPOINT": url},
                f"OTEL_EXPORTER_OTLP_ENDPOINT is {url!r}; it takes a URL such as http://localhost:4318",
            )
            for url in ("http://", "http://x:0", "https://[::1", "ftp://x")
        ],
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "me:geheim@x:4318"},
            "OTEL_EXPORTER_OTLP_ENDPOINT is '***@x:4318'; it takes a URL such as http://localhost:4318",
        ),
    ],
)
def test_a_setting_that_cannot_be_followed_stops_the_process(monkeypatch, variables, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        setup.start("generate")
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "abc", "it takes a whole number above 0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "it takes a whole number above 0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "511", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is 512"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049", "it takes at most OTEL_BSP_MAX_QUEUE_SIZE"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0", "it takes a whole number above 0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "it takes a whole number above 0"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "1.5", "it takes a whole number above 0"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "abc", "it takes a whole number"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "x", "OpenTelemetry can't start"),
        ("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "x", "OpenTelemetry can't start"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Bearer geheim", "it takes name=value,name=value"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b,geheim", "it takes name=value,name=value"),
    ],
)
def test_what_the_sdk_can_not_follow_is_one_line_and_no_secret_in_it(monkeypatch, refusing, name, value, says):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", refusing)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        setup.start("generate")
    assert name in str(raised.value)
    assert says in str(raised.value)
    assert "geheim" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("headers", ["a=b", "a=b, c=d,", "Authorization=Basic%20eDp5", "x-key=a=b=="])
def test_headers_that_can_be_read_are_taken(monkeypatch, refusing, headers):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", refusing)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", headers)
    setup.start("generate").shutdown()


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE"])
@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\n"])
def test_a_certificate_that_can_not_be_used_stops_the_process(tmp_path, monkeypatch, variable, content):
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1")
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(SettingsError, match=f"^{variable} can't be used .*it takes a PEM file"):
        setup.start("generate")


class Answers(BaseHTTPRequestHandler):
    status = 200

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        if 300 <= self.status < 400:
            self.send_header("Location", "https://a:geheim@there/?geheim")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def answering():
    """`answering(status)`: a server that says so to everything; its address."""
    servers = []

    def start(status, *, context=None):
        handler = type("Handler", (Answers,), {"status": status})
        server = ThreadingHTTPServer((HOST, 0), handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"{HOST}:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def complained(complaints):
    """`complained()`: the one line that an export of spans has led to."""
    logging.getLogger("opentelemetry").handlers.clear()  # another test's may be quiet for a minute yet

    def export():
        telemetry = setup.start("generate")
        work(telemetry)
        telemetry.shutdown()
        [line] = {record.getMessage() for record in complaints}
        assert "\n" not in line
        return line

    return export


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (404, r"\(404 Not Found\); no collector takes them there: correct OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        (405, r"\(405 Method Not Allowed\); no collector takes them there"),
        (401, r"\(401 Unauthorized\); correct OTEL_EXPORTER_OTLP_HEADERS"),
        (413, "lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
        (500, r"\(500 Internal Server Error\); see its log"),
        (301, r"\(redirected to https://\*\*\*@there/\?\*\*\*\); correct OTEL_EXP"),
    ],
)
def test_what_a_collector_refuses_is_one_line_with_the_address_and_what_to_do(
    answering, complained, monkeypatch, status, says
):
    address = answering(status)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"http://me:geheim@{address}")
    line = complained()
    assert re.search(rf"^traces can't be sent to http://\*\*\*@{address} {says}" if "(" in says else says, line)
    assert "geheim" not in line


def test_a_collector_whose_authority_is_not_known_is_one_line_with_what_to_do(
    answering, complained, monkeypatch, tmp_path
):
    authority = Authority(tmp_path / "authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server", HOST))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"https://{answering(200, context=context)}/v1/traces")
    assert "its authority is not known here); name the file" in complained()


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number')", "(it speaks no TLS); write http:// in"),
        ("('Connection aborted.', BadStatusLine('INFO {\\r\\n'))", "(it does not speak HTTP); correct"),
        ('NewConnectionError("[Errno 111] Connection refused")', "(connection refused); start it, or correct"),
        ('NewConnectionError("[Errno 113] No route to host")', "(no way to it); see this machine's network, or"),
        (
            "Pool: Max retries exceeded with url: /v1/metrics?geheim (Caused by X)",
            "with url: /v1/metrics?*** (Caused by X)",
        ),
        ("NameResolutionError(\"Failed to resolve 'x'\")", "(there is no such host); correct"),
        ("ReadTimeout('Read timed out.')", "(no answer in time); see its log"),
        ("certificate verify failed: CA cert does not include key usage extension", "lacks the key usage extension"),
        ("anything\nelse" * 100, "…); correct OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
def test_a_failed_connection_is_one_line_with_what_to_do(monkeypatch, reason, says):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:geheim@collector:4318/")
    for complaint in (
        f"Transient error {reason} encountered while exporting metrics batch, retrying in 1.17s.",
        f"Failed to export metrics batch code: None, reason: {reason}",
    ):
        line = explain(complaint)
        assert line.startswith("metrics can't be sent to http://***@collector:4318/v1/metrics (")
        assert says in line
        assert "geheim" not in line
        assert "\n" not in line


def test_a_complaint_of_anything_else_stays_as_it_is():
    assert explain("Queue full, dropping Span.") == "Queue full, dropping Span."


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
