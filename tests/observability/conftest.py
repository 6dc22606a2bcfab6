import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from events.event import Event
from events.ids import RequestId
from events.schema import GenerationRequested, Role, Sampling, Turn
from observability import setup
from observability.telemetry import Telemetry

LONG_AGO = datetime.fromtimestamp(0, UTC)
QUESTION = RequestId("acc", "42", "7")


@dataclass(frozen=True)
class InHand:
    """A delivery that is never settled."""

    event: Event
    attempt: int = 1
    published_at: datetime = LONG_AGO

    async def extend(self) -> None: ...
    async def ack(self) -> None: ...
    async def retry(self, delay: timedelta) -> None: ...
    async def discard(self) -> None: ...


class Observed:
    """Telemetry of one process, and what it recorded."""

    def __init__(self, service: str, *, capture_content: bool = False) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.telemetry: Telemetry = setup.start(
            service, capture_content=capture_content, span_exporter=self._exporter, metric_reader=self._reader
        )

    @property
    def finished(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def points(self) -> dict[str, list[tuple[dict[str, object], object]]]:
        """Every metric's data points: attributes, and the value or the count of observations."""
        data = self._reader.get_metrics_data()
        assert data is not None
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
        return {
            metric.name: [
                (dict(point.attributes), point.count if hasattr(point, "count") else point.value)
                for point in metric.data.data_points
            ]
            for metric in metrics
        }

    def bounds(self, name: str) -> tuple[float, ...]:
        data = self._reader.get_metrics_data()
        assert data is not None
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
        return next(tuple(m.data.data_points[0].explicit_bounds) for m in metrics if m.name == name)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    root, vendor = logging.getLogger(), logging.getLogger("opentelemetry")
    before = root.handlers[:], root.level, vendor.handlers[:], vendor.level, vendor.propagate
    yield
    root.handlers[:], root.level, vendor.handlers[:], vendor.level, vendor.propagate = before
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def observed() -> Iterator[Observed]:
    observed = Observed("userbot")
    yield observed
    observed.telemetry.shutdown()


@pytest.fixture
def capturing() -> Iterator[Observed]:
    observed = Observed("generate", capture_content=True)
    yield observed
    observed.telemetry.shutdown()


@pytest.fixture
def question() -> RequestId:
    return QUESTION


@pytest.fixture
def request_data() -> GenerationRequested:
    return GenerationRequested(
        request_id=QUESTION,
        account_id="acc",
        chat_id="42",
        message_id="7",
        turns=(Turn(role=Role.USER, text="секрет"),),
        sampling=Sampling(max_new_tokens=60, temperature=0.7, top_k=40, top_p=0.9),
        deadline=datetime(2026, 11, 1, tzinfo=UTC),
    )


@pytest.fixture
def event(request_data: GenerationRequested) -> Event:
    return Event.of(request_data, source="test")


@pytest.fixture
def in_hand() -> type[InHand]:
    return InHand
