"""The shipped users of NATS: each may do its own work and nothing else, and hears at once why it may not."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError
from pydantic import SecretStr

from cli.demo.nats_server import EmbeddedServer
from events import subjects
from events.errors import TransportError, TransportUnreachable
from events.event import Event
from events.ids import RequestId
from events.jetstream.addresses import Access
from events.jetstream.client import NotPermitted
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.marks import JetStreamMarks
from events.jetstream.records import JetStreamRecords
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import FailureReason, FeedbackGiven, GenerationFailed
from events.transport import ANSWERING, Channel, Published
from tests.retrying import RETRYING
from tests.transports.flushing import flushed

SECOND = timedelta(seconds=1)
SHORT = 0.5
"""Seconds until a refused request is given up here; the processes wait longer."""

NOBODYS = [
    "$JS.API.STREAM.PURGE.REQUESTS",
    "$JS.API.STREAM.DELETE.REPLIES",
    "$JS.API.STREAM.DELETE.KV_chats",
    "$JS.API.STREAM.PURGE.KV_marks",
    "$JS.API.STREAM.PURGE.KV_telegram",
    "$JS.API.STREAM.UPDATE.REQUESTS",
    "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.CONSUMER.DELETE.REQUESTS.generate",
    "$JS.API.CONSUMER.DELETE.REPLIES.edge-rabbitmq",
    "$JS.API.CONSUMER.DURABLE.CREATE.REPLIES.edge-1",
    "$JS.API.CONSUMER.CREATE.REQUESTS",
    "$JS.API.CONSUMER.CREATE.REQUESTS.generate.timokha.requests.*.*.*.*",
    "$JS.API.CONSUMER.PAUSE.REQUESTS.generate",
    "$JS.API.CONSUMER.RESET.REQUESTS.generate",
    "$JS.API.CONSUMER.UNPIN.REQUESTS.generate",
    "$JS.API.STREAM.SNAPSHOT.KV_chats",
    "$JS.API.STREAM.RESTORE.KV_chats",
    "$JS.API.STREAM.LEADER.STEPDOWN.REQUESTS",
    "$JS.API.STREAM.NAMES",
    "$JS.API.ACCOUNT.PURGE.STORE",
    "$JS.API.META.LEADER.STEPDOWN",
    "$JS.API.SERVER.REMOVE",
    "$JS.FC.REPLIES.x",
    "$SYS.REQ.SERVER.PING",
    "$SYS.REQ.SERVER.PING.KICK",
    "$SYS.REQ.ACCOUNT.STORE.CONNZ",
    "$SYS.REQ.USER.INFO",
    "_INBOX_setup.victim",
]
"""What only the administrator's user may do, or nobody."""

THE_CONVERSATIONS = [
    "$JS.API.STREAM.INFO.KV_chats",
    "$JS.API.STREAM.MSG.GET.KV_chats",
    "$JS.API.DIRECT.GET.KV_chats.$KV.chats.1.2",
    "$JS.API.CONSUMER.CREATE.KV_chats",
    "$JS.API.CONSUMER.CREATE.KV_chats.mine.$KV.chats.>",
    "$JS.API.STREAM.INFO.KV_telegram",
    "$JS.API.STREAM.MSG.GET.KV_telegram",
    "$JS.API.STREAM.MSG.GET.KV_marks",
    "$JS.API.STREAM.MSG.DELETE.KV_marks",
    "$JS.API.STREAM.PURGE.KV_chats",
    "$JS.API.CONSUMER.DELETE.REPLIES.edge-1",
    "$KV.chats.1.2",
    "$KV.telegram.1",
    "$KV.marks.unfinished.1.2",
    "timokha.feedback.1.2.3.0.0123456789ab",
    "$JS.API.STREAM.INFO.FEEDBACK",
    "$JS.API.STREAM.MSG.GET.FEEDBACK",
    "$JS.API.STREAM.MSG.DELETE.FEEDBACK",
    "$JS.API.CONSUMER.CREATE.FEEDBACK.mine.timokha.feedback.>",
]

