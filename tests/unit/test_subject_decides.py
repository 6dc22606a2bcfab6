"""An event that names another subject than the one it came under: its request, or its question, fails at once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from edge.userbot.chat.question_progress import apply_reply
from edge.userbot.chat.record import ChatRecord, Failure, Question, ask
from events.event import Event
from events.ids import RequestId
from events.memory import MemoryLog
from events.runtime.clock import SystemClock
from events.schema import FailureReason, FinishReason, GenerationCompleted
from events.transport import Channel
from tests.unit.test_worker import World

OURS, OTHER = RequestId("1", "2", "3"), "1.2.4.0"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


async def test_a_request_is_a_dead_letter_and_its_asker_hears_of_it(make_event) -> None:
    async def handler(request):
        raise AssertionError("must not be called")

    world = World()
    world.requests.put(replace(make_event(str(OURS)), claimed=OTHER))
    async with world.worker(handler):
        reply = await world.reply()
    assert (reply.subject, reply.data().reason) == (str(OURS), FailureReason.MALFORMED)
    assert await world.log.find(Channel.DEADLETTERS, OURS)


def test_a_reply_fails_the_question_under_whose_subject_it_lies() -> None:
    question = Question(message_id=3, text="привет", locale="ru", asked_at=NOW)
    record = ChatRecord(current=ask(question, OURS, NOW + timedelta(seconds=120)))
    data = GenerationCompleted(request_id=str(OURS), text="да", finish_reason=FinishReason.STOP, model="m")
    reply = replace(Event.of(data, source="/test", time=NOW), claimed=OTHER)
    assert apply_reply(record, reply, NOW, formatted=True).current.outcome == Failure(reason=FailureReason.MALFORMED)


async def test_what_is_stored_in_memory_has_the_subject_of_its_place(make_event) -> None:
    log = MemoryLog(clock=SystemClock())
    await log.publish(Channel.REQUESTS, replace(make_event(str(OURS)), claimed=OTHER))
    found = await log.find(Channel.REQUESTS, OURS)
    assert found is not None
    assert (found.subject, found.claimed) == (str(OURS), "")
