"""A NATS server that takes small messages only: it is said, and what does not fit harms only itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs

from cli.demo.nats_server import EmbeddedServer
from edge.userbot import phrases
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.ports import Ports
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.intake import Intake
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import open_chats
from events.jetstream.client import NEEDED_PAYLOAD
from events.jetstream.connection import connect
from events.jetstream.inspection import inspect
from events.jetstream.log import JetStreamLog
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import Sampling
from observability.telemetry import noop_telemetry
from tests.simulation.nats.server import NatsServer
from tests.transports.flushing import flushed
from tests.transports.simulated import simulated_nats

RETRYING = Retrying(SystemClock(), Random(1))


class Taking:
    """A configuration whose `max_payload` the next start of the server reads."""

    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, port: int, store: Path) -> str:
        return f'listen: "127.0.0.1:{port}"\nmax_payload: {self.most}\njetstream {{ store_dir: "{store}" }}\n'


class SimulatedTaking:
    """As `Taking`, for the simulated server."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server

    @property
    def most(self) -> int:
        return self._server.max_payload

    @most.setter
    def most(self, most: int) -> None:
        self._server.max_payload = most


@pytest.fixture
async def small(
    nats_kind: str, tmp_path: Path
) -> AsyncIterator[tuple[EmbeddedServer | NatsServer, Taking | SimulatedTaking]]:
    if nats_kind == "simulated":
        taking = SimulatedTaking(server := simulated_nats())
    else:
        taking = Taking(8192)
        server = EmbeddedServer(tmp_path / "nats", configured=taking)
    taking.most = 8192
    async with server:
        yield server, taking


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - connections and chats have no event to wait on
            await asyncio.sleep(0.02)


def told(logs: list) -> list[str]:
    return [log["error"] for log in logs if log["event"] == "nats.small_payload"]


async def test_too_small_a_payload_is_said_at_the_start_after_a_reconnection_and_by_the_doctor(small) -> None:
    server, taking = small
    with capture_logs() as logs:
        async with connect(server.url, name="test") as js:
            assert len(told(logs)) == 1
            assert "8192 bytes" in told(logs)[0]
            assert f"max_payload to {NEEDED_PAYLOAD}" in told(logs)[0]
            await Topology(js, retrying=RETRYING).ensure_all()
            assert [fault for fault in (await inspect(js)).faults if "8192 bytes" in fault]
            for most, lines in ((8192, 1), (NEEDED_PAYLOAD, 1), (4096, 2)):
                await server.kill()
                await until(lambda: not js._nc.is_connected)
                taking.most = most
                await server.start()
                await until(lambda: js._nc.is_connected)
                await flushed(js)
                assert len(told(logs)) == lines
            assert "4096 bytes" in told(logs)[1]


class Telegram:
    """Takes everything, and keeps it."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        self.texts.append((chat, message.text))
        return 1000 + len(self.texts)

    async def typing(self, chat: str) -> None:
        pass


async def test_a_question_that_does_not_fit_gets_its_line_and_others_are_answered(small) -> None:
    server, _ = small
    telegram = Telegram()
    async with connect(server.url, name="test") as js:
        await Topology(js, retrying=RETRYING).ensure_all()
        ports = Ports(
            account="1",
            chats=await open_chats(js, "1", retrying=RETRYING),
            log=JetStreamLog(js),
            messenger=telegram,
            sampling=Sampling(),
            deadline=timedelta(seconds=60),
            telemetry=noop_telemetry(),
            retrying=RETRYING,
        )
        drivers = Drivers(ports)
        intake = Intake(ports, drivers, Rules)

        async def says(chat: str, message: int, letters: int) -> Effect:
            text = "Тимоха, " + "ж" * letters
            return await intake.receive(Incoming("1", chat, message, text, "ru", ports.retrying.clock.now()))

        assert await says("2", 7, 4000) is Effect.REFUSED
        assert await says("3", 7, 10) is Effect.ASKED
        await until(lambda: len(telegram.texts) == 2)
        assert ("2", phrases.failure("ru", phrases.TOO_LARGE)) in telegram.texts
        await drivers.stop()
