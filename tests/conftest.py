"""Fixtures that every folder shares: real servers on free ports, started by the tests and stopped by them."""

import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, Phase, settings
from nats.js import JetStreamContext
from pydantic import BaseModel, SecretStr

from cli.demo.nats_server import EmbeddedServer
from events.event import Event
from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.rabbitmq import connection as rabbitmq_connection
from events.rabbitmq import topology as rabbitmq_topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import GenerationRequested, Role, Turn
from tests.chaos.shipped_nats import ShippedNats
from tests.rabbitmq_node import RabbitMQNode, installed
from tests.rabbitmq_queues import delete_queues
from tests.simulation.rabbitmq.node import SimulatedNode

CI = os.environ.get("CI") == "true"

OPTIONAL = {"torch": ("generate", "training"), "matplotlib": ("unit/test_bench.py",)}
"""What can't be collected without a package that only some extras bring."""
LEFT_OUT = {package: places for package, places in OPTIONAL.items() if find_spec(package) is None}
collect_ignore = [place for places in LEFT_OUT.values() for place in places]


def pytest_report_header() -> list[str]:
    """Say so: a run that leaves something out proves less."""
    return [f"left out without {package}: {', '.join(places)}" for package, places in LEFT_OUT.items()]


# Cases for each property: `make test` always takes the same ones, `make test-full` looks for new ones outside CI.
_TOLERANT = {"deadline": None, "suppress_health_check": list(HealthCheck), "phases": set(Phase) - {Phase.explain}}
settings.register_profile("short", max_examples=100, derandomize=True, database=None, **_TOLERANT)
settings.register_profile("long", max_examples=1000, derandomize=CI, print_blob=True, **_TOLERANT)
settings.load_profile("short")