FORBIDDEN = {
    "userbot": [
        "timokha.replies.1.2.3.0",
        "timokha.deadletters.1.2.3.0",
        "timokha.requests.rabbitmq.2.3.0",
        "$JS.API.CONSUMER.MSG.NEXT.REQUESTS.generate",
        "$JS.API.CONSUMER.MSG.NEXT.REPLIES.edge-rabbitmq",
        "$JS.API.CONSUMER.CREATE.REPLIES.edge-rabbitmq.timokha.replies.1.*.*.*",
        "$JS.API.CONSUMER.CREATE.REPLIES.mine.timokha.replies.rabbitmq.*.*.*",
        "$JS.API.STREAM.MSG.DELETE.KV_chats",
        "$JS.API.STREAM.MSG.DELETE.KV_telegram",
        "$JS.ACK.REQUESTS.generate.1.1.1.1.0",
        "$JS.ACK.REPLIES.edge-rabbitmq.1.1.1.1.0",
        "$KV.bridge.1",
        "timokha.progress.1.2.3.0",
        "timokha.wake.1",
        "$JS.API.CONSUMER.CREATE.FEEDBACK.mine.timokha.feedback.>",
    ],
    "generate": [
        *THE_CONVERSATIONS,
        "timokha.requests.1.2.3.0",
        "$JS.API.STREAM.MSG.GET.REQUESTS",
        "$JS.API.STREAM.MSG.DELETE.REQUESTS",
        "$JS.API.CONSUMER.CREATE.REQUESTS",
        "$JS.API.CONSUMER.MSG.NEXT.REPLIES.edge-1",
        "$JS.ACK.REPLIES.edge-1.1.1.1.1.0",
        "$KV.bridge.1",
        "timokha.wake.1",
        "_R_.x",
    ],
    "bridge": [
        *THE_CONVERSATIONS,
        "timokha.requests.1.2.3.0",
        "$JS.API.STREAM.MSG.DELETE.REPLIES",
        "$JS.API.CONSUMER.MSG.NEXT.REPLIES.edge-1",
        "$JS.API.CONSUMER.CREATE.REPLIES.mine.timokha.replies.1.*.*.*",
        "$JS.ACK.REPLIES.edge-1.1.1.1.1.0",
        "timokha.progress.1.2.3.0",
        "timokha.wake.1",
        "_R_.x",
    ],
    "tools": [
        "timokha.replies.1.2.3.0",
        "timokha.deadletters.1.2.3.0",
        "timokha.requests.1.2.3.0",
        "timokha.progress.1.2.3.0",
        "timokha.feedback.1.2.3.0.0123456789ab",
        "$JS.API.STREAM.MSG.DELETE.FEEDBACK",
        "$KV.telegram.1",
        "$KV.bridge.1",
        "$JS.API.STREAM.MSG.DELETE.KV_chats",
        "$JS.API.STREAM.MSG.DELETE.KV_marks",
        "$JS.API.STREAM.PURGE.KV_chats",
        "$JS.API.CONSUMER.DELETE.REPLIES.edge-1",
        "$JS.API.STREAM.MSG.GET.KV_telegram",
        "$JS.API.STREAM.MSG.GET.KV_bridge",
        "$JS.API.CONSUMER.MSG.NEXT.REQUESTS.generate",
        "$JS.API.CONSUMER.CREATE.REPLIES.mine.timokha.replies.*.*.*.*",
        "$JS.API.CONSUMER.CREATE.DEADLETTERS.mine.timokha.deadletters.*.*.*.*",
        "$JS.ACK.REQUESTS.generate.1.1.1.1.0",
        "$JS.ACK.REPLIES.edge-1.1.1.1.1.0",
        "_R_.x",
    ],
    "setup": ["timokha.replies.1.2.3.0", "timokha.requests.1.2.3.0", "$KV.chats.1.2"],
}


