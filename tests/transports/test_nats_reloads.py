"""What both servers refuse after an operator has changed a stream, or has reloaded the settings."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs

from cli.demo.nats_server import EmbeddedServer
from events import subjects
from events.errors import TransportError
from events.faults import Fault
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.transport import MAX_FETCH_WAIT, Channel, Published
from tests.retrying import RETRYING
from tests.simulation.nats.server import MOST_PAYLOAD, NatsServer
from tests.transports.simulated import simulated_nats

FETCH = f"$JS.API.CONSUMER.MSG.NEXT.REQUESTS.{subjects.GENERATE_CONSUMER}"


@dataclass
class Real:
    """A server whose settings can be written anew."""

    directory: Path
    server: EmbeddedServer | None = None
    port: int = 0
    forbidden: str = "none"
    payload: int = MOST_PAYLOAD

    def __call__(self, port: int, store: Path) -> str:
        self.port = port
        permissions = f'{{ publish: {{ deny: ["{self.forbidden}"] }} }}'
        return f"""
            listen: "127.0.0.1:{port}"
            max_payload: {self.payload}
            jetstream {{ store_dir: "{store}" }}
            authorization {{
                users: [{{ user: "all", password: "all", permissions: {permissions} }}]
            }}
            no_auth_user: "all"
        """

    def reload(self) -> None:
        (self.directory / "nats.conf").write_text(self(self.port, self.directory / "store"))
        assert self.server
        os.kill(self.server.pid, signal.SIGHUP)

    def limit_payload(self, most: int) -> None:
        self.payload = most
        self.reload()

    def forbid(self, subject: str) -> None:
        self.forbidden = subject
        self.reload()


@dataclass
class Simulated:
    server: NatsServer

    def limit_payload(self, most: int) -> None:
        self.server.limit_payload(most)

    def forbid(self, subject: str) -> None:
        self.server.forbidden[subject] = None


@pytest.fixture
async def operated(nats_kind: str, tmp_path: Path) -> AsyncIterator[Real | Simulated]:
    if nats_kind == "simulated":
        made: Real | Simulated = Simulated(simulated_nats())
    else:
        made = Real(tmp_path)
        made.server = EmbeddedServer(tmp_path, configured=made)
    assert made.server
    async with made.server:
        yield made


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - another process decides
            await asyncio.sleep(0.02)


async def for_ever(do: Callable[[], Awaitable[object]]) -> None:
    """Until it is refused: the server may not have reloaded its settings yet."""
    async with asyncio.timeout(30):
        while True:
            await do()


async def test_a_stream_that_takes_only_small_messages_refuses_others_for_good_until_it_is_changed_again(
    operated, make_event
) -> None:
    async with connect(operated.server.url, name="test") as js:
        await Topology(js, retrying=RETRYING).ensure_all()
        records = await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=RETRYING)
        for stream in ("REQUESTS", "KV_chats"):
            config = (await js.stream_info(stream)).config
            await js.update_stream(replace(config, max_msg_size=100))
        for writing in (
            JetStreamLog(js).publish(Channel.REQUESTS, make_event()),
            records.save("1.2", b"x" * 101, None),
        ):
            with pytest.raises(TransportError, match="message size exceeds maximum allowed") as refused:
                await writing
            assert refused.value.fault is Fault.FINAL
        assert await records.save("1.2", b"x", None)
        for stream in ("REQUESTS", "KV_chats"):
            config = (await js.stream_info(stream)).config
            await js.update_stream(replace(config, max_msg_size=-1))
        assert await JetStreamLog(js).publish(Channel.REQUESTS, make_event()) is Published.STORED
        assert await records.save("1.3", b"x" * 101, None)


async def test_a_server_whose_payload_was_lowered_ends_the_connection_of_who_does_not_know_it(operated) -> None:
    async with connect(operated.server.url, name="test") as js:
        await Topology(js, retrying=RETRYING).ensure_all()
        records = await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=RETRYING)
        numbers = count(1)
        with capture_logs() as logs:
            operated.limit_payload(1000)
            with pytest.raises(TransportError) as first:
                await for_ever(lambda: records.save(f"1.{next(numbers)}", b"x" * 1001, None))
            await until(lambda: js._nc.is_connected and js._nc.max_payload == 1000)
            with pytest.raises(TransportError) as second:
                await records.save("2.2", b"x" * 1001, None)
        assert [first.value.fault, second.value.fault] == [Fault.PASSING, Fault.FINAL]
        errors = [line["error"].lower() for line in logs if line["event"] == "nats.error"]
        assert any("maximum payload violation" in error for error in errors), errors
        assert await records.save("2.2", b"x", None)


async def test_a_fetch_that_was_forbidden_meanwhile_is_an_error(operated) -> None:
    async with connect(operated.server.url, name="test") as js:
        await Topology(js, retrying=RETRYING).ensure_all()
        subscription = await JetStreamSubscription.bind(
            js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=Random()
        )
        operated.forbid(FETCH)
        with pytest.raises(TransportError, match="may not publish to") as refused:
            await for_ever(lambda: subscription.fetch(1, MAX_FETCH_WAIT))
        assert refused.value.fault is Fault.FATAL
