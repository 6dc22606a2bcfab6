"""Calls at another data centre than the client's own, with a session that the server forgets, cuts off or keeps out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from pyrogram.raw import functions

from edge.business.telegram import centres as module
from edge.business.telegram.centres import CentreRefused, Centres, open_centres
from edge.sandbox.centres import OTHER
from edge.sandbox.server import Sandbox
from edge.userbot.telegram import pyrogram_repairs
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from tests.sandbox.business import Bot

PATIENCE = 20


class HastyClock(SystemClock):
    """This machine's time, but pauses are over at once."""

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(0.01)


@pytest.fixture
async def centres(robot: object, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Centres]:
    monkeypatch.setattr(module, "OPEN_TIMEOUT", timedelta(seconds=2))
    monkeypatch.setattr(module, "RECONNECT_TIMEOUT", timedelta(seconds=0.3))
    pyrogram_repairs.repair(Retrying(HastyClock(), Random(1)))
    async with asyncio.timeout(PATIENCE), open_centres(bot.client) as centres:
        yield centres
    pyrogram_repairs.repair(Retrying(SystemClock(), Random(1)))


def keys(telegram: Sandbox) -> list[int]:
    """The keys that were agreed on with the other data centre."""
    return list(telegram.state.data_centres.elsewhere)


def call(centres: Centres) -> Any:
    return centres.invoke(functions.updates.GetState(), OTHER)


async def until_answered(centres: Centres) -> None:
    """Call until the session has recovered, as the driver does."""
    while True:
        try:
            await call(centres)
        except (OSError, CentreRefused):
            await asyncio.sleep(0.01)
        else:
            return


async def test_a_cut_connection_is_made_again_with_the_same_key(telegram, bot, centres) -> None:
    await call(centres)
    telegram.drop_connections(bot.account.id)
    await until_answered(centres)
    assert len(keys(telegram)) == 1


async def test_a_sign_in_that_the_centre_has_forgotten_is_made_again(telegram, bot, centres) -> None:
    await call(centres)
    [key] = keys(telegram)
    del telegram.state.logins[key]
    with pytest.raises(CentreRefused):
        await call(centres)
    await call(centres)
    assert await bot.state()  # at its own centre it is signed in as before
    assert len(keys(telegram)) == 2


async def test_a_key_that_the_centre_has_forgotten_is_replaced(telegram, bot, centres) -> None:
    await call(centres)
    [key] = keys(telegram)
    del telegram.state.auth_keys[key]
    telegram.drop_connections(bot.account.id)
    await until_answered(centres)
    assert len(keys(telegram)) == 2


async def test_nothing_hangs_while_the_centre_can_not_be_reached(telegram, bot, centres) -> None:
    await telegram.refuse_connections()
    with pytest.raises(OSError):  # noqa: PT011 - any: a refused connection, or a time-out
        await call(centres)
    await telegram.accept_connections()
    await until_answered(centres)


async def test_no_session_is_left_behind(telegram, bot) -> None:
    async with open_centres(bot.client) as centres:
        await call(centres)
        connected = len(telegram._connections.tasks)
    await telegram.wait_for(lambda: len(telegram._connections.tasks) == connected - 1)
    assert await bot.state()