@pytest.fixture
def as_user(guarded_nats):
    """`async with as_user(name, process=…) as js`"""

    @asynccontextmanager
    async def opened(name, process=None):
        access = Access(user=name, password=SecretStr(guarded_nats.passwords[name]))
        async with connect(guarded_nats.server.url, name=process or name, access=access) as js:
            yield js

    return opened


@pytest.fixture
async def set_up(as_user):
    async with as_user("setup") as js:
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all(["1", subjects.RABBITMQ_ACCOUNT])


@pytest.mark.parametrize("user", [user for user in FORBIDDEN if user != "setup"])
async def test_nobody_but_the_administrator_changes_streams(as_user, set_up, user):
    async with as_user(user, process="doctor" if user == "tools" else None) as js:
        await assert_refused(js, NOBODYS)
    async with as_user("setup") as js:
        assert {info.config.name for info in await js.streams_info()} == {
            *(subjects.stream(channel) for channel in Channel),
            *(f"KV_{bucket}" for bucket in subjects.BUCKETS),
        }


@pytest.mark.parametrize("user", FORBIDDEN)
async def test_a_user_is_refused_what_is_the_business_of_others(as_user, set_up, user):
    async with as_user(user, process="doctor" if user == "tools" else None) as js:
        await assert_refused(js, FORBIDDEN[user])


async def assert_refused(js, forbidden):
    async def refused(subject):
        with pytest.raises(NotPermitted, match="may not publish to"):
            await js._nc.request(subject, b"", timeout=SHORT)

    await asyncio.gather(*(refused(subject) for subject in forbidden))


@pytest.mark.parametrize("user", ["generate", "bridge"])
async def test_a_worker_can_not_read_what_people_wrote(as_user, set_up, user):
    heard = []

    async def hear(message):
        heard.append(message.subject)

    async with as_user(user) as worker, as_user("userbot") as edge:
        for subject in ("$KV.>", "$KV.chats.*.*", "timokha.requests.>", "_INBOX_userbot.>", ">"):
            await worker._nc.subscribe(subject, cb=hear)
        await flushed(worker)
        records = await JetStreamRecords.open(edge, subjects.CHATS_BUCKET, retrying=RETRYING)
        await records.save("1.2", b"secret", None)
        await records.save("1.policy", b"secret", None)
        assert (await records.load("1.2")).value == b"secret"
        await flushed(worker)
        hasty = worker._nc.jetstream(timeout=SHORT)
        with pytest.raises(TransportError, match="may not publish to"):
            await JetStreamRecords.open(hasty, subjects.CHATS_BUCKET, retrying=RETRYING)
        for direct in (False, True):
            with pytest.raises(NotPermitted):
                await hasty.get_msg("KV_chats", subject="$KV.chats.1.2", direct=direct)
        with pytest.raises(NotPermitted):
            await hasty.add_consumer("KV_chats", ConsumerConfig(name="mine", deliver_subject="_INBOX_generate.mine"))
    assert heard == []


async def test_the_edge_can_not_publish_a_reply(as_user, set_up):
    async with as_user("userbot") as js:
        reply = Event.of(
            GenerationFailed(request_id="1.2.3.0", reason=FailureReason.EMPTY), source="/test", time=datetime.now(UTC)
        )
        hasty = JetStreamLog(js._nc.jetstream(timeout=SHORT))
        for channel in (Channel.REPLIES, Channel.DEADLETTERS):
            with pytest.raises(TransportError, match=f"may not publish to timokha.{channel.value}.1.2.3.0; NATS_USER"):
                await hasty.publish(channel, reply)
            assert await hasty.find(channel, RequestId("1", "2", "3")) is None


