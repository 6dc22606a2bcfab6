"""`timokha record` and `timokha replay` do with what the shipped configuration lets the owner's tools do."""

import asyncio
from pathlib import Path
from random import Random

from cli import record as recording
from cli.replay import command as replaying
from cli.settings import RecordSettings, ReplaySettings
from events.jetstream.addresses import Access
from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.recordings.lines import read
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from functions.generate import app as generating
from functions.generate.settings import GenerateSettings
from observability.telemetry import noop_telemetry

RECORDING = Path(__file__).parent / "demo_echo.jsonl"


async def test_a_recording_is_replayed_and_recorded_as_the_user_tools(guarded_nats, tmp_path, capsys) -> None:
    def as_user(name: str) -> dict[str, str]:
        return {"nats_url": guarded_nats.server.url, "nats_user": name, "nats_password": guarded_nats.passwords[name]}

    access = Access(user="setup", password=GenerateSettings.read(**as_user("setup")).nats_password)
    async with connect(guarded_nats.server.url, name="setup", access=access) as js:
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all()
    stop, recorded = asyncio.Event(), tmp_path / "again.jsonl"
    settings = GenerateSettings.read(engine="echo", **as_user("generate"))
    serving = asyncio.create_task(generating.main(settings, noop_telemetry(), stop))
    async with asyncio.timeout(60):
        await replaying.main(ReplaySettings.read(file=RECORDING, **as_user("tools")), noop_telemetry(), asyncio.Event())
        await recording.main(RecordSettings.read(file=recorded, **as_user("tools")), None, asyncio.Event())
        stop.set()
        await serving
    assert "replies agree" in capsys.readouterr().out
    assert read(recorded) == []  # nothing of a replay stays
    assert "Violation" not in (guarded_nats.directory / "nats.log").read_text()