@pytest.fixture(scope="session", autouse=True)
def _copies_change_only_fields() -> Iterator[None]:
    """pydantic ignores an `update` of a field that a model does not have, so that a renamed one would go unnoticed."""
    copy = BaseModel.model_copy

    def checked(model: BaseModel, *, update: Mapping[str, object] | None = None, deep: bool = False) -> BaseModel:
        assert (update or {}).keys() <= type(model).model_fields.keys(), (type(model).__name__, update)
        return copy(model, update=update, deep=deep)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseModel, "model_copy", checked)
        yield


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Give back what a process under test set up: a later test of this worker may look for lines below its level."""
    root, vendor = logging.getLogger(), logging.getLogger("opentelemetry")
    before = root.handlers[:], root.level, vendor.handlers[:], vendor.level, vendor.propagate
    yield
    root.handlers[:], root.level, vendor.handlers[:], vendor.level, vendor.propagate = before
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # Under nohup what the tests start would ignore it, too.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def js(nats_server: EmbeddedServer) -> AsyncIterator[JetStreamContext]:
    async with connect(nats_server.url, name="test") as context:
        await Topology(context, retrying=Retrying(SystemClock(), Random())).ensure_all(accounts=["1"])
        yield context


@dataclass(frozen=True)
class Guarded:
    """A server with the shipped users; `passwords` by user."""

    server: EmbeddedServer
    directory: Path
    passwords: Mapping[str, str]


@pytest.fixture
def shipped_nats() -> ShippedNats:
    return ShippedNats()


@pytest.fixture
async def guarded_nats(tmp_path: Path, shipped_nats: ShippedNats) -> AsyncIterator[Guarded]:
    async with _guarded(tmp_path, shipped_nats) as guarded:
        yield guarded


@pytest.fixture
async def traced_nats(tmp_path: Path, shipped_nats: ShippedNats) -> AsyncIterator[Guarded]:
    """As `guarded_nats`; its log says what every client publishes."""
    async with _guarded(tmp_path, shipped_nats, {"server_name: timokha": "trace: true"}) as guarded:
        yield guarded


@asynccontextmanager
async def _guarded(
    tmp_path: Path, shipped_nats: ShippedNats, places: Mapping[str, str] | None = None
) -> AsyncIterator[Guarded]:
    passwords, directory = shipped_nats.passwords(), tmp_path / "guarded-nats"
    configured, environment = shipped_nats.configured("nats.conf", places), shipped_nats.environment(passwords)
    async with EmbeddedServer(directory, configured=configured, environment=environment) as server:
        yield Guarded(server, directory, passwords)


def _need_rabbitmq() -> None:
    if not installed():
        why = "no RabbitMQ here: `apt-get install rabbitmq-server`, or name an installation with RABBITMQ_HOME"
        # A laptop may do without; a build that skipped these tests would prove nothing.
        (pytest.fail if CI else pytest.skip)(why)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real_rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RabbitMQNode]:
    """One node for all tests that do not stop it."""
    _need_rabbitmq()
    async with RabbitMQNode(tmp_path_factory.mktemp("rabbitmq"), clock=SystemClock()) as node:
        yield node


@pytest.fixture
def rabbitmq_needed() -> None:
    """For tests that start a node of their own making."""
    _need_rabbitmq()


@pytest.fixture
async def own_real_rabbitmq(tmp_path: Path, rabbitmq_needed: None) -> AsyncIterator[RabbitMQNode]:
    async with RabbitMQNode(tmp_path / "rabbitmq", clock=SystemClock()) as node:
        yield node


@pytest.fixture
async def simulated_rabbitmq() -> AsyncIterator[SimulatedNode]:
    async with SimulatedNode() as node:
        yield node


@pytest.fixture
def rabbitmq_kind(request: pytest.FixtureRequest) -> str:
    """`real` or `simulated`: the folders whose tests run against both say so."""
    return getattr(request, "param", "real")


@pytest.fixture
def shared_rabbitmq(request: pytest.FixtureRequest, rabbitmq_kind: str) -> RabbitMQNode | SimulatedNode:
    """A broker that the test leaves running."""
    return request.getfixturevalue(f"{rabbitmq_kind}_rabbitmq")


@pytest.fixture
def own_rabbitmq(request: pytest.FixtureRequest, rabbitmq_kind: str) -> RabbitMQNode | SimulatedNode:
    """A broker that the test may kill."""
    return request.getfixturevalue("simulated_rabbitmq" if rabbitmq_kind == "simulated" else "own_real_rabbitmq")


@pytest.fixture
async def rabbitmq_url(shared_rabbitmq: RabbitMQNode | SimulatedNode) -> str:
    """The shared broker, without a message in our queues."""
    async with rabbitmq_connection.connect(SecretStr(shared_rabbitmq.url), name="wipe", clock=SystemClock()) as broker:
        names = [queue.name for queue in rabbitmq_topology.OURS]
        await delete_queues(broker.consuming, *names, "rpc_queue", rabbitmq_topology.ORIGINAL_REPLIES.name)
    return shared_rabbitmq.url


def request(request_id: str = "1.2.3.0", text: str = "привет", *, seconds: float = 60) -> GenerationRequested:
    account, chat, message, revision = request_id.split(".")
    return GenerationRequested(
        request_id=request_id,
        account_id=account,
        chat_id=chat,
        message_id=message,
        revision=int(revision),
        turns=(Turn(role=Role.USER, text=text),),
        deadline=datetime.now(UTC) + timedelta(seconds=seconds),
    )


@pytest.fixture
def make_request():
    """`make_request(request_id, text, seconds=…)`: the data of a request."""
    return request


@pytest.fixture
def make_event():
    """`make_event(request_id, text, headers=…)`: a request in its envelope."""

    def make(request_id: str = "1.2.3.0", text: str = "привет", *, seconds: float = 60, headers=None) -> Event:
        return Event.of(
            request(request_id, text, seconds=seconds), source="/test", time=datetime.now(UTC), headers=headers
        )

    return make
