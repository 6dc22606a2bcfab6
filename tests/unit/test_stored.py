"""What version 1 has stored is read, and the same is written: `tests/stored` was written by the code of f3fcf22.

`NAME.without_number` is a record of a version that wrote no schema number, `newer` one of a version to come.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from bridge.headers import RequestOrigin
from bridge.ids import correlation_id_for
from bridge.sent_requests import SentRequest, SentRequests
from edge.userbot.chat.record import (
    AnswerText,
    ChatRecord,
    ChatSettings,
    Current,
    Failure,
    Notice,
    Question,
    Rate,
    UnreadableRecord,
    from_json,
)
from edge.userbot.intake.account_updates import UpdatesState
from edge.userbot.storage.index import ChatIndex
from edge.userbot.storage.unreadable import UnreadableChats
from edge.userbot.storage.watermark import Watermark
from events.deadletters import DeadLetter, truncations
from events.event import AMQP_PREFIX, NATS_PREFIX, Event, from_headers, to_headers
from events.memory import MemoryMarks, MemoryRecords
from events.recordings.lines import RecordedEvent, read, write
from events.recordings.pseudonyms import Pseudonyms, TextPolicy
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import (
    FailureReason,
    FinishReason,
    GenerationCompleted,
    GenerationFailed,
    GenerationProgressed,
    GenerationRequested,
    Role,
    Sampling,
    Timings,
    Turn,
    Usage,
)
from events.transport import Channel
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models.card import ModelCard, PreferredSampling
from functions.generate.prompts.formats import FormatName
from observability import trace_reader

STORED = Path(__file__).parents[1] / "stored"
NOW = datetime(2026, 11, 27, 12, 0, 0, 123456, tzinfo=UTC)
ID = "1.2.7.0"
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
ORIGIN = RequestOrigin("amq.gen/ответы", "caf", "9.9.9.0", NOW)
HEADERS = {**TRACE, **ORIGIN.headers()}
RETRYING = Retrying(SystemClock(), Random(1))


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


QUESTION = Question(message_id=7, text="кто «ты»?", locale="ru", asked_at=NOW, trace=TRACE)
ASKING = Current(question=QUESTION, request_id=ID, deadline=NOW + seconds(120))
THINKING = Current(question=QUESTION.having(live=True), request_id=ID, deadline=NOW + seconds(120), thinking_id=8)
ANSWER = AnswerText(text="Я **Тимоха**.\nНу да. Ну да. Ну да.", formatted=True)
HISTORY = (Turn(role=Role.USER, text=QUESTION.text), Turn(role=Role.ASSISTANT, text=ANSWER.text))
QUEUED = ChatRecord(
    seen=(7, 9, 10),
    current=THINKING,
    waiting=(
        QUESTION.having(message_id=9, text="раз", revision=1),
        QUESTION.having(message_id=10, text="два", doubtful=True),
    ),
    rate=Rate(since=NOW, answers=3),
)
HELP = (
    "What I can do:\n\nТимоха, QUESTION — ask me something\n"
    "/set_context_length NUMBER — how many earlier messages an answer takes into account (0 to 50)\n"
    "/delete_history — forget our conversation and cancel questions that wait for an answer\n/help — show this help"
)
HINT = "Напишите вопрос сразу после обращения, например: «Тимоха, как дела?»"


def first(current: Current) -> ChatRecord:
    return ChatRecord(seen=(7,), current=current, rate=Rate(since=NOW, answers=1))


RECORDS = {
    "new": ChatRecord(),
    "asking": first(ASKING),
    "thinking": first(THINKING),
    "line_lost": first(THINKING.having(thinking_id=0)),
    "delivering": first(THINKING.having(outcome=ANSWER, settled_at=NOW + seconds(2), parts_sent=1)),
    "deadline": first(
        ASKING.having(thinking_id=8, outcome=Failure(reason="deadline"), settled_at=NOW + seconds(120)),
    ),
    "failed": first(ASKING.having(outcome=Failure(reason="attempts_exhausted"), settled_at=NOW + seconds(1))),
    "idle": ChatRecord(history=HISTORY, seen=(7,), rate=Rate(since=NOW, answers=1)),
    "queued": QUEUED,
    "commands": ChatRecord(
        settings=ChatSettings(context_length=5),
        seen=(11, 12),
        notices=(
            Notice(message_id=11, text="Готово: теперь учитываю прошлые сообщения, не больше 5."),
            Notice(message_id=12, text=HELP),
        ),
        helped_at=NOW,
        rate=Rate(since=NOW, answers=2),
    ),
    "deleting": ChatRecord(
        seen=(7, 13),
        notices=(Notice(message_id=13, text="Готово: история нашей переписки удалена."),),
        erasing=True,
        deleted_to=13,
        rate=Rate(since=NOW, answers=2),
    ),
    "deleted": ChatRecord(seen=(7, 13), deleted_to=13, rate=Rate(since=NOW, answers=2)),
    "silent": ChatRecord(
        seen=(21, 22, 23),
        notices=(Notice(message_id=21, text=HINT), Notice(message_id=22, text=HINT)),
        rate=Rate(silent_since=NOW),
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_chat_record_is_read_and_written_as_it_was(name: str) -> None:
    stored = (STORED / "chat_records" / f"{name}.json").read_bytes()
    assert from_json(stored) == RECORDS[name]
    assert RECORDS[name].to_json() == stored
    assert from_json(stored).to_json() == stored


def test_a_chat_record_without_a_number_is_read() -> None:
    first, second = QUEUED.waiting
    expected = QUEUED.having(
        current=THINKING.having(question=QUESTION),
        waiting=(first.having(revision=0), second.having(doubtful=False)),
        rate=Rate(),
    )
    assert from_json((STORED / "chat_records/without_number.json").read_bytes()) == expected


def test_a_chat_record_of_a_newer_version_is_refused() -> None:
    with pytest.raises(UnreadableRecord, match="schema 3"):
        from_json((STORED / "chat_records/newer.json").read_bytes())


async def test_the_marks_of_an_account_are_read_and_set_as_they_were() -> None:
    keys = json.loads((STORED / "marks.json").read_text())
    stored, written = MemoryMarks(), MemoryMarks()
    for key in keys:
        await stored.add(key)
    assert sorted(await ChatIndex(stored, "1").chats()) == ["-100123", "2"]
    assert await ChatIndex(stored, "1").is_complete()
    assert await UnreadableChats(stored, "1").was_notified("3")
    await ChatIndex(written, "1").mark_complete(await written.created_at())
    for chat in ("2", "-100123"):
        await ChatIndex(written, "1").add(chat)
    await UnreadableChats(written, "1").mark_notified("3")
    assert [await written.is_ours(key) for key in keys] == [True] * 4


async def test_a_watermark_is_read_and_written_as_it_was() -> None:
    stored = (STORED / "watermark.json").read_bytes()
    state, ahead = UpdatesState(pts=1234, qts=5, date=1795780800, seq=-1), (("2", 7), ("-100123", 8))
    records = MemoryRecords()
    await records.save("1", stored, None)
    watermark = Watermark(records, "1", retrying=RETRYING)
    assert (await watermark.load(), watermark.taken_early) == (state, ahead)
    assert not await watermark.is_of_earlier_version()
    await watermark.save(state, ahead)
    assert (await records.load("1")).value == stored


async def test_a_watermark_without_a_number_is_read() -> None:
    records = MemoryRecords()
    await records.save("1", (STORED / "watermark_without_number.json").read_bytes(), None)
    watermark = Watermark(records, "1", retrying=RETRYING)
    assert await watermark.load() == UpdatesState(pts=1234, qts=5, date=1795780800, seq=-1)
    assert (watermark.taken_early, await watermark.is_of_earlier_version()) == ((), True)


async def test_what_the_bridge_notes_of_a_request_is_read_and_written_as_it_was() -> None:
    stored = (STORED / "sent_request.json").read_bytes()
    note = SentRequest(request_id=ID, until=NOW + seconds(120), headers=HEADERS)
    records = MemoryRecords()
    key = correlation_id_for(ID)
    assert key == "3d2e4b01-38c5-5217-a58b-487f14fbd8b5"
    await records.save(key, stored, None)
    found = await SentRequests(records).find(key)
    assert found == note
    assert RequestOrigin.read(found.headers) == ORIGIN
    await SentRequests(records).save(note)
    assert (await records.load(key)).value == stored


DATA = {
    "requested": GenerationRequested(
        request_id=ID,
        account_id="1",
        chat_id="2",
        message_id="7",
        turns=(
            Turn(role=Role.USER, text="Привет"),
            Turn(role=Role.ASSISTANT, text="И тебе"),
            Turn(role=Role.USER, text="Кто «ты»?"),
        ),
        sampling=Sampling(max_new_tokens=80, seed=4294967295).naming_defaults(),
        deadline=NOW + seconds(120),
        locale="en",
        live=True,
    ),
    "completed": GenerationCompleted(
        request_id=ID,
        text="Я Тимоха.",
        finish_reason=FinishReason.STOP,
        model="tiny",
        usage=Usage(input_tokens=21, output_tokens=6),
        timings=Timings(queued=0.25, prompt=0.5, generation=1.5),
    ),
    "failed": GenerationFailed(
        request_id=ID,
        reason=FailureReason.ATTEMPTS_EXHAUSTED,
        detail="no worker finished it in 3 attempts",
        attempts=3,
    ),
    "progressed": GenerationProgressed(request_id=ID, text="Я", sequence=2),
}
EVENTS = {name: Event.of(data, source="/timokha/test", time=NOW, headers=HEADERS) for name, data in DATA.items()}
FATE = {
    "timokha-reason": "attempts_exhausted",
    "timokha-detail": "no worker finished it",
    "timokha-attempts": "3",
}
LETTER = replace(EVENTS["requested"], headers={**HEADERS, **FATE})
LETTERS = {"whole": LETTER, "cut": next(truncations(LETTER))}
WIRE = {"events": EVENTS, "dead_letters": LETTERS}


@pytest.mark.parametrize(
    ("file", "name"), [(file, name) for file, events in WIRE.items() for name in events], ids="-".join
)
def test_an_event_is_read_and_written_as_it_was(file: str, name: str) -> None:
    event, stored = WIRE[file][name], json.loads((STORED / f"{file}.json").read_text())[name]
    body = stored["body"].encode()
    for broker, prefix in {"nats": NATS_PREFIX, "amqp": AMQP_PREFIX}.items():
        found = from_headers(stored[broker], body, prefix, place=stored["subject"])
        assert found == event
        assert to_headers(event, prefix) == stored[broker]
        assert list(to_headers(event, prefix)) == list(stored[broker])
    assert event.body == body


@pytest.mark.parametrize("name", DATA)
def test_the_data_of_an_event_are_read(name: str) -> None:
    assert EVENTS[name].data() == DATA[name]


def test_a_dead_letter_says_what_became_of_its_request() -> None:
    letter = DeadLetter.of(LETTER, NOW)
    assert letter.event == EVENTS["requested"]
    assert (letter.reason, letter.detail, letter.attempts, letter.since) == (
        "attempts_exhausted",
        "no worker finished it",
        "3",
        NOW,
    )


RECORDED = [
    RecordedEvent(Channel.REQUESTS, NOW + seconds(1), EVENTS["requested"]),
    RecordedEvent(Channel.REPLIES, NOW + seconds(3), EVENTS["completed"]),
    RecordedEvent(Channel.REPLIES, NOW + seconds(3), EVENTS["failed"]),
    RecordedEvent(Channel.DEADLETTERS, NOW + seconds(4), LETTER),
    RecordedEvent(Channel.REQUESTS, NOW + seconds(5), replace(EVENTS["requested"], body=b'{"not": ours }\xff')),
]


def test_a_recording_is_read_and_written_as_it_was(tmp_path: Path) -> None:
    stored = STORED / "recording.jsonl"
    assert read(stored) == RECORDED
    write(RECORDED, tmp_path / "written.jsonl")
    assert (tmp_path / "written.jsonl").read_bytes() == stored.read_bytes()


@pytest.mark.parametrize(("name", "texts"), [("replaced", TextPolicy.REPLACE), ("masked", TextPolicy.MASK)])
def test_pseudonyms_are_the_same_as_they_were(tmp_path: Path, name: str, texts: TextPolicy) -> None:
    stored = STORED / f"recording_{name}.jsonl"
    renamed = Pseudonyms(b"key", texts).replace_in(RECORDED)
    assert read(stored) == renamed
    write(renamed, tmp_path / "written.jsonl")
    assert (tmp_path / "written.jsonl").read_bytes() == stored.read_bytes()


def test_a_trace_file_is_read() -> None:
    found = trace_reader.read(STORED / "spans.jsonl")
    [trace] = found.traces
    assert found.garbage == 1
    assert [(depth, span.service, span.name) for depth, span in trace.tree()] == [
        (0, "userbot", "receive telegram"),
        (1, "userbot", "send timokha.requests"),
        (2, "generate", "queue timokha.requests"),
        (2, "generate", "process timokha.requests"),
    ]
    assert (trace.request_id, trace.attempts, trace.errors) == (ID, 2, ["TimeoutError"])


CARD = ModelCard(
    name="tiny",
    format=FormatName.DIALOGUE,
    preamble=True,
    labels="asked",
    sampling=PreferredSampling(temperature=0.5, top_k=40),
    licence="Apache-2.0",
    licence_url="https://example.org/licence",
)


@pytest.mark.parametrize(
    ("file", "described"),
    [
        ("timokha.json", CARD),
        (
            "serving.json",
            ServingInfo(
                card=CARD,
                context=2048,
                ends=(2, 3),
                rows=600,
                bos_token_id=1,
                special_ids=(1, 2),
                special_tokens={"bos_token": "<s>", "eos_token": "</s>"},
                chat_template={"default": "{{ messages }}"},
            ),
        ),
    ],
)
def test_a_models_description_is_read_and_written_as_it_was(
    tmp_path: Path, file: str, described: ModelCard | ServingInfo
) -> None:
    stored = STORED / "model"
    assert type(described).read(stored) == described
    described.write(tmp_path)
    assert (tmp_path / file).read_bytes() == (stored / file).read_bytes()
