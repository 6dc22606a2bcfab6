"""What a seed may do to the simulated NATS server, as our adapters see it, in virtual time."""

import asyncio
from datetime import timedelta

import pytest

from events import subjects
from events.errors import TransportError
from events.faults import Fault
from events.ids import RequestId
from events.jetstream.configs import ACK_WAIT
from events.jetstream.connection import connect
from events.jetstream.marks import JetStreamMarks
from events.transport import Channel, Published
from tests.retrying import RETRYING
from tests.simulation.nats_stories import MAX_AGE, SECOND, Place, told


def test_a_confirmation_that_is_lost_leaves_what_was_published_stored(make_event) -> None:
    async def story(place: Place) -> None:
        place.server.faults.lose_confirmations("timokha.requests.")
        with pytest.raises(TransportError) as lost:
            await place.log.publish(Channel.REQUESTS, make_event())
        assert lost.value.fault is Fault.PASSING
        assert await place.log.publish(Channel.REQUESTS, make_event()) is Published.ALREADY_THERE
        assert await place.log.publish(Channel.REQUESTS, make_event("1.2.4.0")) is Published.STORED

    told(story)


def test_an_update_of_a_bucket_whose_answer_is_lost_is_done(make_event) -> None:
    async def story(place: Place) -> None:
        records = await place.records()
        place.server.faults.lose_confirmed_update(subjects.CHATS_BUCKET)
        with pytest.raises(TransportError):
            await records.save("1.2", b"a", None)
        found = await records.load("1.2")
        assert found
        assert found.value == b"a"

    told(story)


def test_without_a_leader_requests_are_refused_for_a_while() -> None:
    async def story(place: Place) -> None:
        records = await place.records()
        place.server.faults.without_leader = 2
        with pytest.raises(TransportError, match="JetStream system temporarily unavailable") as refused:
            await records.load("1.2")
        assert refused.value.fault is Fault.PASSING
        await place.topology.ensure_all()

    told(story)


def test_a_process_that_starts_without_a_leader_waits_for_its_buckets() -> None:
    async def story(place: Place) -> None:
        place.server.faults.without_leader = 2
        await place.records()
        place.server.faults.without_leader = 2
        await JetStreamMarks.open(place.js, subjects.MARKS_BUCKET, retrying=RETRYING)

    told(story)


def test_an_acknowledgement_that_is_forgotten_brings_the_message_again(make_event) -> None:
    async def story(place: Place) -> None:
        await place.log.publish(Channel.REQUESTS, make_event())
        subscription = await place.subscribe()
        place.server.faults.forgotten_acks = 1
        await (await place.fetch(subscription)).ack()
        again = await place.fetch(subscription)
        assert again.attempt == 2
        await again.ack()
        assert not await subscription.fetch(1, ACK_WAIT * 2)

    told(story)


def test_only_the_connection_of_the_client_that_is_named_is_cut() -> None:
    async def story(place: Place) -> None:
        async with connect(place.server.url, name="other") as other:
            place.server.cut("other")
            for client, cut in ((other, 1), (place.js, 0)):
                await asyncio.sleep(5)
                await client.account_info()
                assert client._nc.stats["reconnects"] == cut

    told(story)


def test_a_server_that_refuses_connections_takes_them_again_after_the_time() -> None:
    async def story(place: Place) -> None:
        place.server.refuse(30)
        with pytest.raises(TransportError, match="could not be reached"):
            async with connect(place.server.url, name="other"):
                pass
        await place.js.account_info()  # those that are there stay
        await asyncio.sleep(30)
        async with connect(place.server.url, name="other"):
            pass

    told(story)


def test_a_frozen_server_answers_after_the_thaw_what_was_asked_meanwhile(make_event) -> None:
    async def story(place: Place) -> None:
        place.server.freeze()
        publishing = asyncio.create_task(place.log.publish(Channel.REQUESTS, make_event()))
        await asyncio.sleep(3)
        assert not publishing.done()
        place.server.thaw()
        assert await publishing is Published.STORED

    told(story)


def test_a_server_frozen_for_long_is_left_and_found_again() -> None:
    async def story(place: Place) -> None:
        place.server.freeze()
        await asyncio.sleep(60)
        assert not place.js._nc.is_connected
        place.server.thaw()
        await asyncio.sleep(5)
        await place.js.account_info()

    told(story)


