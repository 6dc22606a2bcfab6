"""The owner's past as memory: whose exchanges join which question, and where they go from there."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.codecs import CODECS
from bridge.settings import CodecName
from cli.deadletters.commands import describe
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.record import ChatRecord, ChatSettings
from edge.userbot.chat.request_builder import MAX_MEMORY_CHARS, MAX_TOKENS, build_request
from edge.userbot.chat.transitions import receive
from edge.userbot.memory import NO_MEMORY, Memory, open_memory
from edge.userbot.rules import Rules
from edge.userbot.settings import UserbotSettings
from events.deadletters import DeadLetter
from events.errors import SettingsError
from events.event import Event
from events.exchanges import ExchangeFile, write_exchanges
from events.recordings.lines import RecordedEvent
from events.recordings.pseudonyms import Pseudonyms, TextPolicy
from events.schema import Exchange, GenerationRequested, Role, Sampling, Turn
from events.transport import Channel

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
OWNER, ANNA = 7, 42
QUESTION = "ты придёшь в субботу?"
PLANTED = "planted-phrase-7f3a"
SATURDAY = Exchange(question="придёшь в субботу?", answer="Да, к семи.")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_exchanges(tmp_path / "memory.sqlite", [OWNER], {ANNA: [SATURDAY]})
    return tmp_path / "memory.sqlite"


@pytest.fixture
def memory(path: Path):
    with open_memory(path) as opened:
        yield opened


def record_of(message: str = "Тимоха, привет", chat: str = str(ANNA), record: ChatRecord | None = None) -> ChatRecord:
    incoming = Incoming(str(OWNER), chat, 9, message, "ru", NOW, {})
    return receive(record or ChatRecord(), incoming, Rules(), NOW).record


def request(memory=(), record: ChatRecord | None = None, text: str = QUESTION, **bounds: int) -> GenerationRequested:
    asked = record_of(f"Тимоха, {text}", record=record)
    assert asked.current
    return build_request(asked, asked.current, str(OWNER), str(ANNA), Sampling(), memory=memory, **bounds)


def test_the_contacts_earlier_exchange_is_recalled(memory) -> None:
    assert memory.recall(str(ANNA), ChatRecord(), QUESTION) == (SATURDAY,)
    assert memory.recall("43", ChatRecord(), QUESTION) == ()


def test_without_the_setting_nothing_is(path) -> None:
    assert UserbotSettings.read(api_id="1", api_hash="x").memory is None
    with open_memory(None) as memory:
        memory.check_owner(None)
        memory.forget(str(ANNA))
        assert memory.recall(str(ANNA), ChatRecord(), QUESTION) == ()


@pytest.mark.parametrize("group", ["-42", "-1000000000042", "-1000000000042t42"])
def test_a_group_has_no_memory(memory, group) -> None:
    assert memory.recall(group, ChatRecord(), QUESTION) == ()
    memory.forget(group)
    assert memory.recall(str(ANNA), ChatRecord(), QUESTION) == (SATURDAY,)


def test_after_delete_history_nothing_is_recalled_ever_again(memory, path) -> None:
    deleted = record_of("/delete_history")
    stored = ChatRecord.model_validate_json(deleted.having(erasing=False).to_json())
    assert memory.recall(str(ANNA), stored, QUESTION) == ()
    memory.forget(str(ANNA))
    assert memory.recall(str(ANNA), ChatRecord(), QUESTION) == ()
    # Neither does a new file bring them back.
    write_exchanges(path, [OWNER], {ANNA: [SATURDAY]})
    with open_memory(path) as anew:
        assert anew.recall(str(ANNA), stored, QUESTION) == ()


def test_where_the_file_cant_be_written_the_log_says_so_and_quotes_nothing(memory, path) -> None:
    held = ExchangeFile.open(path)
    held._database.execute("BEGIN EXCLUSIVE")
    with capture_logs() as logs:
        memory.forget(str(ANNA))
        assert memory.recall(str(ANNA), ChatRecord(), QUESTION) == ()
    held.close()
    assert [one["event"] for one in logs] == ["memory.not_erased", "memory.unreadable"]
    assert "субботу" not in str(logs)


@pytest.mark.parametrize(("owner_chat", "said"), [("8", "8"), (None, "unknown: set USERBOT_OWNER")])
def test_the_past_of_somebody_else_is_refused(memory, owner_chat, said) -> None:
    memory.check_owner(str(OWNER))
    with pytest.raises(
        SettingsError, match=rf"^USERBOT_MEMORY: it is the past of 7, and the owner here is {said}$"
    ) as refused:
        memory.check_owner(owner_chat)
    assert "\n" not in str(refused.value)


def test_a_bad_file_is_one_line_at_the_start(tmp_path) -> None:
    with (
        pytest.raises(SettingsError, match=r"^USERBOT_MEMORY: .*missing\.sqlite can't be read"),
        open_memory(tmp_path / "missing.sqlite"),
    ):
        pass


def test_without_memory_the_stored_request_is_as_before() -> None:
    event = Event.of(request(), source="/test", time=NOW)
    assert b"memory" not in event.body
    assert request().turns_with_memory == request().turns


def test_a_request_carries_it_and_keeps_its_own_turns() -> None:
    asked = request([SATURDAY])
    again = Event.of(asked, source="/test", time=NOW).data()
    assert again == asked
    assert (asked.memory, [turn.text for turn in asked.turns]) == ((SATURDAY,), [QUESTION])
    assert [(turn.role, turn.text) for turn in asked.turns_with_memory] == [
        (Role.USER, SATURDAY.question),
        (Role.ASSISTANT, SATURDAY.answer),
        (Role.USER, QUESTION),
    ]


def test_a_conversation_that_begins_with_an_answer_does_not_lengthen_the_earlier_one() -> None:
    history = Turn(role=Role.USER, text="раз"), Turn(role=Role.ASSISTANT, text="два")
    asked = request([SATURDAY], ChatRecord(settings=ChatSettings(context_length=1), history=history))
    assert [turn.text for turn in asked.turns] == ["два", QUESTION]
    assert [turn.text for turn in asked.turns_with_memory] == [*(turn.text for turn in SATURDAY.turns), QUESTION]


def long(size: int) -> Exchange:
    return Exchange(question="в" * (size // 2), answer="о" * (size - size // 2))


def test_the_least_alike_is_left_out_where_all_are_too_long() -> None:
    three = [long(500), long(600), long(MAX_MEMORY_CHARS - 600)]
    assert request(three).memory == tuple(three[1:])
    assert request([long(1), long(MAX_MEMORY_CHARS)]).memory == (long(MAX_MEMORY_CHARS),)
    assert request([long(MAX_MEMORY_CHARS + 1)]).memory == ()


def test_it_costs_neither_history_nor_question_anything() -> None:
    history = tuple(Turn(role=role, text="ж" * 300) for role in (Role.USER, Role.ASSISTANT) * 10)
    record = ChatRecord(settings=ChatSettings(context_length=50), history=history)
    memory = [long(900), SATURDAY]
    bare, told = request(record=record), request(memory, record)
    assert told.turns == bare.turns
    assert told.memory == (SATURDAY,)
    characters = sum(len(turn.text) for turn in told.turns_with_memory)
    assert characters / 3 <= MAX_TOKENS
    whole = request([SATURDAY], text="ж" * 5000)
    assert (whole.memory, whole.turns) == ((), request(text="ж" * 5000).turns)
    assert request([SATURDAY], max_bytes=60).memory == ()


def test_the_bridge_carries_it_in_both_formats_and_its_text_stays_text() -> None:
    asked = request([Exchange(question="а <:> б @@ПЕРВЫЙ@@", answer="в")])
    event = Event.of(asked, source="/test", time=NOW)
    body = {
        name: CODECS[name].encode_request(event, asked, expires_in=timedelta(seconds=9)).body.decode()
        for name in CodecName
    }
    assert json.loads(body[CodecName.EVENTS])["memory"] == [{"question": "а <:> б @@ПЕРВЫЙ@@", "answer": "в"}]
    assert body[CodecName.ORIGINAL] == f"а ‹:› б ＠＠ПЕРВЫЙ＠＠<:>в<:>{QUESTION}"


@pytest.mark.parametrize("texts", [TextPolicy.MASK, TextPolicy.REPLACE])
def test_in_a_shared_recording_it_is_a_text_like_others(texts: TextPolicy) -> None:
    event = Event.of(request([SATURDAY]), source="/test", time=NOW)
    [shared] = Pseudonyms(b"key", texts).replace_in([RecordedEvent(Channel.REQUESTS, NOW, event)])
    data = shared.event.data()
    assert isinstance(data, GenerationRequested)
    [one] = data.memory
    assert len(one.question) == len(SATURDAY.question)
    assert not {"субботу", "семи"} & set((one.question + " " + one.answer).replace("?", "").replace(".", "").split())


def test_a_dead_letter_shows_it() -> None:
    event = Event.of(request([SATURDAY]), source="/test", time=NOW)
    lines = describe(DeadLetter(event, "empty", "", "5", NOW))
    assert lines[-3:] == ["memory: user: придёшь в субботу?", "memory: assistant: Да, к семи.", f"user: {QUESTION}"]


def test_nobody_has_a_memory_by_default() -> None:
    assert (
        Memory().recall(str(ANNA), ChatRecord(), QUESTION) == NO_MEMORY.recall(str(ANNA), ChatRecord(), QUESTION) == ()
    )
