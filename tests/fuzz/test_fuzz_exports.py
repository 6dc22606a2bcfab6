"""Whatever happens to the bytes of an export, prepare gives its undamaged messages or one line."""

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from events.errors import SettingsError
from training.data.telegram.export_reader import ExportedChat, ExportFile
from training.data.telegram.json_reader import ByteRange
from training.data.telegram.json_repair import repair_json
from training.data.telegram.messages import DropReason, ExportedMessage, parse_item

NEAR = 500
"""Bytes; longer than a message here."""
TEXTS = st.sampled_from(['a "b": c', "]} {", '{"id": 5, "type": "message", ', "\\", "\n\t\x0c", "😀я", ""]) | st.text(
    max_size=8
)
BYTES = st.lists(st.sampled_from(list(b'"{}[],:\\\0\n\xff\xd0')) | st.integers(0, 255), max_size=12).map(bytes)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def message(number: int, text: str) -> dict[str, Any]:
    known = {"id": number, "type": "message", "date": "2023-11-14T22:13:20", "from": "Аня", "from_id": "user1"}
    return {**known, "text": f"{text}{number}", "text_entities": [{"type": "plain", "text": text}]}


@st.composite
def exports(draw: st.DrawFn) -> tuple[list[dict[str, Any]], bytes]:
    """The messages of an export, and its bytes."""
    messages = [message(100 + n, draw(TEXTS)) for n in range(draw(st.integers(4, 12)))]
    chats = [
        {"name": "Чат", "type": "personal_chat", "id": 7, "messages": part} for part in (messages[:3], messages[3:])
    ]
    account = {"about": "", "chats": {"about": "", "list": chats}, "personal_information": {"user_id": 11}}
    single = {**chats[0], "messages": messages}
    content = json.dumps(
        draw(st.sampled_from([account, single])), ensure_ascii=False, indent=draw(st.sampled_from([None, 1]))
    )
    return messages, content.encode()


def read(raw: bytes) -> list[tuple[ExportedChat, Any]]:
    """Also what `parse` makes of the items is one of its two answers."""
    file = io.BytesIO(raw)
    file.name = "result.json"  # type: ignore[attr-defined]
    items = list(ExportFile(file).items())
    for chat, item in items:
        assert isinstance(parse_item(item, chat), ExportedMessage | DropReason)
        assert parse_item(item, chat) is DropReason.MALFORMED or not isinstance(item, ByteRange)
    return items


@given(exports(), st.integers(0), st.integers(0, 20), BYTES)
def test_bytes_that_are_flipped_cut_or_inserted_harm_only_what_is_near(
    export: tuple[list[dict[str, Any]], bytes], place: int, size: int, new: bytes
) -> None:
    messages, raw = export
    starts = [raw.index(b'"id": %d,' % item["id"]) for item in messages]
    at = starts[1] + place % (len(raw) - starts[1])
    found = [item for _, item in read(raw[:at] + new + raw[at + size :])]
    for item, start in zip(messages, starts, strict=True):
        assert item in found or at - NEAR < start < at + NEAR


@given(exports(), st.integers(0))
def test_of_a_file_that_is_cut_everything_before_the_cut_is_read(
    export: tuple[list[dict[str, Any]], bytes], place: int
) -> None:
    messages, raw = export
    starts = [raw.index(b'"id": %d,' % item["id"]) for item in messages]
    cut = starts[1] + place % (len(raw) - starts[1])
    whole = [item for item, following in zip(messages, starts[1:], strict=False) if following <= cut]
    assert [item for _, item in read(raw[:cut])][: len(whole)] == whole


@given(st.lists(BYTES | TEXTS.map(str.encode) | st.just(b'"messages": [{"id": 1, "type": "message", '), max_size=6))
def test_any_bytes_are_items_or_one_line(pieces: list[bytes]) -> None:
    said = ""
    for beginning in (b"", b'{"messages": [', b'{"chats": {"list": [{"messages": ['):
        try:
            read(beginning + b"".join(pieces))
        except SettingsError as error:
            said += str(error)
    assert "\n" not in said


@given(VALUES, st.sampled_from(["id", "type", "date", "date_unixtime", "from", "from_id", "text", "text_entities"]))
def test_any_value_in_any_field_is_read(value: Any, field: str) -> None:
    content = {"type": "personal_chat", "messages": [message(1, ""), {**message(2, ""), field: value}, message(3, "")]}
    items = [item for _, item in read(json.dumps(content).encode())]
    assert (items[0], items[-1]) == (message(1, ""), message(3, ""))
    assert len(items) == 3


@given(VALUES.map(json.dumps))
def test_a_repair_changes_nothing_that_is_json(text: str) -> None:
    mended, places = repair_json(text)
    assert json.dumps(json.loads(mended)) == text or places
