"""`timokha replay` ends in one line: when it is interrupted, and when NATS goes."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from cli.demo.nats_server import EmbeddedServer
from cli.demo.processes import CommandProcess
from events.subjects import stream
from events.transport import Channel

RECORDING = Path(__file__).parents[1] / "recordings/demo_echo.jsonl"
WITHIN = 40
"""Seconds until a test gives up."""


@pytest.fixture
async def replay(tmp_path: Path, nats_server: EmbeddedServer, js: JetStreamContext):
    """Has asked, and waits for answers that nobody gives."""
    settings = {"NATS_URL": nats_server.url, "REPLAY_FILE": str(RECORDING), "OTEL_SDK_DISABLED": "true"}
    process = CommandProcess("replay", tmp_path, settings)
    await process.start()
    async with asyncio.timeout(WITHIN):
        while not (await js.stream_info(stream(Channel.REQUESTS))).state.messages:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    yield process
    await process.kill()
    try:
        os.kill(nats_server.pid, signal.SIGCONT)
    except ProcessLookupError:
        await nats_server.start()


async def ended(process: CommandProcess) -> str:
    async with asyncio.timeout(WITHIN):
        assert "exit code 1" in str(await process.ended())
    said = process.log.read_text()
    assert "Traceback" not in said
    assert [line.startswith("timokha: ") for line in said.splitlines() if not line.startswith("{")] == [True]
    return said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_it_says_so_and_nothing_of_it_stays(
    replay: CommandProcess, js, number: signal.Signals
) -> None:
    assert replay.pid
    os.kill(replay.pid, number)
    assert "stopped before the last reply" in await ended(replay)
    assert (await js.stream_info(stream(Channel.REQUESTS))).state.messages == 0


@pytest.mark.parametrize("state", ["killed", "frozen"])
async def test_interrupted_while_nats_is_away_it_says_so(replay: CommandProcess, nats_server, state: str) -> None:
    assert replay.pid
    if state == "killed":
        await nats_server.kill()
    else:
        os.kill(nats_server.pid, signal.SIGSTOP)
    os.kill(replay.pid, signal.SIGINT)
    said = await ended(replay)
    assert "stopped before the last reply" in said
    assert "replay.not_erased" in said


async def test_without_nats_it_says_so(tmp_path: Path, nats_server: EmbeddedServer) -> None:
    await nats_server.kill()
    settings = {"NATS_URL": nats_server.url, "REPLAY_FILE": str(RECORDING), "OTEL_SDK_DISABLED": "true"}
    process = CommandProcess("replay", tmp_path, settings)
    await process.start()
    assert "could not be reached" in await ended(process)
