"""`timokha business --check` as a process: Ctrl-C ends it, which is no success, and it leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mtproto")
from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.server import Sandbox
from tests.demos import ROOT


@pytest.mark.skipif(not HAS_BUSINESS, reason="pyrogram knows no business connections; kurigram does")
async def test_an_interrupted_check_fails_and_stores_nothing(tmp_path: Path) -> None:
    async with Sandbox() as telegram, asyncio.timeout(60):
        bot = telegram.add_user(first_name="Robot", username="robot", bot=True, business=True)
        key = tmp_path / "key.pem"
        key.write_text(telegram.public_key_pem)
        settings = {
            "API_ID": "1",
            "API_HASH": "hash",
            "BOT_TOKEN": bot.token,
            "USERBOT_TELEGRAM_SERVER": telegram.address,
            "USERBOT_TELEGRAM_KEY": str(key),
            "PYTHONPATH": str(ROOT),
        }
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "cli", "business", "--check"],
            cwd=tmp_path,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            while not (await process.stdout.readline()).startswith(b"now: connect @robot"):
                assert process.returncode is None
            process.send_signal(signal.SIGINT)
            last = (await process.stdout.read()).decode().splitlines()[-1]
            assert (await process.wait(), last.startswith("timokha: stopped before the last step")) == (1, True)
        finally:
            if process.returncode is None:
                process.kill()
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]  # noqa: ASYNC240 - a few names
