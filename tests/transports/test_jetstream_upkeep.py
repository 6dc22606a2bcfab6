"""What has gone from JetStream while a process runs is made again, or the process says so and ends."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from cli.demo.nats_server import EmbeddedServer, embedded
from events import subjects
from events.errors import TransportError
from events.jetstream.addresses import Access
from events.jetstream.configs import MIB, Retention
from events.jetstream.connection import connect
from events.jetstream.core_nats import listen_for_events, listen_for_wakes, wake
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.jetstream.upkeep import connection_problem, keep_topology
from events.runtime.retrying import Retrying
from events.runtime.tasks import cancel
from events.transport import Channel
from tests.retrying import RETRYING
from tests.simulation.nats.server import NatsServer
from tests.transports.flushing import flushed

SECOND = timedelta(seconds=1)
EVERYTHING = {
    "REQUESTS",
    "REPLIES",
    "DEADLETTERS",
    "FEEDBACK",
    "KV_chats",
    "KV_telegram",
    "KV_marks",
    "KV_bridge",
    "REQUESTS/generate",
    "REPLIES/edge-1",
}
WITHOUT_JETSTREAM = 'listen: "127.0.0.1:{port}"\n'


class Hasty:
    """Time passes as fast as it is slept through."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, duration: timedelta) -> None:
        self.passed += duration.total_seconds()
        await asyncio.sleep(0.02)


class HoursLater(Hasty):
    def now(self) -> datetime:
        return super().now() + timedelta(hours=3)


class Kept:
    """A topology that is kept, with a stream and a consumer of each kind."""

    def __init__(self, js, retention: Retention | None = None) -> None:
        self.js, self.clock = js, Hasty()
        self.topology = Topology(js, retention or Retention(), retrying=Retrying(self.clock, Random(1)))
        self.remade = 0
        self.looks = 0
        self.keeping: asyncio.Task[None] | None = None

    async def ensure(self) -> None:
        await self.topology.ensure_all(accounts=["1"])
        self.looks += 1

    def count(self) -> None:
        self.remade += 1

    def keep(self) -> None:
        self.keeping = asyncio.create_task(
            keep_topology(self.topology, self.ensure, clock=self.clock, on_recreated=self.count)
        )

    async def looked(self) -> None:
        """A whole look, and one more."""
        wanted = self.looks + 2
        await until(lambda: self.looks >= wanted or (self.keeping and self.keeping.done()))


@asynccontextmanager
async def keeping(js, retention: Retention | None = None):
    kept = Kept(js, retention)
    await kept.ensure()
    kept.keep()
    try:
        yield kept
    finally:
        await cancel(kept.keeping)


async def there(js) -> set[str]:
    streams = {info.config.name for info in await js.streams_info()}
    consumers = {
        f"{stream}/{info.name}"
        for stream in streams & {"REQUESTS", "REPLIES"}
        for info in await js.consumers_info(stream)
    }
    return streams | consumers


async def delete(js, what: str) -> None:
    stream, _, consumer = what.partition("/")
    await (js.delete_consumer(stream, consumer) if consumer else js.delete_stream(stream))


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a server decides
            await asyncio.sleep(0.02)


async def empty(server: EmbeddedServer | NatsServer, directory) -> None:
    await server.kill()
    if isinstance(server, NatsServer):
        server.store.streams.clear()
    else:
        await asyncio.to_thread(shutil.rmtree, directory / "store")
    await server.start()


@pytest.fixture
def publish(make_event):
    async def to(js, channel: Channel, *numbers: int) -> None:
        for number in numbers:
            await JetStreamLog(js).publish(channel, make_event(f"1.2.{number}.0"))

    return to


async def heard(js, channel: Channel, consumer: str, count: int) -> list:
    subscription = await JetStreamSubscription.bind(js, channel, consumer, random=Random(1))
    found: list = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += await subscription.fetch(10, SECOND)
    return found


@pytest.mark.parametrize("what", sorted(EVERYTHING))
async def test_what_was_deleted_is_made_again_and_said_once(nats_server, what):
    async with connect(nats_server.url, name="test") as js, keeping(js) as kept:
        await kept.looked()
        with capture_logs() as logs:
            await delete(js, what)
            await kept.looked()
        assert await there(js) == EVERYTHING
        lost = {what} | {one for one in EVERYTHING if one.startswith(f"{what}/")}
        assert len([line for line in logs if line["event"] == "topology.remade"]) == len(lost)
        assert kept.remade == 1


