"""What RabbitMQ promises beyond the behaviour that all transports share."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aio_pika.tools import OneShotCallback
from pamqp import commands, decode, frame
from pydantic import SecretStr
from yarl import URL

from events.errors import SettingsError, TransportError, TransportUnreachable
from events.rabbitmq import topology
from events.rabbitmq.client import fix_client
from events.rabbitmq.connection import Broker, connect
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import ReceivedMessage, Receiver
from events.rabbitmq.sender import RabbitMQPublisher, Unroutable
from events.rabbitmq.subscription import RabbitMQSubscription
from events.runtime.clock import SystemClock
from events.transport import Channel
from tests.clocks import SteppedClock
from tests.rabbitmq_queues import close, delete_queues

SECOND = timedelta(seconds=1)


@pytest.fixture
async def broker(rabbitmq_url: str) -> AsyncIterator[Broker]:
    async with connect(SecretStr(rabbitmq_url), name="test", clock=SystemClock()) as broker:
        await topology.ensure(broker.consuming)
        yield broker


async def fetch_one(source):
    async with asyncio.timeout(15):
        while True:
            for one in await source.fetch(1, SECOND):
                return one


async def received_from(broker: Broker, queue: topology.Queue) -> ReceivedMessage:
    return await fetch_one(await Receiver.open(broker, queue))


async def test_a_message_for_a_queue_that_does_not_exist_is_refused_and_the_next_one_is_sent(broker) -> None:
    with pytest.raises(Unroutable, match="'nobody'"):
        await broker.sender.send("nobody", AmqpMessage(b"x"))
    await broker.sender.send(topology.REPLIES.name, AmqpMessage(b"y"))
    assert (await received_from(broker, topology.REPLIES)).message.body == b"y"


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=1), timedelta(hours=-1)], ids=str)
async def test_a_message_that_expires_is_not_older_than_that_whatever_the_clock_says(
    broker, rabbitmq_url, make_event, ahead
) -> None:
    message = AmqpMessage.of(make_event(), expires_in=timedelta(minutes=2))
    await broker.sender.send(topology.REQUESTS.name, message)
    async with connect(SecretStr(rabbitmq_url), name="test", clock=SteppedClock(ahead)) as other:
        delivery = await fetch_one(await RabbitMQSubscription.open(other, slots=1))
        age = await delivery.age()
        assert age is not None
        assert timedelta(0) <= age < timedelta(seconds=30)
        await delivery.ack()


async def test_a_connection_forgets_the_channels_that_were_closed_by_either_side(broker) -> None:
    await open_channels(broker, 1)
    before = observers_of(broker), callbacks_in_memory()
    await open_channels(broker, 20)
    assert (observers_of(broker), callbacks_in_memory()) == before


def observers_of(broker: Broker) -> int:
    """How many callbacks a connection has for its end."""
    return len(broker.consuming.transport.connection._closing._callbacks)


async def open_channels(broker: Broker, times: int) -> None:
    missing = topology.Queue("missing", passive=True)
    for _ in range(times):
        await topology.consumer_counts(broker.consuming, topology.REQUESTS)
        with pytest.raises(TransportError):
            async with topology.open_channel(broker.consuming) as channel:
                await topology.declare(channel, missing)  # the server closes the channel


def callbacks_in_memory() -> int:
    """Those that aio-pika calls when a channel or a connection has closed."""
    gc.collect()
    return sum(isinstance(one, OneShotCallback) for one in gc.get_objects())


async def test_what_a_closed_receiver_had_in_hand_comes_again_as_the_next_attempt(broker, make_event) -> None:
    await RabbitMQPublisher(broker.sender).publish(Channel.REQUESTS, make_event())
    first = await RabbitMQSubscription.open(broker, slots=1)
    assert (await fetch_one(first)).attempt == 1
    await close(first._receiver)

    again = await fetch_one(await RabbitMQSubscription.open(broker, slots=1))
    assert again.attempt == 2
    await again.ack()


async def test_attempts_are_counted_on_after_a_delayed_retry(broker, make_event) -> None:
    event = make_event(headers={"timokha-origin-reply-to": "q"})
    await RabbitMQPublisher(broker.sender).publish(Channel.REQUESTS, event)
    subscription = await RabbitMQSubscription.open(broker, slots=1, lease=timedelta(seconds=0.3))
    await (await fetch_one(subscription)).retry(timedelta(seconds=0.1))
    await fetch_one(subscription)  # the lease ends

    third = await fetch_one(subscription)
    assert (third.attempt, third.event) == (3, event)
    await third.ack()


async def test_a_stopped_subscription_hands_back_what_nobody_has_fetched(broker, make_event) -> None:
    publisher = RabbitMQPublisher(broker.sender)
    for number in range(2):
        await publisher.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
    stopping = await RabbitMQSubscription.open(broker, slots=2)
    in_hand = await fetch_one(stopping)
    assert await stopping.leave(last_attempt=2) == []

    other = await fetch_one(await RabbitMQSubscription.open(broker, slots=1))
    assert {in_hand.event.subject, other.event.subject} == {"1.2.0.0", "1.2.1.0"}
    await in_hand.ack()
    await other.ack()


async def test_a_stopped_subscription_keeps_what_would_be_given_up_untried(broker, make_event) -> None:
    publisher = RabbitMQPublisher(broker.sender)
    for number in range(2):
        await publisher.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
    stopping = await RabbitMQSubscription.open(broker, slots=2)
    in_hand = await fetch_one(stopping)
    [kept] = await stopping.leave(last_attempt=1)
    assert {in_hand.event.subject, kept.event.subject} == {"1.2.0.0", "1.2.1.0"}
    await in_hand.ack()
    await kept.ack()


async def test_a_request_that_outlives_its_deadline_is_a_dead_letter_that_says_so(broker, make_event) -> None:
    expiring = AmqpMessage.of(make_event(), expires_in=timedelta(seconds=0.1))
    await broker.sender.send(topology.REQUESTS.name, expiring)
    dead = await received_from(broker, topology.DEADLETTERS)
    assert (dead.message.death, dead.message.event()) == ("expired", expiring.event())


async def test_a_message_that_is_handed_back_once_more_than_its_queue_allows_is_a_dead_letter_that_says_so(
    broker,
) -> None:
    limited = replace(
        topology.requests_queue("limited"), arguments={**topology.REQUESTS.arguments, "x-delivery-limit": 2}
    )
    await delete_queues(broker.consuming, limited.name)
    receiver = await Receiver.open(broker, limited)
    await broker.sender.send(limited.name, AmqpMessage(b"x"))
    for attempts in range(3):
        received = await fetch_one(receiver)
        assert received.message.attempts == attempts
        await received.requeue()

    dead = await received_from(broker, topology.DEADLETTERS)
    assert (dead.message.body, dead.message.death) == (b"x", "delivery_limit")
    await close(receiver)
    await delete_queues(broker.consuming, limited.name)


async def test_the_queue_counts_one_consumer_for_each_slot(broker) -> None:
    await RabbitMQSubscription.open(broker, slots=3)
    assert await topology.consumer_counts(broker.consuming, topology.REQUESTS, topology.REPLIES) == [3, 0]


async def consumers(broker: Broker) -> int:
    return (await topology.consumer_counts(broker.consuming, topology.REQUESTS))[0]


async def test_the_next_request_is_at_hand_while_they_are_short_and_no_longer_when_one_was_long(
    broker, make_event
) -> None:
    for number in range(20):
        await RabbitMQPublisher(broker.sender).publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
    subscription = await RabbitMQSubscription.open(broker, slots=1)
    seen = Counter()

    async def handle(within: timedelta = timedelta(0)) -> None:
        delivery = await fetch_one(subscription)
        seen[delivery.event.subject] += 1
        await asyncio.sleep(within.total_seconds())
        await delivery.ack()

    async with asyncio.timeout(30):
        while await consumers(broker) != 2:
            await handle()
        await handle(SECOND)
        while await consumers(broker) != 1:
            await handle()
        while len(seen) < 20:
            await handle()
    assert set(seen.values()) == {1}


async def test_an_idle_worker_comes_before_the_spare_consumer_of_a_busy_one(broker, make_event) -> None:
    publisher = RabbitMQPublisher(broker.sender)
    busy = await RabbitMQSubscription.open(broker, slots=1)
    async with asyncio.timeout(30):
        number = 0
        while await consumers(broker) != 2:
            number += 1
            await publisher.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
            await (await fetch_one(busy)).ack()
    idle = await RabbitMQSubscription.open(broker, slots=1)
    for number in range(1000, 1002):
        await publisher.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
    assert {(await fetch_one(each)).event.subject for each in (busy, idle)} == {"1.2.1000.0", "1.2.1001.0"}
    assert await busy.fetch(1, timedelta(seconds=0.2)) == []


async def test_a_consumer_that_becomes_free_waits_behind_those_that_are_free_already(broker, make_event) -> None:
    publisher = RabbitMQPublisher(broker.sender)
    receiver = await Receiver.open(broker, topology.REQUESTS, consumers=3)

    async def taken(numbers: range) -> list[ReceivedMessage]:
        for number in numbers:
            await publisher.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
        return [await fetch_one(receiver) for _ in numbers]

    first = await taken(range(3))
    free = [first[2], first[0], first[1]]
    for each in free:
        await each.ack()
    assert [each._incoming.consumer_tag for each in await taken(range(3, 6))] == [
        each._incoming.consumer_tag for each in free
    ]


async def test_setting_up_twice_is_harmless_and_other_settings_are_told(broker) -> None:
    await topology.ensure(broker.consuming)
    async with topology.open_channel(broker.consuming) as channel:
        with pytest.raises(
            TransportError, match=r"'timokha.requests' with other settings \(its .+, ours is .+\); delete it"
        ):
            await topology.declare(channel, topology.original_queue(topology.REQUESTS.name))


async def test_a_broker_that_is_away_is_named_without_its_password() -> None:
    with pytest.raises(TransportUnreachable) as caught:
        async with connect(SecretStr("amqp://anna:geheim@127.0.0.1:1/vhost"), name="test", clock=SystemClock()):
            pass
    assert "127.0.0.1:1/vhost" in str(caught.value)
    assert "RABBITMQ_URL" in str(caught.value)
    assert "geheim" not in str(caught.value)


async def test_a_refused_password_is_told_as_such(rabbitmq_url) -> None:
    url = URL(rabbitmq_url).with_password("geheim")
    with pytest.raises(TransportUnreachable, match="refused the user or its password; correct RABBITMQ_URL"):
        async with connect(SecretStr(str(url)), name="test", clock=SystemClock()):
            pass


@pytest.mark.parametrize("url", ["", "nats://127.0.0.1", "amqp://", "amqp://[", "amqp://h:x/"])
async def test_what_is_no_amqp_address_is_a_bad_setting(url) -> None:
    with pytest.raises(SettingsError, match="RABBITMQ_URL"):
        async with connect(SecretStr(url), name="test", clock=SystemClock()):
            pass


@asynccontextmanager
async def refusing_transient_queues(port: int) -> AsyncIterator[int]:
    """A way to the broker on which it is a RabbitMQ that refuses: a non-durable queue ends the connection."""
    refusal = (
        "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\n"
        "Its use is not permitted per the configuration (overriding the default, which is permitted)"
    )

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer=None) -> None:
        while data := await reader.read(65536):
            if answer and b"rpc_queue" in data:
                answer.write(frame.marshal(commands.Connection.Close(541, refusal, 50, 10), 0))
                return
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(forward(reader, downstream, writer), forward(upstream, writer))
        except ConnectionError:
            pass
        finally:
            downstream.close()
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_broker_that_refuses_the_originals_queue_is_told_how_to_be_mended(rabbitmq_url) -> None:
    url = URL(rabbitmq_url)
    async with (
        refusing_transient_queues(url.port) as port,
        connect(SecretStr(str(url.with_port(port))), name="test", clock=SystemClock()) as broker,
    ):
        async with asyncio.timeout(20):
            with pytest.raises(TransportError, match=r"deprecated_features.permit.transient_nonexcl_queues = true"):
                await topology.adopt(broker.consuming, topology.original_queue("rpc_queue"))


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("shortstr", b"\x02\xff\xfe", (3, "\ufffd\ufffd")),
        ("table", b"\0\0\0\x03\x01\xffV", (7, {})),
        ("timestamp", b"\xff" * 8, (8, datetime.fromtimestamp(0, UTC))),
    ],
)
def test_a_property_that_can_not_be_read_does_not_break_the_connection(kind, value, read) -> None:
    fix_client()
    assert decode.by_type(value, kind) == read
