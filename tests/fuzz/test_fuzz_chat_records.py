"""Whatever lies in the store as a chat's record, the chat comes to rest, and `/delete_history` gives a fresh start."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.userbot.chat.steps import next_step, wake_at
from edge.userbot.chat.transitions import Effect
from events.memory import MemoryLog
from events.runtime.retrying import Retrying
from tests.answers import ANSWERS
from tests.unit.conftest import EPOCH, Places, VirtualClock, VirtualLoop

IDS = st.sampled_from([-5, 0, 1, 6, 7, 2**31, 2**63, 10**30])
"""The last texts and numbers of each kind are such as no version writes."""
TEXTS = st.sampled_from(["", " ", "раз", "Тимоха, раз", "\x00", "/help", "ж" * 9000, "\ud83d\ude00"])
TIMES = st.sampled_from(
    [EPOCH, EPOCH - timedelta(days=9), EPOCH + timedelta(seconds=5), datetime.min, datetime.max, datetime(1, 1, 1)]
).map(lambda time: time.replace(tzinfo=UTC).isoformat())
REQUESTS = st.sampled_from(["1.2.7.0", "1.2.6.0", "9.9.9.9", "", "nonsense", "1.2.7", "1.2.ж.0", "1.2.7.0 "])
QUESTIONS = st.fixed_dictionaries(
    {"message_id": IDS, "text": TEXTS, "locale": st.sampled_from(["ru", "en", "", "xx"]), "asked_at": TIMES},
    optional={"trace": st.just({"traceparent": "x"}), "revision": IDS, "live": st.booleans()},
)
OUTCOMES = st.sampled_from(
    [None, {"kind": "answer", "text": "да"}, {"kind": "answer", "text": ""}, {"kind": "failure", "reason": "?"}]
)
CURRENTS = st.fixed_dictionaries(
    {"question": QUESTIONS, "request_id": REQUESTS, "deadline": TIMES},
    optional={"thinking_id": st.none() | IDS, "outcome": OUTCOMES, "settled_at": TIMES, "parts_sent": IDS},
)
NOTICES = st.fixed_dictionaries({"message_id": IDS, "text": TEXTS})
TURNS = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "text": TEXTS})
RECORDS = st.fixed_dictionaries(
    {
        "settings": st.fixed_dictionaries({}, optional={"context_length": IDS}),
        "history": st.lists(TURNS, max_size=3),
        "seen": st.lists(IDS, max_size=3) | st.just(list(range(1000))),
        "current": st.none() | CURRENTS,
        "waiting": st.lists(QUESTIONS, max_size=2),
        "notices": st.lists(NOTICES, max_size=2),
        "erasing": st.booleans(),
    },
    optional={
        "schema": st.sampled_from([0, 1, -1]),
        "deleted_to": st.sampled_from([0, 6, -1, 2**31, 10**30]),
        "helped_at": st.none() | TIMES,
        "rate": st.fixed_dictionaries({}, optional={"since": TIMES, "answers": IDS, "silent_since": TIMES}),
    },
)
STORED = RECORDS.map(lambda record: json.dumps(record).encode()) | st.sampled_from(sorted(ANSWERS.values()))


def run(story: Any) -> None:
    loop = VirtualLoop()

    async def life() -> None:
        retrying = Retrying(VirtualClock(), Random(7))
        places = Places(log=MemoryLog(clock=retrying.clock), retrying=retrying)
        try:
            await story(places)
        finally:
            for edge in places.lives:
                await edge.die()

    try:
        loop.run_until_complete(life())
    finally:
        loop.close()


@settings(max_examples=settings.default.max_examples // 4)  # each is a life of twenty minutes
@given(STORED)
def test_any_record_comes_to_rest_and_the_chat_can_start_afresh(value: bytes) -> None:
    async def story(places: Places) -> None:
        await places.records.save("1.2", value, None)
        edge = places.edge(deadline=timedelta(seconds=60))
        await edge.drivers.resume()
        await asyncio.sleep(600)
        await edge.says("Тимоха, раз", 100)
        await edge.answer(100)
        await asyncio.sleep(600)
        assert not edge.drivers.busy
        assert places.telegram.texts
        assert await edge.says("/delete_history", 101) in (Effect.DELETED, Effect.CANCELLED)
        await asyncio.sleep(60)
        assert not edge.drivers.busy
        record = await edge.ports.chats.load("2")
        assert next_step(record, EPOCH) is None
        assert wake_at(record) is None
        assert await edge.says("Тимоха, два", 102) is Effect.ASKED
        await edge.answer(102, "второй")
        await asyncio.sleep(60)
        assert places.telegram.texts[-1][0] == "второй"
        assert not edge.replies.done()

    run(story)
