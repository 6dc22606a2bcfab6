"""What is particular to asking a JetStream consumer ahead (events/jetstream/receiver.py)."""

import asyncio
from datetime import timedelta
from random import Random

import pytest
from structlog.testing import capture_logs

from events import subjects
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel

SECOND = timedelta(seconds=1)


@pytest.fixture
async def subscribe(js):
    async def bind() -> JetStreamSubscription:
        return await JetStreamSubscription.bind(js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=Random())

    return bind


@pytest.fixture
def publish(js, make_event):
    async def to_requests(number: int) -> None:
        await JetStreamLog(js).publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))

    return to_requests


async def fetched(subscription, limit: int, count: int) -> list:
    found: list = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += await subscription.fetch(limit, SECOND)
    return found


async def in_hand(js, count: int) -> None:
    """Until the server has given as many away."""
    async with asyncio.timeout(10):
        while (await js.consumer_info("REQUESTS", subjects.GENERATE_CONSUMER)).num_ack_pending != count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def asking(js) -> None:
    """Until the server holds a request."""
    async with asyncio.timeout(10):
        while not (await js.consumer_info("REQUESTS", subjects.GENERATE_CONSUMER)).num_waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_no_more_is_given_away_than_was_asked_for(js, subscribe, publish) -> None:
    for number in range(5):
        await publish(number)
    subscription = await subscribe()
    assert len(await fetched(subscription, 2, 2)) == 2
    await in_hand(js, 2)


async def test_a_second_message_of_a_request_waits_for_the_next_fetch(js, subscribe, publish) -> None:
    subscription = await subscribe()
    await publish(1)
    [first] = await fetched(subscription, 3, 1)
    await publish(2)
    await in_hand(js, 2)
    [second] = await subscription.fetch(3, SECOND)
    assert (first.event.subject, second.event.subject) == ("1.2.1.0", "1.2.2.0")


async def test_leaving_hands_back_at_once_what_was_on_its_way(js, subscribe, publish) -> None:
    leaving = await subscribe()
    await publish(1)
    [delivery] = await fetched(leaving, 3, 1)
    await delivery.ack()
    await publish(2)
    await in_hand(js, 1)
    assert await leaving.leave(last_attempt=2) == []
    async with asyncio.timeout(5):  # half of a lease
        [again] = await fetched(await subscribe(), 1, 1)
    assert (again.event.subject, again.attempt) == ("1.2.2.0", 2)


async def test_who_leaves_keeps_what_would_be_given_up_untried(js, subscribe, publish) -> None:
    leaving = await subscribe()
    await publish(1)
    [delivery] = await fetched(leaving, 3, 1)
    await delivery.ack()
    await publish(2)
    await in_hand(js, 1)
    [kept] = await leaving.leave(last_attempt=1)
    assert (kept.event.subject, kept.attempt) == ("1.2.2.0", 1)
    await kept.ack()
    await in_hand(js, 0)


async def test_who_has_left_is_given_nothing(js, subscribe, publish) -> None:
    leaving = await subscribe()
    assert await leaving.fetch(3, timedelta(seconds=0.1)) == []
    assert await leaving.leave(last_attempt=1) == []
    await publish(1)
    assert await leaving.fetch(3, SECOND) == []
    [delivery] = await fetched(await subscribe(), 1, 1)
    assert delivery.attempt == 1


async def test_what_lay_here_too_long_is_left_to_the_next(js, subscribe, publish, monkeypatch) -> None:
    monkeypatch.setattr("events.jetstream.receiver.MAX_WAIT", timedelta(0))
    subscription = await subscribe()
    await publish(1)
    await publish(2)
    assert await subscription.fetch(2, SECOND) == []
    await in_hand(js, 2)


async def test_a_request_that_died_with_the_server_is_made_again(nats_server, make_event) -> None:
    async with connect(nats_server.url, name="test") as js:
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all()
        subscription = await JetStreamSubscription.bind(
            js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=Random()
        )
        fetching = asyncio.create_task(fetched(subscription, 3, 1))
        await asking(js)
        await nats_server.kill()
        await nats_server.start()
        async with connect(nats_server.url, name="test") as again:
            await JetStreamLog(again).publish(Channel.REQUESTS, make_event())
        [delivery] = await fetching
        assert delivery.attempt == 1
        await delivery.ack()


async def test_a_consumer_that_is_gone_is_no_reason_to_spin(js, subscribe) -> None:
    await js.delete_consumer("REQUESTS", subjects.GENERATE_CONSUMER)
    subscription = await subscribe()
    before = js._nc.stats["out_msgs"]
    assert await subscription.fetch(2, SECOND) == []
    assert js._nc.stats["out_msgs"] - before < 10


async def test_a_consumer_that_comes_back_is_asked_again_and_its_absence_is_said_once(js, subscribe, publish) -> None:
    subscription = await subscribe()
    config = (await js.consumer_info("REQUESTS", subjects.GENERATE_CONSUMER)).config
    asked = asyncio.create_task(subscription.fetch(2, SECOND))
    await asking(js)
    with capture_logs() as logs:
        await js.delete_consumer("REQUESTS", subjects.GENERATE_CONSUMER)
        before = js._nc.stats["out_msgs"]
        assert await asked == []
        for _ in range(4):
            assert await subscription.fetch(2, SECOND) == []
        # Growing pauses: 0.25 s at first, 2 s in the end.
        assert js._nc.stats["out_msgs"] - before < 10
    said = [line["error"] for line in logs]
    assert len(said) == len({text.split()[0] for text in said}), "one line for each kind of refusal"
    await js.add_consumer("REQUESTS", config)
    await publish(1)
    [delivery] = await fetched(subscription, 2, 1)
    await delivery.ack()


async def test_an_outage_is_no_reason_for_many_log_lines_and_attempts(nats_server) -> None:
    async with connect(nats_server.url, name="test") as js:
        with capture_logs() as logs:
            await nats_server.kill()
            tries = js._nc._server_pool[0]
            async with asyncio.timeout(30):
                while tries.reconnects < 5:  # noqa: ASYNC110 - the client counts
                    await asyncio.sleep(0.02)
            assert js._nc.options["reconnect_time_wait"] > 1
            await nats_server.start()
            async with asyncio.timeout(30):
                while js._nc.options["reconnect_time_wait"] != 0.25:  # noqa: ASYNC110 - the client's own callback
                    await asyncio.sleep(0.02)
            assert js._nc.is_connected
    events = [(line["event"], line.get("error")) for line in logs]
    assert len(events) == len(set(events)) <= 6


@pytest.mark.parametrize("reply", ["somewhere", "$JS.ACK.", ""])
async def test_what_a_stranger_sends_to_our_inbox_is_no_delivery(js, subscribe, publish, reply) -> None:
    subscription = await subscribe()
    fetching = asyncio.create_task(fetched(subscription, 2, 1))
    await asking(js)
    pull = subscription._receiver
    await js._nc.publish(f"{pull._inbox}.{pull._number}", b"x", reply=reply)
    await publish(1)
    [delivery] = await fetching
    assert delivery.event.subject == "1.2.1.0"


async def test_a_fetch_on_a_closed_connection_is_no_reason_to_spin(nats_server) -> None:
    async with connect(nats_server.url, name="test") as js:
        subscription = await JetStreamSubscription.bind(js, Channel.REQUESTS, "generate", random=Random(1))
        await js._nc.close()
        with capture_logs() as logs:
            for _ in range(3):
                assert await subscription.fetch(2, timedelta(seconds=0.2)) == []
        assert len(logs) <= 1
