"""What a NATS server can be made to write over a record by the reply subject of a publisher is not taken for one."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest
from nats.js import JetStreamContext

from bridge.ids import correlation_id_for
from bridge.sent_requests import SentRequest, SentRequests
from edge.userbot.chat.record import ChatRecord, UnreadableRecord
from edge.userbot.intake.account_updates import StateLost, UpdatesState
from edge.userbot.storage.chats import Chats, open_chats
from edge.userbot.storage.watermark import Watermark
from events import subjects
from events.jetstream.records import JetStreamRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

RETRYING = Retrying(SystemClock(), Random())
NOTE = SentRequest(request_id="1.2.3.0")
WITHIN = 10

PUBLISHED = {
    "a PubAck": ("timokha.replies.1.2.3.0", b"{}"),
    "a refused publish": ("timokha.replies.1.2.4.0", b"{}"),
    "an API answer": ("$JS.API.STREAM.INFO.REQUESTS", b""),
    "an API error": ("$JS.API.STREAM.MSG.GET.REQUESTS", b'{"seq": 99}'),
    "a stored message": ("$JS.API.STREAM.MSG.GET.REPLIES", b'{"last_by_subj": "timokha.replies.1.2.4.0"}'),
    "a pull's status": ("$JS.API.CONSUMER.MSG.NEXT.REQUESTS.generate", b'{"batch": 1, "no_wait": true}'),
    "a confirmed acknowledgement": ("$JS.ACK.REQUESTS.generate.1.1.1.1.0", b"+ACK"),
}
"""Where a worker may publish, and what: the server answers where the reply subject says, with its own rights."""


@pytest.fixture
async def chats(js: JetStreamContext) -> Chats:
    # A message to acknowledge, and one that is refused the second time.
    await js.publish("timokha.requests.1.2.3.0", b"{}")
    await js.publish("timokha.replies.1.2.4.0", b"{}")
    await (await js.pull_subscribe_bind("generate", "REQUESTS")).fetch(1)
    return await open_chats(js, "1", retrying=RETRYING)


@pytest.fixture(params=PUBLISHED.values(), ids=PUBLISHED.keys())
def overwrite(request: pytest.FixtureRequest, js: JetStreamContext) -> Callable[[str, str], Awaitable[None]]:
    """`overwrite(bucket, key)`; returns once the server has written there."""

    async def overwritten(bucket: str, key: str) -> None:
        async def last() -> int:
            return (await js.stream_info(f"KV_{bucket}")).state.last_seq

        before = await last()
        subject, body = request.param
        await js._nc.publish(subject, body, reply=f"$KV.{bucket}.{key}")
        async with asyncio.timeout(WITHIN):
            while await last() == before:  # noqa: ASYNC110 - another process decides
                await asyncio.sleep(0.01)

    return overwritten


async def test_a_chat_whose_record_was_overwritten_is_not_one_that_never_wrote(chats, overwrite) -> None:
    await chats.change("2", lambda record: record.having(deleted_to=7))
    await overwrite(subjects.CHATS_BUCKET, "1.2")
    with pytest.raises(UnreadableRecord, match="/delete_history"):
        await chats.load("2")
    with pytest.raises(UnreadableRecord):
        await chats.change("2", lambda record: record.having(deleted_to=8))
    unfinished = {}

    async def take(chat: str, may_be: bool) -> None:
        unfinished[chat] = may_be

    await chats.each(take)
    assert unfinished == {"2": True}
    await chats.start_afresh("2", lambda record: record.having(deleted_to=9))
    assert await chats.load("2") == ChatRecord(deleted_to=9)


async def test_marks_that_were_overwritten_do_not_vouch_for_anything(chats, overwrite) -> None:
    await chats.index.mark_complete(await chats.index.created_at())
    await chats.unreadable.mark_notified("2")
    await chats.index.add("3")
    for key in ("built.1", "told.1.2", "unfinished.1.3"):
        await overwrite(subjects.MARKS_BUCKET, key)
    assert not await chats.index.is_complete()
    assert not await chats.unreadable.was_notified("2")
    assert await chats.index.chats() == ["3"]  # a mark too many does no harm, one too few does


async def test_a_state_that_was_overwritten_is_lost_and_not_the_first(js, chats, overwrite) -> None:
    states = await JetStreamRecords.open(js, subjects.TELEGRAM_BUCKET, retrying=RETRYING)
    watermark = Watermark(states, "1", retrying=RETRYING)
    await watermark.save(UpdatesState(pts=5))
    await overwrite(subjects.TELEGRAM_BUCKET, "1")
    with pytest.raises(StateLost, match="can't be read"):
        await watermark.load()


async def test_a_note_that_was_overwritten_is_none(js, chats, overwrite) -> None:
    notes = SentRequests(await JetStreamRecords.open(js, subjects.BRIDGE_BUCKET, retrying=RETRYING))
    await notes.save(NOTE)
    await overwrite(subjects.BRIDGE_BUCKET, correlation_id_for(NOTE.request_id))
    assert await notes.find(correlation_id_for(NOTE.request_id)) is None
    await notes.save(NOTE)
    assert await notes.find(correlation_id_for(NOTE.request_id)) == NOTE
