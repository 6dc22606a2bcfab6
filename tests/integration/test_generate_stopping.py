"""`timokha generate` ends when it is told to, whenever that is and whatever NATS does."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from nats.js import JetStreamContext

from cli.demo.nats_server import EmbeddedServer
from cli.demo.processes import CommandProcess
from events.event import Event
from events.jetstream.log import JetStreamLog
from events.schema import GenerationCompleted
from events.subjects import GENERATE_CONSUMER, stream
from events.transport import Channel

WITHIN = 40
"""Seconds until a test gives up: a process that hangs would do so for ever."""

Starting = Callable[..., Awaitable[CommandProcess]]


@pytest.fixture
async def generate(tmp_path: Path, nats_server: EmbeddedServer):
    """`await generate(GENERATE_…=…)`: a process that is on its way."""
    processes: list[CommandProcess] = []

    async def start(**settings: str) -> CommandProcess:
        directory = tmp_path / str(len(processes))
        directory.mkdir()
        given = {
            "NATS_URL": nats_server.url,
            "GENERATE_ENGINE": "echo",
            "GENERATE_GRACE": "1",
            "OTEL_SDK_DISABLED": "true",
        }
        processes.append(CommandProcess("generate", directory, {**given, **settings, "OTEL_SDK_DISABLED": "true"}))
        await processes[-1].start()
        return processes[-1]

    yield start
    for process in processes:
        await process.kill()


class Nats:
    """The server of the test, which it spoils and mends."""

    def __init__(self, server: EmbeddedServer, js: JetStreamContext) -> None:
        self._server = server
        self.js = js

    async def becomes(self, state: str) -> None:
        if state == "killed":
            await self._server.kill()
        elif state == "frozen":
            os.kill(self._server.pid, signal.SIGSTOP)

    async def works_again(self) -> None:
        try:
            os.kill(self._server.pid, signal.SIGCONT)
        except ProcessLookupError:
            await self._server.start()


@pytest.fixture
async def nats(nats_server: EmbeddedServer, js: JetStreamContext):
    nats = Nats(nats_server, js)
    yield nats
    await nats.works_again()


async def until(true: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(WITHIN):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


def said(process: CommandProcess) -> str:
    return process.log.read_text(errors="replace")


async def ready(process: CommandProcess) -> None:
    await until(lambda: "generate.ready" in said(process))


async def connected(process: CommandProcess) -> None:
    """To NATS, which it does first."""
    await until(lambda: bool(psutil.Process(process.pid).net_connections("tcp")))


async def loading(process: CommandProcess) -> None:
    await until(lambda: any("torch" in mapped.path for mapped in psutil.Process(process.pid).memory_maps()))


async def ends(process: CommandProcess) -> None:
    assert process.pid
    os.kill(process.pid, signal.SIGTERM)
    async with asyncio.timeout(WITHIN):
        assert "exit code 0" in str(await process.ended()), said(process)
    assert "process.forced" not in said(process)
    assert "Traceback" not in said(process)


@pytest.mark.parametrize("state", ["works", "killed", "frozen"])
async def test_an_idle_one_ends(generate: Starting, nats: Nats, state: str) -> None:
    process = await generate()
    await ready(process)
    await nats.becomes(state)
    await ends(process)


async def test_one_that_waits_for_nats_at_its_start_ends(generate: Starting, nats: Nats) -> None:
    await nats.becomes("frozen")
    process = await generate()
    await connected(process)
    await ends(process)


@pytest.mark.parametrize("state", ["works", "killed", "frozen"])
async def test_one_that_loads_its_model_ends(generate: Starting, nats: Nats, state: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    process = await generate(GENERATE_ENGINE="transformers", GENERATE_MODEL=str(tmp_path))
    await loading(process)
    await nats.becomes(state)
    await ends(process)


@pytest.mark.parametrize("state", ["works", "killed", "frozen"])
async def test_what_it_has_in_hand_is_answered_by_another_one(
    generate: Starting, nats: Nats, make_event, state: str
) -> None:
    process = await generate(GENERATE_ECHO_DELAY="100")
    await ready(process)
    event: Event = make_event(seconds=100)
    log = JetStreamLog(nats.js)
    await log.publish(Channel.REQUESTS, event)

    async def in_hand() -> bool:
        info = await nats.js.consumer_info(stream(Channel.REQUESTS), GENERATE_CONSUMER)
        return info.num_ack_pending == 1

    await until(in_hand)
    await nats.becomes(state)
    await ends(process)
    await nats.works_again()
    await ready(await generate())

    async def answered() -> bool:
        return await log.find(Channel.REPLIES, event.request_id) is not None

    await until(answered)
    reply = await log.find(Channel.REPLIES, event.request_id)
    assert reply
    assert isinstance(reply.data(), GenerationCompleted)
