"""A short storm: each kind of process is killed once under load."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


@pytest.mark.slow
@pytest.mark.timeout(340)
async def test_a_short_storm_loses_nothing_answers_nothing_twice_and_leaves_nobody_busy(tmp_path) -> None:
    output = tmp_path / "chaos.json"
    settings = {"CHAOS_SEED": "7", "CHAOS_KILLS": "6", "CHAOS_QUESTIONS": "60", "CHAOS_OUTPUT": str(output)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(RUN),
        env={**os.environ, **settings, "CHAOS_DIRECTORY": str(tmp_path / "world")},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(280):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            # In order: it has started others.
            process.send_signal(signal.SIGINT)
            await process.communicate()
    assert process.returncode == 0, said.decode()[-2000:]
    report = json.loads(output.read_text())
    outcomes = report["answered_once"] + report["failed_told"] + report["ignored_busy"]
    assert outcomes == report["questions"] == 60
    assert (report["lost"], report["answered_twice"], report["left_busy"]) == (0, 0, 0)
    assert report["answered_once"] >= 40
    assert sum(report["kills"].values()) == 6
