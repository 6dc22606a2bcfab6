"""The disk of NATS fills up: every process and the doctor say what to do, and a restart with room is enough."""

import os
from pathlib import Path
from random import Random

import pytest

from cli.demo.nats_server import EmbeddedServer, embedded
from cli.doctor.findings import Level
from cli.doctor.nats import examine_nats
from events.errors import TransportError
from events.faults import Fault
from events.jetstream.connection import connect
from events.jetstream.faults import translate_errors
from events.jetstream.topology import Topology
from events.jetstream.unconfirmed import ADVICE
from events.jetstream.upkeep import connection_problem
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.settings import ProcessSettings
from tests.disks import fill, small_disk

QUICKLY = 0.5
"""Seconds to wait for a confirmation that does not come."""
RESERVED = ("sync_interval: always", "sync_interval: always\n  max_file_store: 8GB")
"""As a server has it whose disk was large when it started: other files fill it."""


def on_a_large_disk(port: int, store: Path) -> str:
    return embedded(port, store).replace(*RESERVED)


async def store(js, count: int = 1) -> None:
    with translate_errors("not stored"):
        for number in range(count):
            await js.publish(f"$KV.chats.1.{number}", os.urandom(2048), timeout=QUICKLY)


async def wrong(server) -> list[str]:
    return [
        finding.text
        for finding in await examine_nats(ProcessSettings.read(nats_url=server.url), SystemClock())
        if finding.level is Level.WRONG
    ]


async def test_a_full_disk_is_named_by_the_processes_and_the_doctor_until_nats_is_restarted_with_room(tmp_path):
    place = tmp_path / "nats/store"
    with small_disk(place, "24m"):
        server = EmbeddedServer(tmp_path / "nats", configured=on_a_large_disk)
        async with server, connect(server.url, name="test") as js:
            topology = Topology(js, retrying=Retrying(SystemClock(), Random(1)))
            await topology.ensure_all()
            filling = fill(place)
            with pytest.raises(TransportError, match="no confirmation in time; if that lasts") as raised:
                await store(js, 100)
            assert raised.value.fault is Fault.PASSING
            assert connection_problem(topology) == f"NATS does not confirm what is published to $KV.chats: {ADVICE}"
            [line] = await wrong(server)
            assert line.startswith("bucket chats takes nothing in, nats-server can't write to its files (")
            assert "no space left on device" in line
            filling.unlink()
            assert await wrong(server) == [line]  # NATS tries no more
            await server.stop()
            await server.start()
            async with connect(server.url, name="again") as again:
                await store(again)
            assert await wrong(server) == []
            await store(js)
            assert connection_problem(topology) == ""
