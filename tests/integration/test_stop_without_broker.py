"""SIGTERM ends a process in time although its broker is away: nobody has to kill it, and nothing waits for it."""

import asyncio
import os
import signal

import pytest

GRACE = "3"
WITHIN = 30
"""Seconds, several times what it takes: a process that waits for its broker would do so for ever."""


async def ends_at_sigterm(process) -> None:
    # Not `Process.stop`, which kills what does not end.
    os.kill(process.pid, signal.SIGTERM)
    async with asyncio.timeout(WITHIN):
        assert "exit code 0" in str(await process.ended())


@pytest.mark.parametrize("name", ["generate", "bridge"])
async def test_a_process_ends_while_rabbitmq_is_away(fragile_world, own_rabbitmq, wait_for_log, name) -> None:
    process = await fragile_world.start(
        name, GENERATE_TRIGGER="rabbitmq", GENERATE_GRACE=GRACE, BRIDGE_GRACE=GRACE, BRIDGE_DIRECTION="out"
    )
    await own_rabbitmq.kill()
    await wait_for_log(process, "rabbitmq.disconnected")
    await ends_at_sigterm(process)


@pytest.mark.parametrize("name", ["generate", "bridge"])
async def test_a_process_ends_while_nats_is_away(world, nats_server, wait_for_log, name) -> None:
    process = await world.start(name, GENERATE_GRACE=GRACE, BRIDGE_GRACE=GRACE)
    await nats_server.kill()
    try:
        await wait_for_log(process, "nats.disconnected")
        await ends_at_sigterm(process)
    finally:
        await nats_server.start()  # the world's own connection is closed after this
