"""The owner's tools read streams without a consumer: whoever makes one chooses where the server delivers."""

import asyncio
from datetime import timedelta
from random import Random

import pytest

from cli.demo.nats_server import EmbeddedServer
from events import subjects
from events.errors import TransportError
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.reading import StreamReader, stored_events
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel
from tests.transports.simulated import simulated_nats

CONFIG = """listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{store}" }}
authorization {{ users: [
  {{ user: a, password: a }}
  {{ user: reader, password: a, permissions {{
     publish {{ deny: ["$JS.API.CONSUMER.>", "$JS.API.STREAM.CREATE.>", "$JS.ACK.>"] }} }} }}
] }}
"""
MOMENT = timedelta(0)


@pytest.fixture
async def server(nats_kind, tmp_path):
    """The simulated one has no users: whoever signs in may do everything."""
    real = EmbeddedServer(tmp_path, configured=lambda port, store: CONFIG.format(port=port, store=store))
    async with simulated_nats() if nats_kind == "simulated" else real as made:
        yield made


@pytest.fixture
async def writer(server):
    async with connect(server.url.replace("//", "//a:a@"), name="test") as js:
        await Topology(js, retrying=Retrying(SystemClock(), Random(1))).ensure_all()
        yield JetStreamLog(js)


@pytest.fixture
async def reader(server, writer):
    async with connect(server.url.replace("//", "//reader:a@"), name="test") as js:
        yield js


async def read(js, filter_subject=">"):
    found = await stored_events(js, Channel.REQUESTS, filter_subject, retrying=Retrying(SystemClock(), Random(1)))
    return [event.subject for _, event in found]


async def test_a_stream_is_read_in_the_order_in_which_it_was_written(reader, writer, make_event):
    wanted = [f"1.{chat}.{number}.0" for number in range(40) for chat in (2, 3)]
    for request_id in wanted:
        await writer.publish(Channel.REQUESTS, make_event(request_id))
    assert await read(reader) == wanted
    assert await read(reader, subjects.chat_subjects(Channel.REQUESTS, "1", "3")) == wanted[1::2]
    assert await read(reader, subjects.chat_subjects(Channel.REQUESTS, "1", "4")) == []


async def test_what_is_read_is_what_was_written_with_its_headers_and_time(reader, writer, make_event):
    event = make_event("1.2.3.0", "тест")
    await writer.publish(Channel.REQUESTS, event)
    [(since, found)] = await stored_events(reader, Channel.REQUESTS, ">", retrying=Retrying(SystemClock(), Random(1)))
    assert found == event
    assert abs(since - SystemClock().now()) < timedelta(minutes=1)


async def test_a_follower_gets_what_was_there_what_comes_and_nothing_twice(reader, writer, make_event):
    await writer.publish(Channel.REQUESTS, make_event("1.2.1.0"))
    follower = await StreamReader.open(
        reader, Channel.REQUESTS, subjects.chat_subjects(Channel.REQUESTS, "1", "2"), clock=SystemClock()
    )
    assert [one.event.subject for one in await follower.fetch(9, MOMENT)] == ["1.2.1.0"]
    assert await follower.fetch(9, MOMENT) == []
    waiting = asyncio.create_task(follower.fetch(9, timedelta(minutes=1)))
    await writer.publish(Channel.REQUESTS, make_event("1.3.2.0"))
    await writer.publish(Channel.REQUESTS, make_event("1.2.3.0"))
    async with asyncio.timeout(20):
        assert [one.event.subject for one in await waiting] == ["1.2.3.0"]


async def test_a_follower_takes_no_more_than_it_asks_for(reader, writer, make_event):
    for number in range(3):
        await writer.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
    follower = await StreamReader.open(reader, Channel.REQUESTS, ">", clock=SystemClock())
    assert [len(await follower.fetch(2, MOMENT)) for _ in range(3)] == [2, 1, 0]


async def test_a_follower_goes_on_after_the_server_was_away_and_ends_when_the_stream_is_gone(
    server, reader, writer, make_event
):
    await writer.publish(Channel.REQUESTS, make_event("1.2.1.0"))
    follower = await StreamReader.open(reader, Channel.REQUESTS, ">", clock=SystemClock())
    await server.kill()
    async with asyncio.timeout(20):
        while reader._nc.is_connected:  # noqa: ASYNC110 - another process decides
            await asyncio.sleep(0.02)
    assert await follower.fetch(1, MOMENT) == []
    await server.start()
    async with asyncio.timeout(20):
        while not (found := await follower.fetch(1, timedelta(seconds=1))):
            pass
    assert found[0].event.subject == "1.2.1.0"
    await writer._js.delete_stream("REQUESTS")
    with pytest.raises(TransportError, match="REQUESTS could not be followed: stream not found; run `timokha setup`"):
        await follower.fetch(1, MOMENT)
