"""Every alert's series come from the real processes, whichever broker a question goes over."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from pydantic import SecretStr

from edge.userbot import phrases
from events.jetstream.connection import connect as connect_jetstream
from events.rabbitmq import topology
from events.rabbitmq.connection import connect
from events.rabbitmq.receiver import Receiver
from events.runtime.clock import SystemClock
from events.schema import FailureReason
from events.transport import MAX_FETCH_WAIT
from tests.rabbitmq_queues import close

pytestmark = pytest.mark.timeout(180)

PROMETHEUS = Path(__file__).parents[2] / "observability/prometheus"
RULES = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
SELECTOR = re.compile(r"\b((?:timokha|messaging|process)_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)(=~?)"([^"]*)"')
SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "sum": ("_total",), "gauge": ("",)}

Series = tuple[str, Mapping[str, str]]


def selectors(expression: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    for name, matchers in SELECTOR.findall(re.sub(r"by \([^)]*\)", "", expression)):
        yield name, MATCHER.findall(matchers)


def matches(series: Series, name: str, matchers: list[tuple[str, str, str]]) -> bool:
    found, labels = series
    return found == name and all(
        re.fullmatch(value if operator == "=~" else re.escape(value), labels.get(label, ""))
        for label, operator, value in matchers
    )


def labels_of(pairs) -> dict[str, str]:
    return {pair.key.replace(".", "_"): pair.value.string_value for pair in pairs}


def series_of(metric: Metric, resource: Mapping[str, str]) -> Iterator[Series]:
    """As the collector's exporter for Prometheus names them."""
    kind = str(metric.WhichOneof("data"))
    name = metric.name.replace(".", "_") + ("_seconds" if metric.unit == "s" else "")
    for point in getattr(metric, kind).data_points:
        for suffix in SUFFIXES[kind]:
            yield name + suffix, {**resource, **labels_of(point.attributes)}


def exported(collector) -> list[Series]:
    bodies = [ExportMetricsServiceRequest.FromString(body) for body in collector.bodies["/v1/metrics"]]
    return [
        series
        for body in bodies
        for resource in body.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for series in series_of(metric, labels_of(resource.resource.attributes))
    ]


def fires(directory: Path, alert: str, series: Series) -> subprocess.CompletedProcess[str]:
    """Ask Prometheus' own tool whether one more of `series` fires the alert."""
    name, labels = series
    written = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    test = {
        "rule_files": [str(PROMETHEUS / "alerts.yml")],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": f"{name}{{{written}}}", "values": "_x30 1x30"}],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                        "eval_time": "35m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                ],
            }
        ],
    }
    (directory / "alert.yml").write_text(yaml.safe_dump(test))
    command = ["promtool", "test", "rules", str(directory / "alert.yml")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


async def rejecting(url: str) -> None:
    """As a worker that is none of ours, and takes nothing back."""
    async with connect(SecretStr(url), name="test", clock=SystemClock()) as broker:
        receiver = await Receiver.open(broker, topology.REQUESTS)
        rejected = 0
        while not rejected:
            for received in await receiver.fetch(1, MAX_FETCH_WAIT):
                await received._incoming.reject(requeue=False)
                rejected += 1
        await close(receiver)


def judged(collector, directory: Path) -> None:
    """Every alert has all of its series, and the dead letter that is measured fires its own."""
    measured = exported(collector)
    for rule in RULES:
        for name, matchers in selectors(rule["expr"]):
            assert any(matches(series, name, matchers) for series in measured), (rule["alert"], name, matchers)
    dead = next(series for series in measured if series[0] == "timokha_deadletters_total")
    if shutil.which("promtool"):
        result = fires(directory, "DeadLetters", dead)
        assert result.returncode == 0, result.stdout + result.stderr


async def test_every_alert_is_measured_over_rabbitmq(product, collector, tmp_path, rabbitmq_url) -> None:
    await product.start_userbot()
    await product.start("bridge", RABBITMQ_URL=rabbitmq_url)
    worker = await product.start("generate", GENERATE_TRIGGER="rabbitmq", RABBITMQ_URL=rabbitmq_url)
    product.ask("привет")
    assert (await product.replies(2))[1] == "привет"
    await worker.stop()
    product.ask("и ещё")
    await rejecting(rabbitmq_url)
    assert (await product.replies(4))[3] == phrases.failure("ru", FailureReason.ATTEMPTS_EXHAUSTED)
    await product.stop()
    judged(collector, tmp_path)


@pytest.mark.slow
async def test_every_alert_is_measured_over_jetstream(product, collector, tmp_path, nats_server) -> None:
    await product.start_userbot()
    await product.start("generate")
    product.ask("привет")
    assert (await product.replies(2))[1] == "привет"
    async with connect_jetstream(nats_server.url, name="test") as js:
        await js.publish("timokha.requests.1.2.3.0", b"no request")
        async with asyncio.timeout(30):
            while not (await js.stream_info("DEADLETTERS")).state.messages:  # noqa: ASYNC110 - a stream has no event
                await asyncio.sleep(0.05)
    await product.stop()
    judged(collector, tmp_path)
