"""`make bench PART=chats` without its measurements: how the store is filled, and what is made of the rounds."""

import pytest

from benchmarks.chats import figures
from benchmarks.many_chats import Round, Start
from benchmarks.stored import at_rest, named, stored
from edge.userbot.chat.record import from_json
from events import subjects
from events.jetstream.connection import connect
from events.jetstream.inspection import inspect
from events.transport import Channel


def test_our_chats_are_spread_among_the_others() -> None:
    names = named(10, ["a", "b"])
    assert (len(names), len(set(names))) == (10, 10)
    assert {names.index("a"), names.index("b")} == {0, 5}


async def test_the_store_has_every_record_and_events_that_are_settled(tmp_path) -> None:
    ours = at_rest().having(deleted_to=9)
    async with (
        stored(tmp_path / "nats", "1", chats=50, own={"77": ours}, asked_today=4) as server,
        connect(server.url, name="test") as js,
    ):
        records = await js.stream_info(f"KV_{subjects.CHATS_BUCKET}")
        assert records.state.messages == 50
        found = await js.get_msg(f"KV_{subjects.CHATS_BUCKET}", subject=f"$KV.{subjects.CHATS_BUCKET}.1.77")
        assert from_json(found.data) == ours
        for channel, consumer in ((Channel.REQUESTS, subjects.GENERATE_CONSUMER), (Channel.REPLIES, "edge-1")):
            stream = subjects.stream(channel)
            assert (await js.stream_info(stream)).state.messages == 5
            assert (await js.consumer_info(stream, consumer)).num_pending == 0
        assert not (await inspect(js)).faults


def test_the_largest_store_is_compared_with_the_smallest_round_by_round() -> None:
    first = {10: Start(1.0, 0, 9), 1000: Start(60.0, 1, 9)}
    rounds = {
        1000: [Round(2.0, 2, 5, 3.0, 0.2, 0.3, 4.0), Round(9.0, 0, 7, 3.0, 0.2, 0.3, 4.0)],
        10: [Round(1.0, 0, 5, 3.0, 0.1, 0.2, 4.0), Round(3.0, 0, 5, 3.0, 0.1, 0.2, 4.0)],
    }
    found = figures(first, rounds)
    assert found["ready_ratio"] == 2.5
    assert found["answer_ratio"] == 2.0
    assert found["forgotten"] == 3
    assert found["first_start_seconds_1000"] == 60.0
    assert found["ready_seconds_1000"] == pytest.approx(5.5)
    assert found["log_lines_1000"] == 6
