import asyncio
import os
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cli.demo.nats_server import EmbeddedServer
from cli.demo.processes import CommandProcess
from edge.sandbox.server import Sandbox
from edge.sandbox.visitor import API_HASH, API_ID, signed_in_session
from events.event import Event
from events.ids import RequestId
from events.schema import GenerationRequested, Role, Sampling, Turn
from observability import setup
from observability.telemetry import Telemetry

LONG_AGO = datetime.fromtimestamp(0, UTC)
QUESTION = RequestId("acc", "42", "7")
OWNER_PHONE = "+79990000001"
TIMEOUT = 60
"""Seconds until a process is given up."""


@dataclass(frozen=True)
class InHand:
    """A delivery that is never settled."""

    event: Event
    attempt: int = 1
    published_at: datetime = LONG_AGO

    async def age(self) -> None: ...
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


@dataclass(frozen=True)
class Received:
    """A span as it came over the wire."""

    service: str
    span: Span

    @property
    def attributes(self) -> dict[str, object]:
        return _attributes(self.span.attributes)


def _attributes(pairs) -> dict[str, object]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}


class Collector(ThreadingHTTPServer):
    """An OTLP receiver: bodies by path."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = defaultdict(list)
        bodies = self.bodies

        class Receive(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies[self.path].append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Receive)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[Received]:
        """Every span that has arrived, in the order in which they started."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies["/v1/traces"]]
        spans = [
            Received(_attributes(resource.resource.attributes)["service.name"].removeprefix("timokha-"), span)
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(spans, key=lambda received: received.span.start_time_unix_nano)

    async def arrived(self, *names: str) -> list[Received]:
        """Every span, once there are those of `names`; a name that comes twice needs two."""
        async with asyncio.timeout(TIMEOUT):
            while not Counter(names) <= Counter(received.span.name for received in self.spans()):  # noqa: ASYNC110 - threads fill it
                await asyncio.sleep(0.05)
        return self.spans()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def any_process_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace: without a sampler by name it begins only where a question comes in (test_sampling.py)."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_on")


@pytest.fixture
def observed(any_process_begins: None) -> Iterator[Observed]:
    observed = Observed("userbot")
    yield observed
    observed.telemetry.shutdown()


@pytest.fixture
def capturing(any_process_begins: None) -> Iterator[Observed]:
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
    return Event.of(request_data, source="test", time=datetime.now(UTC))


@pytest.fixture
def in_hand() -> type[InHand]:
    return InHand


class Product:
    """The product's processes, and a user who asks."""

    def __init__(self, directory: Path, telegram: Sandbox, environment: dict[str, str]) -> None:
        self._directory = directory
        self._telegram = telegram
        self._environment = environment
        self._started: list[CommandProcess] = []
        self.owner = telegram.add_user(first_name="Owner", username="owner", phone=OWNER_PHONE)
        self.visitor = telegram.add_user(first_name="Visitor", phone="+79990000002")

    async def start(self, name: str, **settings: str) -> CommandProcess:
        directory = self._directory / f"{name}{len(self._started)}"
        directory.mkdir()
        process = CommandProcess(name, directory, {**self._environment, **settings})
        self._started.append(process)
        await process.start()
        return process

    async def start_userbot(self, **settings: str) -> None:
        session, key = self._directory / "owner.session", self._directory / "telegram.pem"
        await signed_in_session(self._telegram, OWNER_PHONE, session=session)
        key.write_text(self._telegram.public_key_pem)
        await self.start("userbot", USERBOT_SESSION=str(session), USERBOT_TELEGRAM_KEY=str(key), **settings)
        await self._telegram.wait_for(lambda: self._telegram.sessions(self.owner.id), timeout=TIMEOUT)

    def say(self, text: str) -> None:
        self._telegram.send(self.visitor.id, self.owner.id, text)

    def ask(self, text: str) -> None:
        self.say(f"Тимоха, {text}")

    async def replies(self, count: int) -> list[str]:
        def replies() -> list[str]:
            messages = self._telegram.messages(self.visitor.id, self.owner.id)
            return [message.text for message in messages if not message.out]

        await self._telegram.wait_for(lambda: len(replies()) >= count, timeout=TIMEOUT)
        return replies()

    async def approve(self) -> None:
        """As the owner, the one draft."""
        await self._telegram.wait_for(lambda: self._telegram.messages(self.owner.id, self.owner.id), timeout=TIMEOUT)
        [draft] = self._telegram.messages(self.owner.id, self.owner.id)
        self._telegram.send(self.owner.id, self.owner.id, "+", reply_to=draft.id)

    async def grows_into(self, text: str) -> None:
        """The one reply is edited at least twice, the last time to `text`."""
        seen: list[str] = []

        def grown() -> bool:
            messages = self._telegram.messages(self.visitor.id, self.owner.id)
            [reply] = [message.text for message in messages if not message.out] or [""]
            seen.extend([reply] if [reply] != seen[-1:] else [])
            return seen[-1] == text

        await self._telegram.wait_for(grown, timeout=TIMEOUT)
        assert len([reply for reply in seen if reply and text.startswith(reply)]) > 1

    async def stop(self) -> None:
        await asyncio.gather(*(process.stop() for process in self._started))


@pytest.fixture
async def product(tmp_path: Path, nats_server: EmbeddedServer, collector, monkeypatch) -> AsyncIterator[Product]:
    monkeypatch.chdir(tmp_path)
    async with Sandbox() as telegram:
        environment = {
            "API_ID": str(API_ID),
            "API_HASH": API_HASH,
            "GENERATE_ENGINE": "echo",
            "NATS_URL": nats_server.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "TIMOKHA_TRACE_FILE": str(tmp_path / "traces.jsonl"),
            "USERBOT_TELEGRAM_SERVER": telegram.address,
        }
        product = Product(tmp_path, telegram, environment)
        yield product
        await product.stop()
