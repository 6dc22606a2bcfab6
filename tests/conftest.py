"""Fixtures that every folder shares: real servers on free ports, started by the tests and stopped by them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from events.event import Event
from events.jetstream.connection import connect
from events.jetstream.server import EmbeddedServer
from events.jetstream.topology import Topology
from events.schema import GenerationRequested, Role, Turn


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def js(nats_server: EmbeddedServer) -> AsyncIterator[JetStreamContext]:
    async with connect(nats_server.url, name="test") as context:
        await Topology(context).ensure_all(accounts=["1"])
        yield context


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
        return Event.of(request(request_id, text, seconds=seconds), source="/test", headers=headers)

    return make
