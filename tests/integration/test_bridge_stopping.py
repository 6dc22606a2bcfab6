"""The bridge ends by itself when it is told to, at whatever moment, and whatever has become of its brokers."""

import asyncio
import os
import signal

import pytest

from cli.demo.nats_server import EmbeddedServer
from tests.listening import listens

GRACE = 1
WITHIN = GRACE + 5
"""Seconds, from the signal to the end."""

BOTH = {"BRIDGE_DIRECTION": "both", "BRIDGE_IN_QUEUE": "in", "BRIDGE_OUT_QUEUE": "out", "BRIDGE_GRACE": str(GRACE)}


async def ends(process) -> str:
    """By itself, with exit code 0, and without a traceback. Not `Process.stop`, which kills what does not end."""
    os.kill(process.pid, signal.SIGTERM)
    async with asyncio.timeout(WITHIN):
        assert "exit code 0" in str(await process.ended())
    log = process.log.read_text()
    assert "Traceback" not in log
    return log


def freeze(server) -> None:
    if isinstance(server, EmbeddedServer):
        os.kill(server.pid, signal.SIGSTOP)
    else:
        server.freeze()


def thaw(server) -> None:
    if isinstance(server, EmbeddedServer):
        os.kill(server.pid, signal.SIGCONT)
    else:
        server.thaw()


@pytest.mark.parametrize("after", [0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7])
async def test_the_bridge_ends_when_it_is_told_to_during_its_start(world, poll, after) -> None:
    process = await world.start("bridge", ready=False, **BOTH)
    await poll(lambda: asyncio.to_thread(listens, process.pid))
    await asyncio.sleep(after)
    await ends(process)


@pytest.mark.parametrize("codec", ["events", "original"])
async def test_the_bridge_ends_while_questions_are_under_way(world, codec) -> None:
    process = await world.bridge(**BOTH, BRIDGE_CODEC=codec)
    await world.edge.ask(range(20))
    await ends(process)


@pytest.mark.parametrize("gone", ["rabbitmq", "nats"])
@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_the_bridge_ends_while_a_broker_is_away(fragile_world, own_rabbitmq, wait_for_log, gone, how) -> None:
    process = await fragile_world.start("bridge", **BOTH)
    server = own_rabbitmq if gone == "rabbitmq" else fragile_world.nats
    if how == "kill":
        await server.kill()
        await wait_for_log(process, f"{gone}.disconnected")
    else:
        freeze(server)
    try:
        await ends(process)
    finally:
        if how == "freeze":
            thaw(server)
        elif gone == "nats":
            await server.start()  # the world's own connection is closed after this


@pytest.mark.parametrize("gone", ["rabbitmq", "nats"])
async def test_the_bridge_ends_when_a_broker_does_not_answer_its_start(world, gone) -> None:
    reached = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()
        writer.close()  # Python 3.12 waits for it

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        scheme = "amqp://guest:guest@" if gone == "rabbitmq" else "nats://"
        address = {f"{gone.upper()}_URL": f"{scheme}127.0.0.1:{port}"}
        process = await world.start("bridge", ready=False, **BOTH, **address)
        async with asyncio.timeout(60):
            await reached.wait()
        await ends(process)
