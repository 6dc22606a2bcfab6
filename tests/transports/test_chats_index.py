"""The index of unfinished chats on a real server: built from old records, kept, lost, and built again."""

import asyncio
from random import Random

from nats.js import JetStreamContext
from structlog.testing import capture_logs

from edge.userbot.chat.policy import deny
from edge.userbot.chat.record import ChatRecord, Notice
from edge.userbot.driving.resuming import Resuming
from edge.userbot.storage.chats import open_chats
from events import subjects
from events.jetstream.records import JetStreamRecords
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import cancel

RETRYING = Retrying(SystemClock(), Random())
UNFINISHED = ChatRecord(notices=(Notice(message_id=1, text="…"),))


async def resumed(js: JetStreamContext) -> tuple[list[str], list[str]]:
    """The chats that a start takes up, and what it logs."""
    woken: list[str] = []
    resuming = Resuming(await open_chats(js, "1", retrying=RETRYING), RETRYING)
    with capture_logs() as logs:
        await resuming.complete_index()
        await resuming.resume(woken.append)
    return sorted(woken), [line["event"] for line in logs]


async def test_the_first_start_builds_the_index_and_the_next_ones_read_it(js: JetStreamContext) -> None:
    records = await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=RETRYING)
    for chat, record in {"2": UNFINISHED, "3": ChatRecord(deleted_to=1), "-4": UNFINISHED}.items():
        await records.save(f"1.{chat}", record.to_json(), None)
    await records.save("11.5", UNFINISHED.to_json(), None)
    assert await resumed(js) == (["-4", "2"], ["index.building", "index.built", "chats.resumed"])
    chats = await open_chats(js, "1", retrying=RETRYING)
    await chats.policy.change(lambda policy: deny(policy, "3"))
    await chats.change("3", lambda record: UNFINISHED)
    await chats.change("3", lambda record: ChatRecord())
    await chats.change("6", lambda record: UNFINISHED)
    assert await resumed(js) == (["-4", "2", "6"], ["chats.resumed"])
    assert (await js.stream_info("KV_marks")).state.messages == 4, "nothing is left of what was dropped"
    assert (await (await open_chats(js, "1", retrying=RETRYING)).policy.load()).denied == ("3",)


async def test_the_policy_of_an_account_is_no_chat_when_the_index_is_built(js: JetStreamContext) -> None:
    chats = await open_chats(js, "1", retrying=RETRYING)
    await chats.policy.change(lambda policy: deny(policy, "3"))
    await chats.change("2", lambda record: UNFINISHED)
    await js.purge_stream("KV_marks")
    assert await resumed(js) == (["2"], ["index.building", "index.built", "chats.resumed"])


async def test_an_index_that_was_deleted_is_built_again_beside_the_work(js: JetStreamContext) -> None:
    topology = Topology(js, retrying=RETRYING)
    chats = await open_chats(js, "1", retrying=RETRYING)
    resuming = Resuming(chats, RETRYING)
    await resuming.complete_index()
    await chats.change("2", lambda record: UNFINISHED)
    await js.delete_stream("KV_marks")
    await topology.ensure_buckets()
    keeping = asyncio.create_task(resuming.keep_complete(lambda chat: None))
    resuming.on_store_recreated()
    async with asyncio.timeout(20):
        while not await chats.index.is_complete():  # noqa: ASYNC110 - a store has no event
            await asyncio.sleep(0.01)
    await cancel(keeping)
    assert await resumed(js) == (["2"], ["chats.resumed"])
