"""What is written is read again, byte for byte; what is chosen, and what is left of those who asked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.record import Selection, time_of
from cli.settings import RecordSettings
from events.errors import SettingsError
from events.event import Event
from events.recordings.lines import BadRecording, RecordedEvent, read, write
from events.recordings.pseudonyms import Pseudonyms, TextPolicy
from events.schema import FailureReason, FinishReason, GenerationCompleted, GenerationFailed
from events.transport import Channel

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def recorded(event: Event, minutes: float = 0, channel: Channel = Channel.REQUESTS) -> RecordedEvent:
    return RecordedEvent(channel, NOON + timedelta(minutes=minutes), event)


def answer(request_id: str, text: str) -> Event:
    data = GenerationCompleted(request_id=request_id, text=text, finish_reason=FinishReason.STOP, model="test")
    return Event.of(data, source="/test", time=datetime.now(UTC))


@given(
    body=st.binary() | st.text().map(str.encode) | st.just(b'{"b": 1,"a":2}'),
    text=st.text(),
    headers=st.dictionaries(st.text(), st.text()),
)
def test_any_event_comes_back_as_it_was(body, text, headers):
    event = Event(id=text, type=text, source=text, subject=text, time=NOON, body=body, headers=headers)
    for channel in Channel:
        original = RecordedEvent(channel, NOON, event)
        assert RecordedEvent.from_line(original.to_line()) == original


def test_readable_data_is_written_readably(make_event):
    assert '"text": "привет"' in recorded(make_event(text="привет")).to_line()


def test_a_file_keeps_order_and_separators_inside_texts_and_is_for_its_owner_alone(tmp_path, make_event):
    events = [recorded(make_event(f"1.2.{n}.0", text), n) for n, text in enumerate(["a\u2028b\x85c", "\n", "d"])]
    path = tmp_path / "recording.jsonl"
    write(events, path)
    assert read(path) == events
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}\n", "line 1 is no recorded event"), ("x\n", "line 1 is no recorded event"), (None, "can't be read")],
)
def test_a_file_that_is_no_recording_says_where(tmp_path, content, message):
    path = tmp_path / "recording.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadRecording, match=message):
        read(path)


@pytest.fixture
def three_questions(make_event):
    """Asked a minute apart, and answered half a minute later."""
    events = [recorded(answer(f"1.2.{n}.0", "да"), n + 0.5, Channel.REPLIES) for n in (3, 1, 2)]
    return [*events, *(recorded(make_event(f"1.2.{n}.0"), n) for n in (2, 3, 1))]


def chosen(selection: Selection, events: list[RecordedEvent]) -> list[str]:
    return [f"{one.channel.value[:3]} {one.event.request_id.message}" for one in selection.of(events)]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["req 1", "rep 1", "req 2", "rep 2", "req 3", "rep 3"]),
        (Selection(since=NOON + timedelta(minutes=1.2)), ["req 2", "rep 2", "req 3", "rep 3"]),
        (Selection(until=NOON + timedelta(minutes=2)), ["req 1", "rep 1"]),
        (Selection(count=1), ["req 3", "rep 3"]),
        (Selection(count=9, until=NOON + timedelta(minutes=3)), ["req 1", "rep 1", "req 2", "rep 2"]),
    ],
)
def test_a_question_is_recorded_with_its_reply_or_not_at_all(three_questions, selection, expected):
    assert chosen(selection, three_questions) == expected


def test_a_time_is_a_moment_or_seconds_ago():
    assert RecordSettings.read(since="2026-11-24T12:00:00Z").since == NOON
    assert time_of(RecordSettings.read(since="600").since, NOON) == NOON - timedelta(minutes=10)
    for bad in ("noon", "12:00", "2026-11-24T12:00", "P1D", "nan", "inf", "1e300", "9999999999999"):
        with pytest.raises(SettingsError, match=f"^RECORD_SINCE: got '{bad}', it takes[^;]*$"):
            RecordSettings.read(since=bad)


def pseudonymised(texts: TextPolicy, events: list[RecordedEvent], key: bytes = b"key") -> list[RecordedEvent]:
    return Pseudonyms(key, texts).replace_in(events)


def test_pseudonyms_leave_nothing_of_ids_traces_and_details(make_event):
    request_id = "7770001234.4815162342.3141592653.0"
    failed = GenerationFailed(request_id=request_id, reason=FailureReason.REJECTED, detail="secret of 4815162342")
    headers = {"traceparent": "00-secret", "timokha-reason": "rejected", "reply-to": "amq.gen-secret"}
    events = [
        recorded(make_event(request_id, "secret", headers=headers)),
        recorded(Event.of(failed, source="/test", time=datetime.now(UTC)), 1, Channel.REPLIES),
        recorded(replace(make_event(), body=b"secret, and no JSON")),
    ]
    request, failure = pseudonymised(TextPolicy.MASK, events)
    lines = request.to_line() + failure.to_line()
    assert not [word for word in ("7770001234", "4815162342", "3141592653", "secret") if word in lines]
    assert request.event.headers == {"timokha-reason": "rejected"}
    assert request.event.request_id == failure.event.request_id
    assert request.event.data().turns[0].text == "xxxxxx"
    assert failure.event.data().reason is FailureReason.REJECTED


def test_pseudonyms_are_stable_under_a_key_and_tell_chats_apart(make_event):
    events = [recorded(make_event(request_id)) for request_id in ("1.2.7.0", "1.2.8.0", "1.3.7.0")]
    first, second = (pseudonymised(TextPolicy.KEEP, events) for _ in range(2))
    assert first == second
    assert pseudonymised(TextPolicy.KEEP, events, b"other") != first
    ids = [one.event.request_id for one in first]
    assert ids[0].chat == ids[1].chat != ids[2].chat
    assert len({(id_.chat, id_.message) for id_ in ids}) == len({id_.message for id_ in ids}) == 3


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(TextPolicy.KEEP, "Привет, 2 мира! 🙂"), (TextPolicy.MASK, "Xxxxxx, 0 xxxx! x")],
)
def test_texts_are_kept_or_masked(make_event, texts, expected):
    [one] = pseudonymised(texts, [recorded(make_event(text="Привет, 2 мира! 🙂"))])
    assert one.event.data().turns[0].text == expected


def test_replaced_words_are_other_words_of_the_same_length_and_always_the_same(make_event):
    [one] = pseudonymised(TextPolicy.REPLACE, [recorded(make_event(text="Привет, привет! Пока."))])
    first, second, third = one.event.data().turns[0].text.split()
    assert (len(first), len(second), len(third)) == (7, 7, 5)
    assert first[0].isupper()
    assert first[:-1].lower() == second[:-1]
    assert second[:-1] != "привет"


def test_the_committed_recordings_are_readable():
    for path in Path(__file__).parent.glob("*.jsonl"):
        assert [one.event.data() for one in read(path)]


def test_bytes_that_are_no_characters_are_written_and_read_again(make_event, tmp_path):
    odd = "caf\udce9"  # as nats-py reads the byte E9
    event = make_event(headers={"a": odd})
    write([recorded(event), recorded(replace(event, body=b'"\xff \\ud800'))], tmp_path / "file")
    first, second = read(tmp_path / "file")
    assert first.event.headers["a"] == odd
    assert second.event.body == b'"\xff \\ud800'


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace("+00:00", ""),
        lambda line: line.replace('"source": "/test"', '"source": 7'),
        lambda line: line.replace('"headers": {}', '"headers": {"a": []}'),
        lambda line: '{"channel":' + "[" * 100_000,
        lambda line: "7",
        lambda line: "null",
        lambda line: "{}",
        lambda line: "\ufeff" + line,
    ],
)
def test_a_line_that_is_no_event_is_one_line_that_names_it(make_event, tmp_path, change):
    good = recorded(make_event()).to_line()
    (tmp_path / "file").write_text(f"{good}\n{change(good)}\n", encoding="utf-8")
    with pytest.raises(BadRecording, match="line 2 is no recorded event") as refused:
        read(tmp_path / "file")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x80"])
def test_a_file_that_is_no_utf_8_is_one_line(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BadRecording, match="can't be read"):
        read(tmp_path / "file")


def test_an_event_of_a_type_that_nobody_knows_is_left_out_of_pseudonyms(make_event):
    assert pseudonymised(TextPolicy.MASK, [recorded(replace(make_event(), type="x"))]) == []
