"""What is missing or wrong is said in one line."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path


async def userbot(directory: Path, **settings: str) -> tuple[int, str]:
    env = {**os.environ, **dict.fromkeys(("API_ID", "API_HASH", "BOT_TOKEN"), ""), "LOG_LEVEL": "error", **settings}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "cli", "userbot"],
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


async def test_a_userbot_without_credentials_says_so_in_one_line(tmp_path) -> None:
    code, said = await userbot(tmp_path)
    assert code == 2
    assert len(said.strip().splitlines()) == 1
    assert "API_ID is missing" in said
    assert "API_HASH is missing" in said


async def test_a_userbot_that_cant_reach_nats_says_so_in_one_line(tmp_path) -> None:
    given = {"API_ID": "1", "API_HASH": "x", "BOT_TOKEN": "1:x", "NATS_URL": "nats://127.0.0.1:1"}
    code, said = await userbot(tmp_path, **given)
    assert code == 1
    assert len(said.strip().splitlines()) == 1
    assert "NATS_URL" in said
