"""The userbot is ready while it is signed in and connected to NATS and to Telegram, and alive whatever is away."""

import asyncio
from pathlib import Path

import pytest

from edge.userbot.telegram import session_file
from edge.userbot.telegram.session_file import SessionInUse
from events.health.reading import check_health
from tests.e2e.conftest import WAIT


async def becomes(file: str, wanted: str) -> None:
    async with asyncio.timeout(WAIT):
        while check_health(file, live=False) != wanted:
            assert check_health(file, live=True) == ""
            await asyncio.sleep(0.05)


async def test_readiness_goes_with_nats_and_with_telegram_and_comes_back(make_product, tmp_path) -> None:
    file = str(tmp_path / "health")
    product = await make_product(TIMOKHA_HEALTH_FILE=file)
    await becomes(file, "")
    with pytest.raises(SessionInUse):  # which a container that waits for a session looks for
        session_file.account_of(Path(product.settings["USERBOT_SESSION"]))
    await product.nats.kill()
    await becomes(file, "NATS is away")
    await product.nats.start()
    await becomes(file, "")
    await product.telegram.refuse_connections()
    await becomes(file, "Telegram is away")
    await product.telegram.accept_connections()
    await becomes(file, "")
