"""What every log promises: one event a request id and channel, found and erased by it."""

from events.ids import RequestId
from events.transport import Channel, Published


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


async def test_erasing_a_chat_takes_all_its_channels_and_nothing_else(log, make_event) -> None:
    for channel in Channel:
        await log.publish(channel, make_event("1.2.3.0"))
        await log.publish(channel, make_event("1.-2.3.0"))
    await log.publish(Channel.REQUESTS, make_event("1.2.4.0"))

    assert await log.erase_chat("1", "2", up_to=100) == 4

    assert await log.find(Channel.REQUESTS, RequestId("1", "2", "4")) is None
    for channel in Channel:
        assert await log.find(channel, RequestId("1", "-2", "3")) is not None


async def test_erasing_an_account_takes_all_its_chats_and_channels_and_no_other_account(log, make_event) -> None:
    for channel in Channel:
        await log.publish(channel, make_event("1.2.3.0"))
        await log.publish(channel, make_event("1.-2.30.0"))
        await log.publish(channel, make_event("11.2.3.0"))

    assert await log.erase_account("1") == 6
    assert await log.erase_account("1") == 0

    for channel in Channel:
        assert await log.find(channel, RequestId("1", "2", "3")) is None
        assert await log.find(channel, RequestId("11", "2", "3")) is not None
