"""The subject under which JetStream has an event decides what it is about, whatever its envelope says."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from nats.js import JetStreamContext

from events import subjects
from events.errors import MalformedEvent
from events.event import AMQP_PREFIX, NATS_PREFIX, Event, from_headers, to_headers
from events.ids import RequestId
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.transport import Channel

PLACE = RequestId("1", "2", "3")


async def put(js: JetStreamContext, event: Event, **headers: str) -> None:
    """Publish as a stranger does: under a subject that the envelope does not name."""
    await js.publish(
        subjects.subject(Channel.REQUESTS, PLACE), event.body, headers={**to_headers(event, NATS_PREFIX), **headers}
    )


async def received(js: JetStreamContext) -> Event:
    subscription = await JetStreamSubscription.bind(js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=Random())
    [delivery] = await subscription.fetch(1, timedelta(seconds=1))
    return delivery.event


@pytest.mark.parametrize("claimed", ["1.2.4.0", "no id", "я", "x" * 300])
async def test_an_event_that_names_another_subject_is_malformed_where_it_is(js, make_event, claimed) -> None:
    await put(js, make_event(), **{"ce-subject": claimed})
    found = await JetStreamLog(js).find(Channel.REQUESTS, PLACE)
    for event in (found, await received(js)):
        assert event is not None
        assert event.subject == str(PLACE)
        with pytest.raises(MalformedEvent, match="subject that it came under"):
            event.data()


async def test_an_event_that_names_no_subject_is_about_its_place(js, make_event) -> None:
    event = make_event()
    await js.publish(subjects.subject(Channel.REQUESTS, PLACE), event.body, headers={"ce-type": event.type})
    assert (await received(js)).data() == event.data()


async def test_what_is_found_has_the_headers_that_a_subscription_brings(js, make_event) -> None:
    """nats-py's own look-up makes objects of values that are not ASCII."""
    await put(js, make_event(), **{"ce-time": "завтра", "timokha-detail": "не вышло"})
    found = await JetStreamLog(js).find(Channel.REQUESTS, PLACE)
    brought = await received(js)
    assert found is not None
    assert replace(found, time=brought.time) == brought
    assert abs(found.time - brought.time) <= timedelta(microseconds=1)  # nats-py rounds one of them
    assert found.headers == {"timokha-detail": "не вышло"}


@pytest.mark.parametrize("name", ["Nats-Expected-Last-Msg-Id", "Nats-Rollup", "nats-ttl", "Nats-Schedule"])
def test_orders_to_jetstream_are_no_headers_of_an_event(make_event, name) -> None:
    """It would refuse what is published with them, for ever."""
    sent = to_headers(make_event(headers={name: "1s", "own": "x"}), AMQP_PREFIX)
    assert from_headers(sent, b"", AMQP_PREFIX).headers == {"own": "x"}
