"""The same text without the prefix: it gets no second answer, but what got none is no repeat."""

from datetime import UTC, datetime, timedelta

from edge.userbot.chat.bursts import due_burst, leave_out
from edge.userbot.chat.closing import close_burst
from edge.userbot.chat.deletions import take_edit
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.own_messages import forget_current
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import Effect, receive
from edge.userbot.rules import Rules
from edge.userbot.triggers import Triggers

BEGAN = datetime(2026, 11, 27, 12, tzinfo=UTC)
RULES = Rules(triggers=Triggers.of(["private"]))
TEXT = "сколько стоит?"


def take(record: ChatRecord, number: int, text: str, *, at: float = 0) -> tuple[ChatRecord, Effect]:
    now = BEGAN + timedelta(seconds=at)
    decision = receive(record, Incoming("1", "2", number, text, "ru", now), RULES, now)
    return decision.record, decision.effect


def asked(record: ChatRecord, *, at: float) -> ChatRecord:
    now = BEGAN + timedelta(seconds=at)
    burst = due_burst(record, now)
    assert burst
    return close_burst(record, burst, "1", "2", now=now, deadline=timedelta(minutes=2))


def test_what_was_asked_is_not_asked_again_a_moment_later() -> None:
    record = forget_current(asked(take(ChatRecord(), 5, TEXT)[0], at=2))
    assert take(record, 6, " Сколько  СТОИТ?", at=60)[1] is Effect.REPEATED
    assert take(record, 6, TEXT, at=62)[1] is Effect.COLLECTING
    assert take(record, 6, "сколько стоит", at=10)[1] is Effect.COLLECTING


def test_what_is_written_twice_in_a_burst_stands_in_its_question_twice() -> None:
    record, _ = take(ChatRecord(), 5, "не хочу")
    record, effect = take(record, 6, "не хочу", at=1)
    assert effect is Effect.COLLECTED
    record = asked(record, at=3)
    assert record.current
    assert record.current.question.text == "не хочу\nне хочу"


def test_what_was_deleted_before_it_was_asked_may_be_written_again() -> None:
    record = leave_out(take(ChatRecord(), 5, TEXT)[0], {5})
    assert take(record, 6, TEXT, at=1)[1] is Effect.COLLECTING


def test_an_edited_text_counts_as_edited() -> None:
    edited = take_edit(take(ChatRecord(), 5, TEXT)[0], 5, "сколько ехать?", RULES).record
    record = forget_current(asked(edited, at=2))
    assert take(record, 6, TEXT, at=3)[1] is Effect.COLLECTING
    assert take(record, 6, "сколько ехать?", at=3)[1] is Effect.REPEATED
