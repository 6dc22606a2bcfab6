"""NATS comes back with nothing in its store: a worker makes what it may and goes on, or it ends and says what to do."""

import asyncio
import shutil
from random import Random

import pytest
from pydantic import SecretStr

from cli.demo.processes import CommandProcess
from events.errors import TransportError
from events.ids import RequestId
from events.jetstream.addresses import Access
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel

SETTINGS = {"GENERATE_ENGINE": "echo", "OTEL_SDK_DISABLED": "true", "RABBITMQ_URL": ""}


@pytest.fixture
async def generate(tmp_path, wait_for_log):
    started = []

    async def start(**settings):
        process = CommandProcess("generate", tmp_path, {**SETTINGS, **settings})
        started.append(process)
        await process.start()
        await wait_for_log(process, "generate.ready")
        return process

    yield start
    for process in started:
        await process.kill()


async def empty(server, directory) -> None:
    await server.kill()
    await asyncio.to_thread(shutil.rmtree, directory / "store")
    await server.start()


@pytest.fixture
def answered(poll):
    async def wait(js, event) -> None:
        log = JetStreamLog(js)

        async def there():
            try:
                await log.publish(Channel.REQUESTS, event)
                return await log.find(Channel.REPLIES, RequestId.parse(event.subject)) is not None
            except TransportError:
                return False

        await poll(there, within=60)

    return wait


@pytest.mark.timeout(180)
async def test_a_worker_answers_again_after_its_store_was_emptied(
    nats_server, tmp_path, generate, answered, make_event
):
    process = await generate(NATS_URL=nats_server.url)
    async with connect(nats_server.url, name="test") as js:
        await answered(js, make_event("1.2.1.0"))
        await empty(nats_server, tmp_path / "nats")
        await answered(js, make_event("1.2.2.0"))
    assert process.pid is not None
    log = process.log.read_text()
    for made in ("stream REQUESTS", "stream REPLIES", "stream DEADLETTERS", "consumer generate on REQUESTS"):
        assert log.count(f"created {made}") == 1
    assert "Traceback" not in log


@pytest.mark.timeout(180)
async def test_a_worker_that_may_make_nothing_ends_and_says_what_does(guarded_nats, generate, said):
    def access(user):
        return Access(user=user, password=SecretStr(guarded_nats.passwords[user]))

    async with connect(guarded_nats.server.url, name="setup", access=access("setup")) as js:
        topology = Topology(js, retrying=Retrying(SystemClock(), Random(1)))
        await topology.ensure_all()
        process = await generate(
            NATS_URL=guarded_nats.server.url, NATS_USER="generate", NATS_PASSWORD=guarded_nats.passwords["generate"]
        )
        await empty(guarded_nats.server, guarded_nats.directory)

        async with asyncio.timeout(60):
            await process.ended()
    log = said(process).splitlines()
    assert log[-1].startswith("timokha: stream REQUESTS is missing and could not be created: this NATS user may not")
    assert "docker compose up -d" in log[-1]
    assert not [line for line in log if "Traceback" in line]
    assert len([line for line in log if "nats." in line or "topology." in line]) < 20


@pytest.mark.timeout(180)
async def test_the_bridge_and_its_workers_answer_again_after_the_store_was_emptied(world, said, tmp_path):
    bridge = await world.bridge()
    await world.worker("rabbitmq")
    await world.edge.answers(await world.edge.ask([1]))
    await empty(world.nats, tmp_path / "nats")
    # As the userbot does for itself.
    retrying = Retrying(SystemClock(), Random(1))
    async with connect(world.nats.url, name="test") as js:
        topology = Topology(js, retrying=retrying)
        await topology.ensure_streams()
        await topology.ensure_edge("1")
    await world.edge.answers(await world.edge.ask([2]), within=60)
    assert "Traceback" not in said(bridge)
    assert bridge.pid is not None