async def test_the_edge_can_remove_what_is_stored_about_a_person_who_has_left(as_user, set_up):
    async with as_user("userbot", process="business") as js:
        topology = Topology(js, retrying=Retrying(SystemClock(), Random()))
        await topology.ensure_edge("7")
        records = await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=RETRYING)
        await records.remove("7.2", await records.save("7.2", b"secret", None))
        assert await records.load("7.2") is None
        for _ in range(2):
            await topology.drop_edge("7")
        with pytest.raises(NotFoundError):
            await js.consumer_info("REPLIES", "edge-7")
        await topology.ensure_edge("7")
        assert await js.consumer_info("REPLIES", "edge-7")


IMPORTED = {
    "userbot": {
        "timokha.requests.1.2.9.0",
        "timokha.requests.rabbitmq.2.9.0",
        "timokha.feedback.1.2.9.0.0123456789ab",
        "$KV.chats.9",
        "$KV.telegram.9",
        "$KV.marks.9",
    },
    "generate": {"timokha.replies.1.2.9.0", "timokha.deadletters.1.2.9.0"},
    "bridge": {
        "timokha.requests.rabbitmq.2.9.0",
        "timokha.replies.1.2.9.0",
        "timokha.deadletters.1.2.9.0",
        "$KV.bridge.9",
    },
    "tools": {"timokha.requests.1.2.9.0", "timokha.requests.rabbitmq.2.9.0", "$KV.chats.9", "$KV.marks.9"},
}
"""By user, what reaches a stream from its account, whatever the user may do."""


@pytest.mark.parametrize("user", IMPORTED)
async def test_an_account_reaches_little_even_without_limits_for_its_user(tmp_path, shipped_nats, user):
    passwords = shipped_nats.passwords()
    environment = shipped_nats.environment(passwords)
    shipped = shipped_nats.configured("nats.conf")

    def configured(port, store):
        before, after = shipped(port, store).split(f"user: {user}\n")
        head, users = before[: before.rindex("users: [")], before[before.rindex("users: [") + len("users: [") :]
        return f"{head}users: [{{ user: free, password: free }},{users}user: {user}\n{after}"

    async with (
        EmbeddedServer(tmp_path, configured=configured, environment=environment) as server,
        connect(server.url, name="setup", access=Access(user="setup", password=SecretStr(passwords["setup"]))) as js,
        connect(server.url, name="free", access=Access(user="free", password=SecretStr("free"))) as free,
    ):
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all(["1"])
        reached = set()
        for subject in set().union(*IMPORTED.values()):
            with suppress(NatsError):
                await free.publish(subject, timeout=SHORT)
                reached.add(subject)
    assert reached == IMPORTED[user]


async def test_a_question_goes_round_through_the_adapters(as_user, set_up, make_event):
    request_id = RequestId("7", "2", "3")
    async with as_user("userbot") as edge, as_user("generate") as worker:
        await Topology(edge, retrying=Retrying(SystemClock(), Random())).ensure_edge("7")
        assert await JetStreamLog(edge).publish(Channel.REQUESTS, make_event("7.2.3.0")) is Published.STORED
        await Topology(worker, retrying=Retrying(SystemClock(), Random())).ensure_streams(ANSWERING)
        taken = await taken_from(worker, Channel.REQUESTS, subjects.GENERATE_CONSUMER)
        reply = Event.of(
            GenerationFailed(request_id="7.2.3.0", reason=FailureReason.EMPTY), source="/test", time=datetime.now(UTC)
        )
        await JetStreamLog(worker).publish(Channel.REPLIES, reply)
        await taken.ack()
        heard = await taken_from(edge, Channel.REPLIES, subjects.edge_consumer("7"))
        assert heard.event.data().reason is FailureReason.EMPTY
        await heard.ack()
        vote = FeedbackGiven(request_id="7.2.3.0", reader="0123456789ab", vote=1)
        for _ in range(2):
            await JetStreamLog(edge).publish(Channel.FEEDBACK, Event.of(vote, source="/test", time=datetime.now(UTC)))
        assert await JetStreamLog(edge).erase_chat("7", "2", up_to=9) == 3
        assert await JetStreamLog(edge).find(Channel.REQUESTS, request_id) is None


