"""What every transport promises (events/transport.py), tested once against each that makes the promise."""

import asyncio
from datetime import timedelta

from events.transport import Channel, Delivery, Subscription

SECOND = timedelta(seconds=1)


async def fetch_one(subscription: Subscription, within: float = 10) -> Delivery:
    async with asyncio.timeout(within):
        while True:
            for delivery in await subscription.fetch(1, SECOND):
                return delivery


async def test_what_is_published_arrives_unchanged(transport, make_event) -> None:
    sent = make_event(text="ёж <:> 🦔", headers={"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"})
    await transport.publisher.publish(Channel.REQUESTS, sent)

    delivery = await fetch_one(await transport.subscribe())

    assert delivery.event == sent
    assert delivery.event.data() == sent.data()
    assert delivery.attempt == 1
    await delivery.ack()


async def test_a_delivery_knows_how_long_ago_its_event_was_published(transport, make_event) -> None:
    await transport.publisher.publish(Channel.REQUESTS, make_event())
    delivery = await fetch_one(await transport.subscribe())
    age = await delivery.age()
    await delivery.ack()
    # RabbitMQ tells it only of messages that expire: see test_rabbitmq.py.
    assert age is None or timedelta(0) <= age < timedelta(seconds=30)


async def test_an_acknowledged_delivery_never_comes_again(transport, make_event) -> None:
    await transport.publisher.publish(Channel.REQUESTS, make_event())
    subscription = await transport.subscribe()
    await (await fetch_one(subscription)).ack()

    assert list(await subscription.fetch(1, SECOND)) == []


async def test_an_unsettled_delivery_comes_again_with_the_next_attempt(transport, make_event) -> None:
    await transport.publisher.publish(Channel.REQUESTS, make_event())
    subscription = await transport.subscribe()
    await fetch_one(subscription)

    again = await fetch_one(subscription)

    assert again.attempt == 2
    await again.ack()


async def test_extending_keeps_a_delivery_past_its_lease(transport, make_event) -> None:
    await transport.publisher.publish(Channel.REQUESTS, make_event())
    subscription = await transport.subscribe()
    delivery = await fetch_one(subscription)

    for _ in range(4):
        assert list(await subscription.fetch(1, timedelta(seconds=0.25))) == []
        await delivery.extend()
    await delivery.ack()

    assert list(await subscription.fetch(1, SECOND)) == []


async def test_a_retried_delivery_comes_again_after_the_delay(transport, make_event) -> None:
    await transport.publisher.publish(Channel.REQUESTS, make_event())
    subscription = await transport.subscribe()
    await (await fetch_one(subscription)).retry(timedelta(seconds=0.5))

    assert list(await subscription.fetch(1, timedelta(seconds=0.1))) == []
    again = await fetch_one(subscription)
    assert again.attempt == 2
    await again.ack()


async def test_a_discarded_delivery_never_comes_again(transport, make_event) -> None:
    await transport.publisher.publish(Channel.REQUESTS, make_event())
    subscription = await transport.subscribe()
    await (await fetch_one(subscription)).discard()

    assert list(await subscription.fetch(1, SECOND)) == []


async def test_a_fetch_brings_no_more_than_asked_for(transport, make_event) -> None:
    for number in range(5):
        await transport.publisher.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
    subscription = await transport.subscribe()

    got: list[Delivery] = []
    while len(got) < 5:
        fetched = await subscription.fetch(2, SECOND)
        assert len(fetched) <= 2
        for delivery in fetched:
            await delivery.ack()
        got += fetched

    assert [delivery.event.subject for delivery in got] == [f"1.2.{number}.0" for number in range(5)]


async def test_two_receivers_share_one_load(transport, make_event) -> None:
    subscriptions = [await transport.subscribe(), await transport.subscribe()]
    for number in range(20):
        await transport.publisher.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))

    seen: list[str] = []

    async def receive(subscription: Subscription) -> None:
        while len(seen) < 20:
            for delivery in await subscription.fetch(1, timedelta(seconds=0.2)):
                await delivery.ack()
                seen.append(delivery.event.subject)

    async with asyncio.timeout(20):
        await asyncio.gather(*map(receive, subscriptions))
    assert sorted(seen) == sorted(f"1.2.{number}.0" for number in range(20))


async def test_an_event_of_a_quarter_megabyte_arrives_whole(transport, make_event) -> None:
    sent = make_event(text="я" * 125_000)
    await transport.publisher.publish(Channel.REQUESTS, sent)
    delivery = await fetch_one(await transport.subscribe())
    assert delivery.event.body == sent.body
    await delivery.ack()
