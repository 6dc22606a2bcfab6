"""`timokha record --feedback`: the answers that readers have judged, with their conversations, and nobody's ids."""

import asyncio
from datetime import UTC, datetime

import pytest

from cli import record as recording
from cli.settings import RecordSettings
from events.event import Event
from events.ids import RequestId
from events.jetstream.log import JetStreamLog
from events.recordings.feedback import judged_answers, read_judged
from events.recordings.lines import RecordedEvent
from events.recordings.pseudonyms import Pseudonyms, TextPolicy
from events.schema import FeedbackGiven, FinishReason, GenerationCompleted, GenerationRequested, Role, Turn
from events.transport import Channel
from observability.telemetry import noop_telemetry

ACCOUNT, CHAT = "7770001234", "4815162342"
ANNA, BORIS = "0123456789ab", "ba9876543210"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def event(data) -> Event:
    return Event.of(data, source="/test", time=datetime.now(UTC))


def asked(number: int, *turns: Turn) -> Event:
    request_id = f"{ACCOUNT}.{CHAT}.{number}.0"
    return event(
        GenerationRequested(
            request_id=request_id,
            account_id=ACCOUNT,
            chat_id=CHAT,
            message_id=str(number),
            turns=turns or (Turn(role=Role.USER, text=f"Вопрос {number}"),),
            deadline=NOON,
            persona="Ты ветеринар.",
        )
    )


def answered(number: int) -> Event:
    return event(
        GenerationCompleted(
            request_id=f"{ACCOUNT}.{CHAT}.{number}.0",
            text=f"Ответ {number}",
            finish_reason=FinishReason.STOP,
            model="test",
        )
    )


def vote(number: int, vote: int, reader: str = ANNA) -> Event:
    return event(FeedbackGiven(request_id=f"{ACCOUNT}.{CHAT}.{number}.0", reader=reader, vote=vote))


@pytest.fixture
async def log(js):
    """Three answered questions: the first was judged by two readers, the second by none; a vote on a lost question."""
    log = JetStreamLog(js)
    for number in (1, 2, 3):
        await log.publish(Channel.REQUESTS, asked(number))
        await log.publish(Channel.REPLIES, answered(number))
    for given in (vote(1, 1), vote(1, -1), vote(1, -1, BORIS), vote(3, 1), vote(3, 0), vote(9, 1)):
        await log.publish(Channel.FEEDBACK, given)
    return log


@pytest.fixture
def record(nats_server, tmp_path):
    async def recorded(**settings):
        path = tmp_path / "votes.jsonl"
        chosen = RecordSettings.read(nats_url=nats_server.url, file=path, feedback=True, **settings)
        await recording.main(chosen, noop_telemetry(), asyncio.Event())
        return list(read_judged(path)), path.read_text(encoding="utf-8")

    return recorded


async def test_judged_answers_are_saved_with_the_newest_vote_of_each_reader(log, record, capsys) -> None:
    judged, text = await record()
    assert [[message.content for message in one.messages] for one in judged] == [
        ["Вопрос 1", "Ответ 1"],
        ["Вопрос 3", "Ответ 3"],
    ]
    assert [one.votes for one in judged] == [{ANNA: -1, BORIS: -1}, {ANNA: 0}]
    assert [one.verdict for one in judged] == [-1, 0]
    assert "recorded 2 answers with feedback" in capsys.readouterr().err
    assert not [secret for secret in (ACCOUNT, CHAT, "ветеринар") if secret in text]


async def test_they_are_masked_and_pseudonymised_as_recordings_are(log, record) -> None:
    [first, _], text = await record(pseudonymise="mask", key="k")
    assert [message.content for message in first.messages] == ["Xxxxxx 0", "Xxxxx 0"]
    assert sorted(first.votes.values()) == [-1, -1]
    assert ANNA not in text
    assert [first, _] == (await record(pseudonymise="mask", key="k"))[0]


async def test_what_was_deleted_is_in_no_recording(log, record) -> None:
    assert await log.erase_chat(ACCOUNT, CHAT, up_to=1) == 4
    judged, _ = await record()
    assert [one.messages[0].content for one in judged] == ["Вопрос 3"]
    await log.erase_account(ACCOUNT)
    assert (await record())[0] == []
    assert await log.find(Channel.FEEDBACK, RequestId(ACCOUNT, CHAT, "9")) is None


async def test_an_ordinary_recording_has_no_votes(log, nats_server, tmp_path) -> None:
    settings = RecordSettings.read(nats_url=nats_server.url, file=tmp_path / "all.jsonl")
    await recording.main(settings, noop_telemetry(), asyncio.Event())
    assert "feedback" not in (tmp_path / "all.jsonl").read_text()


def test_speakers_of_a_group_have_names_in_the_file() -> None:
    turns = (Turn(role=Role.USER, text="раз", speaker="Анна"), Turn(role=Role.ASSISTANT, text="два"))
    events = [asked(1, *turns, Turn(role=Role.USER, text="три", speaker="Борис")), answered(1), vote(1, 1)]
    recorded = [RecordedEvent(channel, NOON, one) for channel, one in zip(Channel, events, strict=False)]
    [judged] = judged_answers(recorded)
    assert [message.name for message in judged.messages] == ["Анна", "", "Борис", ""]
    assert judged.time == int(NOON.timestamp())
    [masked] = judged_answers(Pseudonyms(b"key", TextPolicy.MASK).replace_in(recorded))
    assert "Анна" not in masked.to_line()
