"""What every log promises: one event a request id and channel (of feedback one a reader), found and erased by it."""

from datetime import UTC, datetime

import pytest

from events.errors import MalformedEvent
from events.event import Event
from events.ids import RequestId
from events.schema import FeedbackGiven
from events.transport import Channel, Published

READER, OTHER = "0123456789ab", "ba9876543210"


def vote_event(request_id: str = "1.2.3.0", vote: int = 1, reader: str = READER) -> Event:
    data = FeedbackGiven(request_id=request_id, reader=reader, vote=vote)
    return Event.of(data, source="/test", time=datetime.now(UTC))


@pytest.fixture
def event_in(make_event):
    """Make an event of a request that belongs into a channel."""

    def make(channel: Channel, request_id: str) -> Event:
        return vote_event(request_id) if channel is Channel.FEEDBACK else make_event(request_id)

    return make


async def test_a_second_event_of_the_same_request_is_recognised(log, make_event) -> None:
    assert await log.publish(Channel.REQUESTS, make_event(text="first")) is Published.STORED
    assert await log.publish(Channel.REQUESTS, make_event(text="second")) is Published.ALREADY_THERE

    found = await log.find(Channel.REQUESTS, RequestId("1", "2", "3"))
    assert found is not None
    assert found.data().turns[0].text == "first"


async def test_channels_and_revisions_are_separate(log, make_event) -> None:
    assert await log.publish(Channel.REQUESTS, make_event()) is Published.STORED
    assert await log.publish(Channel.DEADLETTERS, make_event()) is Published.STORED
    assert await log.publish(Channel.REQUESTS, make_event("1.2.3.1")) is Published.STORED


async def test_what_was_never_published_is_not_found(log) -> None:
    assert await log.find(Channel.REPLIES, RequestId("1", "2", "9")) is None


async def test_an_erased_event_is_gone_and_erasing_twice_is_harmless(log, make_event) -> None:
    await log.publish(Channel.REQUESTS, make_event())
    for _ in range(2):
        await log.erase(Channel.REQUESTS, RequestId("1", "2", "3"))
    assert await log.find(Channel.REQUESTS, RequestId("1", "2", "3")) is None


async def test_erasing_a_chat_takes_all_its_channels_and_nothing_else(log, event_in) -> None:
    for channel in Channel:
        await log.publish(channel, event_in(channel, "1.2.3.0"))
        await log.publish(channel, event_in(channel, "1.-2.3.0"))
    await log.publish(Channel.REQUESTS, event_in(Channel.REQUESTS, "1.2.4.0"))

    assert await log.erase_chat("1", "2", up_to=100) == 5

    assert await log.find(Channel.REQUESTS, RequestId("1", "2", "4")) is None
    for channel in Channel:
        assert await log.find(channel, RequestId("1", "-2", "3")) is not None


async def test_erasing_an_account_takes_all_its_chats_and_channels_and_no_other_account(log, event_in) -> None:
    for channel in Channel:
        await log.publish(channel, event_in(channel, "1.2.3.0"))
        await log.publish(channel, event_in(channel, "1.-2.30.0"))
        await log.publish(channel, event_in(channel, "11.2.3.0"))

    assert await log.erase_account("1") == 8
    assert await log.erase_account("1") == 0

    for channel in Channel:
        assert await log.find(channel, RequestId("1", "2", "3")) is None
        assert await log.find(channel, RequestId("11", "2", "3")) is not None


async def test_the_newest_vote_of_a_reader_replaces_those_before_and_no_other_readers(log) -> None:
    for event in (vote_event(vote=1), vote_event(vote=-1), vote_event(vote=-1), vote_event(vote=1, reader=OTHER)):
        assert await log.publish(Channel.FEEDBACK, event) is Published.STORED

    newest = await log.find(Channel.FEEDBACK, RequestId("1", "2", "3"))
    assert newest is not None
    assert (newest.data().reader, newest.data().vote) == (OTHER, 1)
    assert await log.erase_chat("1", "2", up_to=2) == 0
    assert await log.erase_chat("1", "2", up_to=3) == 2


async def test_erasing_a_request_erases_every_readers_vote_on_it(log) -> None:
    for reader in (READER, OTHER):
        await log.publish(Channel.FEEDBACK, vote_event(reader=reader))
    await log.publish(Channel.FEEDBACK, vote_event("1.2.4.0"))
    for _ in range(2):
        await log.erase(Channel.FEEDBACK, RequestId("1", "2", "3"))
    assert await log.find(Channel.FEEDBACK, RequestId("1", "2", "3")) is None
    assert await log.find(Channel.FEEDBACK, RequestId("1", "2", "4")) is not None


async def test_nothing_but_votes_gets_among_the_feedback(log, make_event) -> None:
    with pytest.raises(MalformedEvent):
        await log.publish(Channel.FEEDBACK, make_event())
