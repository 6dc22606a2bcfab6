"""What is written so far, on core NATS: heard by its account at once, and kept nowhere."""

import asyncio
from datetime import UTC, datetime

from events.event import Event
from events.jetstream.core_nats import JetStreamProgress, listen_for_progress
from events.schema import GenerationProgressed
from events.transport import Channel


def progressed(request_id: str, sequence: int) -> Event:
    data = GenerationProgressed(request_id=request_id, text=f"слово {sequence}", sequence=sequence)
    return Event.of(data, source="/test", time=datetime.now(UTC), headers={"traceparent": "00-1"})


async def test_an_account_hears_what_is_written_for_it_in_order_and_nothing_of_others(js) -> None:
    heard: asyncio.Queue[Event] = asyncio.Queue()
    progress = JetStreamProgress(js)
    async with listen_for_progress(js, "1", heard.put_nowait):
        for event in (progressed("1.2.3.0", 1), progressed("11.2.3.0", 1), progressed("1.2.3.0", 2)):
            await progress.publish(event)
        async with asyncio.timeout(10):
            first, second = await heard.get(), await heard.get()
    assert [first.data().sequence, second.data().sequence] == [1, 2]
    assert first.headers["traceparent"] == "00-1"
    assert first.id != second.id


async def test_what_nobody_hears_is_kept_nowhere(js) -> None:
    await JetStreamProgress(js).publish(progressed("1.2.3.0", 1))
    for channel in Channel:
        assert (await js.stream_info(channel.name)).state.messages == 0


async def test_telling_without_a_connection_is_no_fault(nats_server, js) -> None:
    await nats_server.kill()
    await JetStreamProgress(js).publish(progressed("1.2.3.0", 1))
