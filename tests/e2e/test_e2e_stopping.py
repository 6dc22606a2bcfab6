"""The userbot's process ends when it is told to, at any moment, with exit code 0; without a session at once, with 1."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import BOT_TOO
from tests.listening import listens

LIMIT = 10
"""Seconds until a process that goes on counts as hanging; it takes less than 5."""
MOMENTS = [0.0, 0.1, 0.25, 0.5, 0.9]
"""Seconds."""
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see a signal's handler")


async def until_it_listens(pid: int) -> None:
    async with asyncio.timeout(30):
        while not listens(pid):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def terminated(product) -> str:
    """How the userbot ends on SIGTERM; what hangs is not waited for."""
    process = product.processes["userbot"]
    os.kill(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(LIMIT):
            return str(await process.ended())
    except TimeoutError:
        await process.kill()
        return f"alive after {LIMIT} s"


def orderly(how: str) -> bool:
    return "exit code 0" in how


async def starting(product, moments: list[float]) -> dict[float, str]:
    """How it ends by the moment of its start at which it is told to."""
    ends = {}
    for moment in moments:
        await product.start("userbot")
        await until_it_listens(product.processes["userbot"].pid)
        await asyncio.sleep(moment)
        ends[moment] = await terminated(product)
    return ends


async def asked(product, moments: list[float]) -> dict[float, str]:
    """How it ends so many seconds after 20 visitors have asked."""
    visitors, ends = [product.visitor() for _ in range(20)], {}
    for moment in moments:
        ready = product.log("userbot").count("userbot.ready")
        await product.start("userbot")
        await product.logged("userbot.ready", ready + 1)
        for visitor in visitors:
            product.says(visitor, f"Тимоха, вопрос {moment}")
        await asyncio.sleep(moment)
        ends[moment] = await terminated(product)
    return ends


async def test_it_ends_at_any_moment_of_its_start(make_product) -> None:
    product = await make_product()
    await terminated(product)
    ends = await starting(product, MOMENTS)
    assert all(map(orderly, ends.values())), ends


@pytest.mark.parametrize("bot", BOT_TOO)
async def test_it_ends_while_20_visitors_ask_and_the_next_start_answers_them(make_product, bot) -> None:
    product = await make_product(bot=bot, GENERATE_ECHO_DELAY="0.2")
    await terminated(product)
    ends = await asked(product, [0.02, 0.1, 0.35])
    assert all(map(orderly, ends.values())), ends
    visitor = product.visitor()
    await product.start("userbot")
    product.says(visitor, "Тимоха, ты тут?")
    await product.until(lambda: product.answers(visitor) == ["ты тут?"])


@pytest.mark.parametrize("gone", ["nats", "telegram"])
async def test_it_ends_while_a_server_is_away(make_product, gone) -> None:
    product = await make_product(GENERATE_ECHO_DELAY="0.2")
    for _ in range(20):
        product.says(product.visitor(), "Тимоха, вопрос")
    if gone == "nats":
        await product.nats.kill()
        await product.logged("nats.disconnected")
    else:
        await product.telegram.__aexit__(None, None, None)
        await product.logged("telegram.disconnected")
    assert orderly(end := await terminated(product)), end


async def test_a_revoked_session_ends_it_at_once_while_20_visitors_ask(make_product) -> None:
    product = await make_product(GENERATE_ECHO_DELAY="0.2")
    product.telegram.faults.refuse(product.owner.id, 401, "AUTH_KEY_UNREGISTERED", times=1000)
    for _ in range(20):
        product.says(product.visitor(), "Тимоха, вопрос")
    async with asyncio.timeout(LIMIT):
        end = str(await product.processes["userbot"].ended())
    assert "exit code 1: timokha: Telegram has ended the session" in end
    assert "Traceback" not in product.log("userbot")


@pytest.mark.slow
async def test_it_ends_at_very_many_moments(make_product) -> None:
    product = await make_product(GENERATE_ECHO_DELAY="0.2")
    await terminated(product)
    early = await starting(product, [number / 20 for number in range(30)])
    busy = await asked(product, [number / 50 for number in range(20)])
    assert all(map(orderly, early.values())), early
    assert all(map(orderly, busy.values())), busy