async def test_an_emptied_store_is_filled_again_and_takes_questions(nats_server, tmp_path, publish):
    async with connect(nats_server.url, name="test") as js, keeping(js) as kept:
        subscription = await JetStreamSubscription.bind(
            js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=Random(1)
        )
        await empty(nats_server, tmp_path / "nats")
        await until(lambda: kept.remade)
        await kept.looked()
        assert await there(js) == EVERYTHING
        await publish(js, Channel.REQUESTS, 7)
        async with asyncio.timeout(30):
            while not (found := await subscription.fetch(1, SECOND)):
                pass
        assert found[0].event.subject == "1.2.7.0"


async def test_what_somebody_else_made_again_is_news_too(nats_server):
    async with connect(nats_server.url, name="test") as js, keeping(js) as kept:
        await kept.looked()
        await cancel(kept.keeping)
        await js.delete_stream("KV_telegram")
        await Topology(js, retrying=Retrying(Hasty(), Random(1))).ensure_all()
        kept.keep()
        await kept.looked()
        assert kept.remade == 1


async def test_wakeups_and_watches_outlive_an_emptied_store(nats_server, tmp_path, publish):
    woken, seen = [], []
    async with connect(nats_server.url, name="test") as js, keeping(js) as kept:
        async with listen_for_wakes(js, "1", woken.append), listen_for_events(js, Channel.REQUESTS, seen.append):
            await empty(nats_server, tmp_path / "nats")
            await until(lambda: kept.remade)
            assert await wake(js, "1", "2")
            await publish(js, Channel.REQUESTS, 7)
            await until(lambda: seen)
            await nats_server.kill()  # leaving neither waits for a server nor fails without one
        assert (woken, seen) == (["2"], ["1.2.7.0"])
        await nats_server.start()


async def test_a_hint_is_answered_nowhere_but_in_an_inbox(nats_server, js):
    """Otherwise its sender could have an empty message written anywhere, with the rights of the edge."""
    await Topology(js, retrying=Retrying(Hasty(), Random(1))).ensure_all()
    chats = await js.key_value("chats")
    await chats.put("1.2", b"{}")
    woken = []
    async with connect(nats_server.url, name="test") as edge, listen_for_wakes(edge, "1", woken.append):
        await flushed(edge)
        await js._nc.publish(subjects.wake("1"), b"2", reply="$KV.chats.1.2")
        await js._nc.publish(subjects.wake("1"), b"2")
        assert await wake(js, "1", "2")
    assert woken == ["2"] * 3
    assert (await chats.get("1.2")).value == b"{}"


async def test_streams_come_back_with_the_limits_that_they_had(nats_server):
    async with connect(nats_server.url, name="test") as js:
        chosen = Retention(max_age=timedelta(hours=1), max_bytes=2 * MIB)
        await Topology(js, chosen, retrying=Retrying(Hasty(), Random(1))).ensure_all()
        async with keeping(js) as kept:
            await kept.looked()
            await js.delete_stream("REQUESTS")
            await kept.looked()
            config = (await js.stream_info("REQUESTS")).config
        assert (config.max_age, config.max_bytes, config.max_msgs_per_subject) == (3600, 2 * MIB, 1)


async def test_a_consumer_that_is_made_again_goes_on_where_it_was(nats_server, publish):
    async with connect(nats_server.url, name="test") as js, keeping(js) as kept:
        await publish(js, Channel.REPLIES, 1, 2, 3)
        for delivery in await heard(js, Channel.REPLIES, "edge-1", 3):
            if delivery.event.subject != "1.2.3.0":
                await delivery.ack()
        await kept.looked()
        await js.delete_consumer("REPLIES", "edge-1")
        await kept.looked()
        await publish(js, Channel.REPLIES, 4)
        again = await heard(js, Channel.REPLIES, "edge-1", 2)
        assert [delivery.event.subject for delivery in again] == ["1.2.3.0", "1.2.4.0"]


