"""Files of NATS are damaged between two starts: a running userbot goes on with its work, the doctor names the rest."""

from random import Random

import pytest

from cli.doctor.findings import Level
from cli.doctor.nats import examine_nats
from edge.userbot.chat.record import ChatRecord, Notice
from edge.userbot.storage.chats import open_chats
from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.settings import ProcessSettings
from tests.disks import cut_off, flip_bit, garble_end, newest_block

RETRYING = Retrying(SystemClock(), Random(1))
DAMAGES = {
    "a torn end": lambda block: cut_off(block, 40),
    "zeros at the end": lambda block: garble_end(block, 300),
    "a flipped bit": lambda block: flip_bit(block, 0.5),
}


def asked(number: int):
    """A transition: the chat has something to do."""
    return lambda record: record.model_copy(update={"notices": (Notice(message_id=number, text="…"),)})


def done(record: ChatRecord) -> ChatRecord:
    return record.model_copy(update={"notices": ()})


async def wrong(server) -> list[str]:
    return [
        finding.text
        for finding in await examine_nats(ProcessSettings.read(nats_url=server.url), SystemClock())
        if finding.level is Level.WRONG
    ]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_a_running_userbot_works_on_outlives_a_damaged_block(nats_server, tmp_path, damage):
    async with connect(nats_server.url, name="test") as js:
        topology = Topology(js, retrying=RETRYING)
        await topology.ensure_all()
        chats = await open_chats(js, "1", retrying=RETRYING)
        for number in range(2, 12):
            await chats.change(str(number), asked(number))
        await chats.change("11", done)
        await topology.ensure_buckets()
        await nats_server.kill()
        DAMAGES[damage](newest_block(tmp_path / "nats/store", "KV_chats"))
        await nats_server.start()

        [line] = await wrong(nats_server)
        assert line.startswith("bucket chats: nats-server found a file damaged when it started, and dropped ")
        await topology.ensure_buckets()
        assert list(topology.damaged) == ["bucket chats"]
        await chats.restore_lost()
        started_now = await open_chats(js, "1", retrying=RETRYING)
        for number in range(2, 11):
            record = await started_now.load(str(number))
            assert [notice.message_id for notice in record.notices] == [number]
        # A clean restart: nothing more is lost, and the line is gone.
        await nats_server.stop()
        await nats_server.start()
        assert await wrong(nats_server) == []
        assert set(await started_now.index.chats()) >= {str(number) for number in range(2, 11)}
