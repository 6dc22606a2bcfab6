"""The persona: the owner says who answers; it travels with each question, and never at the question's cost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.codecs import CODECS
from bridge.settings import BridgeSettings, CodecName
from cli.doctor.bridge import examine_codec
from cli.doctor.findings import Level
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.record import ChatRecord, ChatSettings, from_json
from edge.userbot.chat.request_builder import build_request
from edge.userbot.chat.transitions import receive
from edge.userbot.rule_values import MAX_PERSONA
from edge.userbot.rules import Rules
from edge.userbot.settings import UserbotSettings
from events.errors import SettingsError
from events.event import Event
from events.recordings.lines import RecordedEvent
from events.recordings.pseudonyms import Pseudonyms, TextPolicy
from events.schema import GenerationRequested, Role, Sampling, Turn
from events.transport import Channel

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NEEDED = {"api_id": "1", "api_hash": "x"}
PERSONA = "Ты Мария, врач из Казани. Отвечай вежливо."


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(persona: str) -> str:
    return UserbotSettings.read(**NEEDED, persona=persona).persona


def test_it_is_set_without_control_characters_and_white_space_around_it() -> None:
    assert read(" Ты Мария.\r\nВрач\x00 из\x1b Казани.\u200b\n") == "Ты Мария.\nВрач из Казани."
    assert read("\u200b \x00\n") == ""
    assert UserbotSettings.read(**NEEDED).persona == ""


def test_it_is_bounded_and_one_line_says_so() -> None:
    assert len(read("я" * MAX_PERSONA)) == MAX_PERSONA
    with pytest.raises(SettingsError, match=r"^USERBOT_PERSONA: .*at most 2000 characters") as refused:
        read("я" * (MAX_PERSONA + 1))
    assert "\n" not in str(refused.value)


def asked(text: str = "как дела?", persona: str = PERSONA, record: ChatRecord | None = None) -> ChatRecord:
    message = Incoming("7", "42", 9, f"Тимоха, {text}", "ru", NOW, {})
    return receive(record or ChatRecord(), message, Rules(persona=persona), NOW).record


def request(record: ChatRecord, **bounds: int) -> GenerationRequested:
    assert record.current
    return build_request(record, record.current, "7", "42", Sampling(), **bounds)


def event(persona: str = PERSONA, text: str = "как дела?") -> Event:
    return Event.of(request(asked(text, persona)), source="/test", time=NOW)


def test_a_question_keeps_the_persona_of_the_moment_it_was_asked() -> None:
    stored = from_json(asked().to_json())
    assert request(stored).persona == PERSONA
    later = Incoming("7", "42", 10, "Тимоха, а ты?", "ru", NOW, {})
    queued = receive(stored, later, Rules(persona="Ты кот.", when_busy="queue"), NOW).record
    assert (request(queued).persona, queued.waiting[0].persona) == (PERSONA, "Ты кот.")


def test_without_one_the_stored_request_is_as_before() -> None:
    assert b"persona" not in event("").body
    assert b"persona" not in asked(persona="").to_json()
    data = event("").data()
    assert isinstance(data, GenerationRequested)
    assert data.persona == ""


HISTORY = tuple(Turn(role=role, text="ж" * 300) for role in (Role.USER, Role.ASSISTANT) * 10)


def test_it_costs_earlier_messages_their_place() -> None:
    record = ChatRecord(settings=ChatSettings(context_length=50), history=HISTORY)
    bare, told = (request(asked(persona=text, record=record)) for text in ("", "я" * 900))
    assert len(bare.turns) - len(told.turns) == 4  # 304 tokens, where an earlier message is 104, in whole exchanges
    assert told.turns == bare.turns[4:]
    told = request(asked(persona="я" * 900, record=record), max_bytes=3_000)
    assert 900 < sum(len(turn.text.encode()) for turn in told.turns) + 1_800 <= 3_000


def test_it_costs_the_question_nothing() -> None:
    text = "ж" * 4096
    assert [turn.text for turn in request(asked(text, "я" * MAX_PERSONA)).turns] == [text]


@pytest.mark.parametrize("texts", [TextPolicy.MASK, TextPolicy.REPLACE])
def test_in_a_shared_recording_it_is_a_text_like_others(texts: TextPolicy) -> None:
    recorded = RecordedEvent(Channel.REQUESTS, NOW, event())
    [shared] = Pseudonyms(b"key", texts).replace_in([recorded])
    data = shared.event.data()
    assert isinstance(data, GenerationRequested)
    assert len(data.persona) == len(PERSONA)
    assert not {"Мария", "врач", "Казани"} & set(data.persona.replace(",", "").replace(".", "").split())
    [shared] = Pseudonyms(b"key", texts).replace_in([replace(recorded, event=event(""))])
    assert b"persona" not in shared.event.body


def test_the_bridge_carries_it_as_events_and_leaves_it_out_of_the_originals_text() -> None:
    sent = event()
    data = sent.data()
    assert isinstance(data, GenerationRequested)
    body = {name: CODECS[name].encode_request(sent, data, expires_in=timedelta(seconds=9)).body for name in CodecName}
    assert PERSONA in body[CodecName.EVENTS].decode()
    assert body[CodecName.ORIGINAL].decode() == "как дела?"


def test_a_request_from_rabbitmq_may_bring_one() -> None:
    sent = event()
    data = sent.data()
    assert isinstance(data, GenerationRequested)
    codec = CODECS[CodecName.EVENTS]
    message = replace(codec.encode_request(sent, data, expires_in=timedelta(seconds=9)), correlation_id="1")
    arrived, _ = codec.decode_request(message, deadline=NOW)
    assert arrived.persona == PERSONA


@pytest.mark.parametrize(
    ("codec", "direction", "persona", "says"),
    [
        ("original", "out", True, True),
        ("original", "out", False, False),
        ("original", "in", True, False),
        ("events", "out", True, False),
    ],
)
def test_the_doctor_says_where_it_is_left_out(codec: str, direction: str, persona: bool, says: bool) -> None:
    bridge = BridgeSettings.read(codec=codec, direction=direction)
    found = [(finding.level, "USERBOT_PERSONA" in finding.text) for finding in examine_codec(bridge, persona=persona)]
    assert found == [(Level.NOTE, True)] * says


def test_one_persons_is_read_as_everyones() -> None:
    contacts = {"@anna": {"persona": " Ты Мария.\x00\n"}, "7": {"persona": "я" * MAX_PERSONA}}
    assert UserbotSettings.read(**NEEDED, contacts=contacts).contacts["@anna"].persona == "Ты Мария."
    contacts["7"]["persona"] += "я"
    with pytest.raises(SettingsError, match=r"^\w+_CONTACTS: 7\.persona is .*it has 2001 characters"):
        UserbotSettings.read(**NEEDED, contacts=contacts)