async def test_who_changes_chat_records_keeps_the_index_of_those_that_have_something_to_do(as_user, set_up):
    async with as_user("tools", "deadletters") as js:
        version = await JetStreamMarks(js, subjects.MARKS_BUCKET).add("unfinished.7.2")
    async with as_user("userbot") as js:
        marks = JetStreamMarks(js, subjects.MARKS_BUCKET)
        assert await marks.version("unfinished.7.2") == version
        assert list(await marks.keys("unfinished.7.")) == ["unfinished.7.2"]
        await marks.drop("unfinished.7.2", version)
        assert not await marks.keys("unfinished.7.")


async def taken_from(js, channel, durable):
    subscription = await JetStreamSubscription.bind(js, channel, durable, random=Random())
    async with asyncio.timeout(20):
        while not (deliveries := await subscription.fetch(1, SECOND)):
            pass
    return deliveries[0]


async def test_a_consumer_that_this_user_may_not_use_is_no_silence(as_user, set_up):
    async with as_user("generate") as js:
        subscription = await JetStreamSubscription.bind(js, Channel.REPLIES, "edge-1", random=Random())
        with pytest.raises(TransportError, match=r"may not publish to \$JS.API.CONSUMER.MSG.NEXT.REPLIES"):
            await subscription.fetch(1, SECOND)


async def test_a_process_with_the_user_of_another_is_told_so(as_user, set_up):
    async with as_user("bridge", process="generate") as js:
        with pytest.raises(
            TransportError, match=r"may not subscribe to _INBOX_generate.>; NATS_USER and NATS_PASSWORD must"
        ):
            await Topology(js._nc.jetstream(timeout=SHORT), retrying=Retrying(SystemClock(), Random())).ensure_streams()


async def test_what_only_setup_may_make_is_asked_of_the_administrator(as_user):
    async with as_user("generate") as js:
        with pytest.raises(TransportError, match=r"STREAM.CREATE.REQUESTS; run `timokha setup`"):
            await Topology(js._nc.jetstream(timeout=SHORT), retrying=Retrying(SystemClock(), Random())).ensure_streams()


@pytest.mark.parametrize("access", [Access(), Access(user="generate", password=SecretStr("geheim"))])
async def test_a_wrong_or_missing_password_is_one_line_without_it(guarded_nats, access):
    with pytest.raises(TransportUnreachable, match="correct NATS_USER and NATS_PASSWORD") as refused:
        async with connect(guarded_nats.server.url, name="generate", access=access):
            pass
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("password", ["geheim", "ge@geheim"])
async def test_a_password_in_the_address_is_in_no_error(guarded_nats, password):
    url = guarded_nats.server.url.replace("//", f"//generate:{password}@")
    with pytest.raises(TransportUnreachable, match=r"nats://127\.0\.0\.1:\d+,nats://127\.0\.0\.1:1 ") as refused:
        async with connect(f"{url},nats://x:geheim@127.0.0.1:1", name="generate"):
            pass
    assert "geheim" not in str(refused.value)


async def test_a_connection_outlives_a_change_of_its_password(guarded_nats, as_user, set_up):
    config = guarded_nats.directory / "nats.conf"
    text = config.read_text()
    async with as_user("generate") as js:
        config.write_text(text.replace("$NATS_GENERATE_PASSWORD", "another"))
        os.kill(guarded_nats.server.pid, signal.SIGHUP)
        await until(lambda: not js._nc.is_connected)
        config.write_text(text)
        os.kill(guarded_nats.server.pid, signal.SIGHUP)
        await until(lambda: js._nc.is_connected)
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_streams(ANSWERING)


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - another process decides
            await asyncio.sleep(0.02)
