"""What NATS and JetStream refuse, as a person reads it: what happened and what to do, and soon."""

from random import Random

import pytest

from cli.demo.nats_server import EmbeddedServer
from events.errors import Conflict, TransportError
from events.event import Event
from events.faults import Fault
from events.ids import RequestId
from events.jetstream.configs import MIB, Retention
from events.jetstream.connection import connect
from events.jetstream.inspection import inspect
from events.jetstream.log import JetStreamLog
from events.jetstream.reading import StreamReader, stored_events
from events.jetstream.records import JetStreamRecords
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel, Published
from tests.retrying import RETRYING


class NoPatience(SystemClock):
    """Nothing that is told here may be found out by waiting."""

    async def sleep(self, duration) -> None:
        pytest.fail("asked again")


async def unheard(*_: object) -> None:
    pass


def ensured(js, retention: Retention | None = None) -> Topology:
    return Topology(js, retention or Retention(), retrying=Retrying(NoPatience(), Random(1)))


@pytest.fixture
def server(tmp_path):
    def made(text: str) -> EmbeddedServer:
        return EmbeddedServer(tmp_path, configured=lambda port, store: text.format(port=port, store=store))

    return made


async def test_a_server_without_jetstream_is_told_at_once(server):
    async with server('listen: "127.0.0.1:{port}"\n') as off, connect(off.url, name="test") as js:
        for look in (
            lambda: ensured(js).ensure_all(),
            lambda: inspect(js),
            lambda: stored_events(js, Channel.REQUESTS, ">", retrying=Retrying(NoPatience(), Random(1))),
            lambda: StreamReader.open(js, Channel.REPLIES, ">", clock=NoPatience()),
        ):
            with pytest.raises(TransportError, match="runs without JetStream; enable JetStream") as told:
                await look()
            assert told.value.fault is Fault.FATAL


async def test_a_recording_of_a_server_that_was_not_set_up_says_what_does(nats_server):
    async with connect(nats_server.url, name="test") as js:
        with pytest.raises(
            TransportError, match="stream REQUESTS could not be read: stream not found; run `timokha setup`"
        ):
            await stored_events(js, Channel.REQUESTS, ">", retrying=Retrying(NoPatience(), Random(1)))


async def test_an_account_without_jetstream_is_told_at_once(server):
    config = """listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{store}" }}
accounts {{ A {{ users: [{{user: a, password: a}}] }}, B {{ jetstream: enabled, users: [{{user: b, password: b}}] }} }}
"""
    async with server(config) as half, connect(half.url.replace("//", "//a:a@"), name="test") as js:
        with pytest.raises(TransportError, match="not enabled for account; enable JetStream"):
            await ensured(js).ensure_all()


async def test_a_small_store_asks_for_another_size_and_not_for_another_user(server):
    config = 'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{store}", max_file_store: 2MB }}\n'
    async with server(config) as small, connect(small.url, name="test") as js:
        with pytest.raises(TransportError, match=r"REQUESTS .* insufficient storage .* SETUP_MAX_BYTES") as told:
            await ensured(js).ensure_all()
        assert "NATS_USER" not in str(told.value)
        await js.create_key_value(bucket="chats")
        records = await JetStreamRecords.open(js, "chats", retrying=RETRYING)

        async def fill() -> None:
            for number in range(20):
                await records.save(f"1.{number}", b"x" * 500_000, None)

        with pytest.raises(TransportError, match="max_file_store"):
            await fill()


async def test_a_full_stream_asks_for_more_room(nats_server, make_event):
    async with connect(nats_server.url, name="test") as js:
        await ensured(js, Retention(max_bytes=MIB)).ensure_all()
        log = JetStreamLog(js)

        async def fill() -> None:
            for number in range(9):
                await log.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0", "x" * 200_000))

        with pytest.raises(TransportError, match="maximum bytes exceeded; raise SETUP_MAX_BYTES"):
            await fill()


@pytest.mark.parametrize(
    ("body", "headers"),
    [(3 * MIB, {}), (MIB - 300, {"a": "x" * 4000}), (10, {"a": "x" * 70_000}), (MIB - 100, {"ä": "ö" * 100})],
)
async def test_an_event_that_is_too_large_is_final_and_harms_only_itself(js, make_event, body, headers):
    log = JetStreamLog(js)
    event = make_event()
    large = Event(event.id, event.type, event.source, event.subject, event.time, b"x" * body, headers)
    with pytest.raises(TransportError) as refused:
        await log.publish(Channel.REQUESTS, large)
    assert refused.value.fault is Fault.FINAL
    assert js._nc.stats["reconnects"] == 0
    assert await log.publish(Channel.REQUESTS, event) is Published.STORED


async def test_a_lost_stream_is_no_stream_without_events(js, make_event):
    log = JetStreamLog(js)
    await log.publish(Channel.REQUESTS, make_event())
    await js.delete_stream("REQUESTS")
    for ask in (
        lambda: log.find(Channel.REQUESTS, RequestId("1", "2", "3")),
        lambda: log.erase(Channel.REQUESTS, RequestId("1", "2", "3")),
        lambda: log.erase_chat("1", "2", up_to=9),
        lambda: log.publish(Channel.REQUESTS, make_event()),
    ):
        with pytest.raises(TransportError):
            await ask()


async def test_a_lost_bucket_is_no_bucket_without_records(js):
    records = await JetStreamRecords.open(js, "chats", retrying=RETRYING)
    version = await records.save("1.2", b"a", None)
    await js.delete_stream("KV_chats")
    for ask in (
        lambda: records.load("1.2"),
        lambda: records.each("1.", unheard, retrying=Retrying(NoPatience(), Random())),
        lambda: records.save("1.2", b"b", version),
        lambda: records.save("1.3", b"b", None),
    ):
        with pytest.raises(TransportError):
            await ask()
    await ensured(js).ensure_all()
    assert await records.load("1.2") is None
    with pytest.raises(Conflict):
        await records.save("1.2", b"b", version)
    await records.save("1.2", b"b", None)


async def test_a_record_that_was_deleted_with_a_tool_is_none_and_can_be_made_again(js):
    records = await JetStreamRecords.open(js, "chats", retrying=RETRYING)
    await records.save("1.2", b"a", None)
    await (await js.key_value("chats")).delete("1.2")
    assert await records.load("1.2") is None
    await records.save("1.2", b"b", None)
    assert (await records.load("1.2")).value == b"b"
