"""The bridge's sent requests: what is stored in the place of one and is none counts as none, and the log says so."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from bridge.ids import correlation_id_for
from bridge.sent_requests import SentRequest, SentRequests
from events.memory import MemoryRecords
from tests.answers import ANSWERS

SENT = SentRequest(request_id="1.2.3.0", until=datetime(2026, 11, 26, tzinfo=UTC), headers={"traceparent": "x"})
KEY = correlation_id_for("1.2.3.0")
FIRST = b'{"request_id":"1.2.3.0","until":"2026-11-26T00:00:00Z","headers":{"traceparent":"x"}}'
"""As the first version wrote it."""


async def stored(value: bytes, key: str = KEY) -> SentRequests:
    records = MemoryRecords()
    await records.save(key, value, None)
    return SentRequests(records)


async def test_a_note_that_was_kept_is_found_under_its_correlation_id() -> None:
    sent_requests = SentRequests(MemoryRecords())
    with capture_logs() as logs:
        assert await sent_requests.find(KEY) is None
        await sent_requests.save(SENT)
        assert await sent_requests.find(KEY) == await (await stored(FIRST)).find(KEY) == SENT
        assert await sent_requests.find("no id of ours") is None
    assert logs == []


OTHERS = {
    **ANSWERS,
    "another request's": SENT.model_copy(update={"request_id": "1.2.4.0"}).model_dump_json().encode(),
    "without its end": json.dumps({"request_id": "1.2.3.0", "headers": {}}).encode(),
}


@pytest.mark.parametrize("value", OTHERS.values(), ids=OTHERS.keys())
async def test_what_is_no_note_of_ours_is_left_out_said_once_and_replaced(value: bytes) -> None:
    sent_requests = await stored(value)
    with capture_logs() as logs:
        for _ in range(3):
            assert await sent_requests.find(KEY) is None
    assert [log["event"] for log in logs] == ["bridge.note_unreadable"]
    await sent_requests.save(SENT)
    assert await sent_requests.find(KEY) == SENT


async def test_a_note_that_was_copied_to_another_place_speaks_for_nobody() -> None:
    other = str(uuid4())
    assert await (await stored(FIRST, other)).find(other) is None
