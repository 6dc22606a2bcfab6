"""An older version refuses what a newer one has stored, and reads what earlier ones have."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from types import GenericAlias
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from edge.userbot.chat import record as records
from edge.userbot.chat.record import ChatRecord, Order, Unconfirmed, UnreadableRecord, from_json
from edge.userbot.intake.account_updates import UpdatesState
from edge.userbot.storage import watermark as watermarks
from edge.userbot.storage.chats import Chats
from edge.userbot.storage.watermark import Watermark
from events.memory import MemoryMarks, MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

RETRYING = Retrying(SystemClock(), Random())
WATERMARK = {"pts": 5, "qts": 0, "date": 0, "seq": 0}
CONTENT = {
    1: "current.deadline current.outcome.formatted current.outcome.kind current.outcome.reason current.outcome.text"
    " current.parts_sent current.question.asked_at current.question.doubtful current.question.live"
    " current.question.locale current.question.message_id current.question.revision current.question.text"
    " current.question.trace current.request_id current.settled_at current.thinking_id deleted_to erasing"
    " helped_at history.role history.text notices.message_id notices.text rate.answers rate.silent_since"
    " rate.since seen settings.context_length waiting.asked_at waiting.doubtful waiting.live waiting.locale"
    " waiting.message_id waiting.revision waiting.text waiting.trace"
}
CONTENT[2] = (
    f"{CONTENT[1]}"
    " current.approve_until current.approved current.question.approve current.question.asker"
    " answers.message_ids answers.request_id answers.trace current.outcome.by_owner"
    " current.question.max_new_tokens current.question.persona current.submitted decided_by drafts.asker drafts.chat"
    " drafts.closed drafts.digests drafts.message_ids drafts.request_id drafts.shown orders.date"
    " orders.message_id orders.reply_to"
    " notices.key orders.text paused_since paused_until rate.day rate.today recalled refused_at sent unconfirmed.digest"
    " unconfirmed.reply_to unconfirmed.withdraw waiting.approve waiting.asker waiting.max_new_tokens"
    " waiting.persona withdrawn wrote_first"
    " resumed_at"
    " current.question.speaker history.speaker waiting.speaker"
    " current.question.sign waiting.sign heard.at heard.digest rate.hour_since rate.without_prefix"
    " bursts.close_by bursts.due_at bursts.not_before bursts.sender bursts.pieces.approve bursts.pieces.asked_at"
    " bursts.pieces.asker bursts.pieces.doubtful bursts.pieces.live bursts.pieces.locale bursts.pieces.max_new_tokens"
    " bursts.pieces.message_id bursts.pieces.persona bursts.pieces.revision bursts.pieces.sign bursts.pieces.text"
    " bursts.pieces.speaker bursts.pieces.trace"
)
"""What the records of each schema have."""


def test_a_record_of_a_newer_version_is_refused_with_what_to_run() -> None:
    newer = json.dumps({"schema": records.SCHEMA + 1, "mood": "good", "history": "elsewhere"}).encode()
    with pytest.raises(UnreadableRecord, match=r"newer version of Timokha .* run that version") as refused:
        from_json(newer)
    assert "\n" not in str(refused.value)


def test_a_record_says_its_schema_and_one_of_an_earlier_version_is_read() -> None:
    record = ChatRecord(deleted_to=7)
    written = json.loads(record.to_json())
    assert written.pop("schema") == records.PLAIN_SCHEMA
    assert from_json(json.dumps(written).encode()) == record


def test_what_an_older_version_may_lose_does_not_keep_it_from_reading_the_record() -> None:
    later = datetime(2026, 11, 27, tzinfo=UTC)
    harmless = ChatRecord(sent=(7,), paused_until=later, unconfirmed=(Unconfirmed(digest="a", reply_to=1),))
    assert json.loads(harmless.to_json())["schema"] == records.PLAIN_SCHEMA
    for needed in (
        {"withdrawn": (7,)},
        {"recalled": ("1.2.3.0",)},
        {"orders": (Order(message_id=1, text="", date=later),)},
    ):
        assert json.loads(harmless.having(**needed).to_json())["schema"] == records.SCHEMA


def test_a_new_field_needs_a_new_schema_number() -> None:
    """Add what is new to the schema that is not released yet; if it is, raise `SCHEMA` first."""
    assert sorted(set(fields(ChatRecord))) == sorted(CONTENT[records.SCHEMA].split())


def fields(part: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in part.model_fields.items():
        inner = list(models(field.annotation))
        for model in inner:
            yield from fields(model, f"{before}{name}.")
        if not inner:
            yield f"{before}{name}"


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, GenericAlias) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models(argument)


async def test_what_a_newer_version_has_stored_is_not_overwritten() -> None:
    stored = MemoryRecords()
    newer = json.dumps({"schema": records.SCHEMA + 1, "mood": "good"}).encode()
    await stored.save("1.2", newer, None)
    chats = Chats(stored, MemoryMarks(), "1", retrying=RETRYING)
    with pytest.raises(UnreadableRecord):
        await chats.change("2", lambda record: record.having(deleted_to=1))
    assert (await stored.load("1.2")).value == newer


async def test_the_watermark_of_a_newer_version_is_refused_and_not_overwritten() -> None:
    stored = MemoryRecords()
    watermark = Watermark(stored, "1", retrying=RETRYING)
    await watermark.save(UpdatesState(pts=1))
    newer = json.dumps({**WATERMARK, "schema": watermarks.SCHEMA + 1}).encode()
    await stored.save("1", newer, (await stored.load("1")).version)
    for doing in (watermark.load, watermark.is_of_earlier_version, lambda: watermark.save(UpdatesState(pts=2))):
        with pytest.raises(UnreadableRecord, match="saved state of account 1 was written by a newer version"):
            await doing()
    assert (await stored.load("1")).value == newer


async def test_the_watermark_tells_whether_an_earlier_version_has_run_since() -> None:
    """As when the version before is tried again for a while: it leaves chats that the index does not name."""
    stored = MemoryRecords()
    watermark = Watermark(stored, "1", retrying=RETRYING)
    assert not await watermark.is_of_earlier_version()
    await stored.save("1", json.dumps(WATERMARK).encode(), None)
    assert await watermark.is_of_earlier_version()
    assert await watermark.load() == UpdatesState(pts=5)
    await watermark.save(UpdatesState(pts=6))
    assert not await watermark.is_of_earlier_version()