async def test_a_bucket_that_was_made_again_says_so(nats_server):
    async with connect(nats_server.url, name="test") as js:
        topology = Topology(js, retrying=Retrying(Hasty(), Random(1)))
        await topology.ensure_buckets()
        records = await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=RETRYING)
        before = await records.created_at()
        await js.delete_key_value(subjects.CHATS_BUCKET)
        await topology.ensure_buckets()
        assert await records.created_at() > before


async def test_an_edge_consumer_that_this_process_never_saw_brings_no_old_replies(nats_server, publish):
    async with connect(nats_server.url, name="test") as js:
        await Topology(js, retrying=Retrying(Hasty(), Random(1))).ensure_all()
        await publish(js, Channel.REPLIES, 1, 2)
        await Topology(js, retrying=Retrying(HoursLater(), Random(1))).ensure_edge("1")
        assert (await js.consumer_info("REPLIES", "edge-1")).num_pending == 0


async def test_a_consumer_on_a_new_stream_begins_at_its_beginning(nats_server, publish):
    async with connect(nats_server.url, name="test") as js, keeping(js) as kept:
        await publish(js, Channel.REPLIES, 1, 2, 3)
        for delivery in await heard(js, Channel.REPLIES, "edge-1", 3):
            await delivery.ack()
        await kept.looked()
        await js.delete_stream("REPLIES")
        await kept.looked()
        await publish(js, Channel.REPLIES, 4)
        assert [one.event.subject for one in await heard(js, Channel.REPLIES, "edge-1", 1)] == ["1.2.4.0"]


async def test_outages_of_any_length_are_survived(nats_server):
    async with connect(nats_server.url, name="test") as js, keeping(js) as kept:
        await nats_server.kill()
        await until(lambda: not js._nc.is_connected)
        since = kept.clock.passed
        await until(lambda: kept.clock.passed > since + 200)
        assert not kept.keeping.done()
        await nats_server.start()
        await until(lambda: js._nc.is_connected)
        await kept.looked()
        assert not kept.keeping.done()
        assert kept.remade == 0
        assert connection_problem(kept.topology) == ""


async def test_a_process_that_may_not_make_what_is_missing_ends_and_says_what_to_do(guarded_nats):
    async def as_user(name):
        return Access(user=name, password=SecretStr(guarded_nats.passwords[name]))

    url = guarded_nats.server.url
    async with connect(url, name="setup", access=await as_user("setup")) as administrator:
        await Topology(administrator, retrying=Retrying(Hasty(), Random(1))).ensure_all()
        async with connect(url, name="generate", access=await as_user("generate")) as js:
            topology = Topology(js._nc.jetstream(timeout=0.5), retrying=Retrying(Hasty(), Random(1)))
            await administrator.delete_stream("REQUESTS")
            with pytest.raises(TransportError, match="stream REQUESTS is missing") as ended:
                await keep_topology(topology, topology.ensure_streams, clock=Hasty())
            assert connection_problem(topology) == str(ended.value)
    assert connection_problem(topology) == "NATS is away"
    assert "timokha setup" in str(ended.value)
    assert "docker compose up -d" in str(ended.value)
    assert "\n" not in str(ended.value)


@pytest.mark.parametrize("stream", ["REQUESTS", "KV_chats"])
@pytest.mark.parametrize("how", ["sealed", "no_ack"])
async def test_a_store_that_nothing_can_be_written_to_ends_the_process(nats_server, stream, how):
    async with connect(nats_server.url, name="test") as js, keeping(js) as kept:
        config = (await js.stream_info(stream)).config
        await js.update_stream(config.evolve(**{how: True}))
        assert kept.keeping
        with pytest.raises(TransportError, match=f"{how}=True"):
            async with asyncio.timeout(30):
                await asyncio.shield(kept.keeping)


async def test_a_server_that_comes_back_without_jetstream_ends_the_process(tmp_path):
    without = False

    def config(port, store):
        return WITHOUT_JETSTREAM.format(port=port) if without else embedded(port, store)

    async with (
        EmbeddedServer(tmp_path, configured=config) as server,
        connect(server.url, name="test") as js,
        keeping(js) as kept,
    ):
        without = True
        await server.kill()
        await server.start()
        with pytest.raises(TransportError, match="runs without JetStream"):
            await kept.keeping