def test_a_killed_server_keeps_what_it_has_confirmed_and_loses_no_delivery(make_event) -> None:
    async def story(place: Place) -> None:
        for number in (3, 4):
            await place.log.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
        subscription = await place.subscribe()
        await (await place.fetch(subscription)).ack()
        lost = await place.fetch(subscription)
        await place.server.kill()
        await asyncio.sleep(1)
        await place.server.start()
        again = await place.fetch(subscription)
        assert (again.event.subject, again.attempt) == (lost.event.subject, 2)
        assert await place.log.publish(Channel.REQUESTS, make_event()) is Published.ALREADY_THERE

    told(story)


def test_what_a_frozen_server_was_asked_dies_with_it(make_event) -> None:
    async def story(place: Place) -> None:
        place.server.freeze()
        publishing = asyncio.create_task(place.log.publish(Channel.REQUESTS, make_event()))
        await asyncio.sleep(1)
        await place.server.kill()
        await place.server.start()
        with pytest.raises(TransportError):
            await publishing
        assert await place.log.find(Channel.REQUESTS, RequestId("1", "2", "3")) is None

    told(story)


def test_an_emptied_server_and_a_deleted_stream_are_set_up_anew(make_event) -> None:
    async def story(place: Place) -> None:
        topology = place.topology
        await topology.ensure_all()
        place.server.delete_stream("KV_chats")
        await topology.ensure_all()
        assert topology.changes == ["created bucket chats"]
        await place.server.empty()
        await asyncio.sleep(3)
        with pytest.raises(TransportError):
            await place.log.find(Channel.REQUESTS, RequestId("1", "2", "3"))
        await topology.ensure_all()
        assert len(topology.changes) == 1 + 4 + 1 + 4, "streams, a consumer, buckets"

    told(story)


def test_what_is_made_without_an_answer_is_found_when_it_is_looked_for() -> None:
    async def story(place: Place) -> None:
        topology = place.topology
        await topology.ensure_all()
        place.server.delete_stream("REPLIES")
        place.server.faults.lose_answers("STREAM.CREATE.REPLIES")
        topology.patience = timedelta(0)
        await topology.ensure_streams()
        assert topology.changes == []
        assert await place.js.stream_info("REPLIES")

    told(story)


def test_what_is_no_delivery_is_left_out_and_others_come(make_event) -> None:
    async def story(place: Place) -> None:
        subscription = await place.subscribe()
        fetching = asyncio.create_task(subscription.fetch(2, SECOND))
        await asyncio.sleep(0.1)
        place.server.send_junk()
        assert await fetching == []
        await place.log.publish(Channel.REQUESTS, make_event())
        assert (await place.fetch(subscription)).event.subject == make_event().subject

    told(story)


def test_delayed_deliveries_keep_their_order(make_event) -> None:
    async def story(place: Place) -> None:
        place.server.faults.delay = 2.0
        begun = asyncio.get_running_loop().time()
        for number in range(5):
            await place.log.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
        subscription = await place.subscribe()
        found = [await place.fetch(subscription) for _ in range(5)]
        assert [one.event.subject for one in found] == [f"1.2.{number}.0" for number in range(5)]
        assert asyncio.get_running_loop().time() > begun + 1

    told(story)


def test_leases_and_ages_end_in_virtual_time(make_event) -> None:
    async def story(place: Place) -> None:
        loop = asyncio.get_running_loop()
        await place.log.publish(Channel.REQUESTS, make_event())
        subscription = await place.subscribe()
        await place.fetch(subscription)
        begun = loop.time()
        assert (await place.fetch(subscription)).attempt == 2
        assert ACK_WAIT.total_seconds() - 1 <= loop.time() - begun <= ACK_WAIT.total_seconds() + 1
        await asyncio.sleep(MAX_AGE.total_seconds())
        assert await place.log.find(Channel.REQUESTS, RequestId("1", "2", "3")) is None

    told(story)


def test_a_seed_replays(make_event) -> None:
    async def story(place: Place) -> None:
        place.server.faults.delay = 1.0
        event = make_event()
        await place.log.publish(Channel.REQUESTS, event)
        place.server.cut()
        await (await place.fetch(await place.subscribe())).ack()

    assert told(story, 7) == told(story, 7) != told(story, 8)
