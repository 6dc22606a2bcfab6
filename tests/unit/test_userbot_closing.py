"""A burst takes in as much as it has room for, and becomes a question once it is due."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from edge.userbot import phrases
from edge.userbot.chat.admission import count_without_prefix
from edge.userbot.chat.bursts import (
    add,
    begin,
    change_piece,
    due_at,
    due_burst,
    find_piece,
    has_room,
    leave_out,
    limit_bursts,
    part_before,
    question_of,
)
from edge.userbot.chat.closing import close_burst, drop_doubtful, skip_burst
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.record import (
    MAX_QUESTION_BYTES,
    AnswerText,
    Burst,
    ChatRecord,
    Current,
    Notice,
    Question,
    Rate,
    ask,
)
from edge.userbot.chat.transitions import Decision, Effect, receive
from edge.userbot.delays import Delay
from edge.userbot.rules import Rules
from edge.userbot.triggers import Triggers
from events.ids import RequestId

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
RULES = Rules(debounce=3 * SECOND)


def piece(message_id: int, text: str = "привет", **more: object) -> Question:
    return Question(message_id=message_id, text=text, locale="ru", asked_at=NOW, **more)


def burst(*pieces: Question, sender: str = "42", due: datetime = NOW) -> Burst:
    return Burst(sender=sender, pieces=pieces, due_at=due, not_before=NOW, close_by=NOW + MINUTE)


BURST = burst(piece(5), piece(6, "ты где?"))
RECORD = ChatRecord(bursts=(BURST, burst(piece(7), sender="43")))
ASKED = ask(piece(1, "раз"), RequestId("7", "42", "1"), NOW + MINUTE)
AWAITING = ASKED.having(question=ASKED.question.having(approve=True), outcome=AnswerText(text="a"))


def close(record: ChatRecord, one: Burst = BURST, now: datetime = NOW) -> ChatRecord:
    return close_burst(record, one, "7", "42", now=now, deadline=MINUTE)


def current_of(record: ChatRecord) -> Current:
    assert record.current
    return record.current


def test_a_burst_that_is_due_becomes_the_question_to_its_last_piece() -> None:
    record = RECORD.having(bursts=(burst(piece(5), piece(6, "ты где?", revision=2)), *RECORD.bursts[1:]))
    closed = close(record)
    current = current_of(closed)
    assert (current.request_id, current.deadline) == ("7.42.6.2", NOW + MINUTE)
    assert current.question.text == "привет\nты где?"
    assert closed.bursts == RECORD.bursts[1:]
    assert [heard.at for heard in closed.heard] == [NOW, NOW]


def test_what_was_answered_is_kept_in_a_form_that_later_versions_know_again() -> None:
    digests = [sha256(f"42 {text}".encode()).hexdigest()[:16] for text in ("привет", "ты где?")]
    assert [heard.digest for heard in close(RECORD).heard] == digests


def test_a_further_piece_is_taken_in_although_the_answers_of_the_minute_and_the_hour_are_given() -> None:
    rules = Rules(triggers=Triggers.of(["any"]), max_answers=1, max_without_prefix=1)
    record = receive(ChatRecord(), Incoming("7", "42", 5, "привет", "ru", NOW), rules, NOW).record
    for number, effect in ((6, Effect.COLLECTED), (7, Effect.COLLECTED)):
        decision = receive(record, Incoming("7", "42", number, "привет", "ru", NOW), rules, NOW)
        assert decision.effect is effect
        record = decision.record


def test_a_delay_is_drawn_from_the_message_and_always_the_same() -> None:
    message = Incoming("7", "42", 5, "привет", "ru", NOW)
    rules = Rules(triggers=Triggers.of(["any"]), delay=Delay.parse("10-20"))
    share = int.from_bytes(sha256(b"7.42.5.0 delay").digest()[:8], "big") / 2**64
    assert receive(ChatRecord(), message, rules, NOW).record.bursts[0].due_at == NOW + rules.delay.at(share)


def test_answers_to_messages_without_the_prefix_are_counted_by_the_hour() -> None:
    rate = count_without_prefix(Rate(), NOW)
    assert rate == Rate(hour_since=NOW, without_prefix=1)
    assert count_without_prefix(rate, NOW + 59 * MINUTE) == Rate(hour_since=NOW, without_prefix=2)
    assert count_without_prefix(rate, NOW + 60 * MINUTE) == Rate(hour_since=NOW + 60 * MINUTE, without_prefix=1)


def test_a_burst_joins_the_question_whose_draft_waits() -> None:
    closed = current_of(close(RECORD.having(current=AWAITING)))
    assert (closed.request_id, closed.deadline) == ("7.42.6.0", NOW + MINUTE)
    assert closed.question.text == "раз\nпривет\nты где?"


@pytest.mark.parametrize(
    ("record", "now"),
    [
        (RECORD, NOW - SECOND),
        (RECORD.having(current=ASKED), NOW),
        (RECORD.having(waiting=(piece(2),)), NOW),
        (RECORD.having(bursts=RECORD.bursts[1:]), NOW),
    ],
    ids=["not due", "a question is being answered", "a question waits", "gone"],
)
def test_a_burst_that_cant_be_closed_now_stays(record: ChatRecord, now: datetime) -> None:
    assert close(record, now=now) is record


def test_a_burst_begun_in_the_moment_of_the_restore_is_not_doubtful() -> None:
    assert drop_doubtful(RECORD, NOW) == Decision(RECORD, Effect.DOUBTFUL)
    dropped = drop_doubtful(RECORD, NOW + SECOND)
    assert dropped == Decision(ChatRecord(), Effect.DOUBTFUL, tuple(map(question_of, RECORD.bursts)))


def test_a_burst_that_cant_be_stored_gets_a_line_to_its_last_piece_in_its_language() -> None:
    notice = Notice(message_id=6, text=phrases.failure("ru", phrases.INTERNAL))
    assert skip_burst(RECORD, BURST) == ChatRecord(bursts=RECORD.bursts[1:], notices=(notice,))


def test_the_burst_that_has_been_due_for_longest_comes_first() -> None:
    earlier, later = burst(piece(5), due=NOW - SECOND), burst(piece(6), sender="43")
    record = ChatRecord(bursts=(later, earlier))
    assert due_burst(record, NOW) == earlier
    assert due_burst(record, NOW - SECOND) == earlier
    assert due_burst(record, NOW - 2 * SECOND) is None
    assert due_burst(record, NOW, {"42": NOW + SECOND}) == later
    assert due_burst(record.having(current=ASKED), NOW) is None
    assert due_burst(record.having(current=AWAITING), NOW) == earlier


def test_a_burst_waits_for_who_is_typing_but_not_for_ever() -> None:
    assert due_at(BURST, {"42": NOW + SECOND}) == NOW + SECOND
    assert due_at(BURST, {"42": NOW - SECOND, "43": NOW + SECOND}) == NOW
    assert due_at(BURST, {"42": NOW + 2 * MINUTE}) == NOW + MINUTE


def full_but_for(left: int) -> Burst:
    return burst(piece(5, "я" * 8), piece(6, "x" * (MAX_QUESTION_BYTES - 18 - left)))


def test_a_burst_has_room_for_all_that_fits_between_line_breaks() -> None:
    record = ChatRecord(bursts=(full_but_for(10),))
    assert has_room(record, "x" * 10, "42")
    assert has_room(record, "я" * 5, "42")
    assert not has_room(record, "x" * 11, "42")
    assert not has_room(record, "я" * 6, "42")
    assert has_room(record, "x" * 11, "43")
    assert not has_room(ChatRecord(bursts=(full_but_for(-5),)), "x", "42")


def test_an_edited_piece_is_cut_to_the_room_that_the_others_leave() -> None:
    record = ChatRecord(bursts=(full_but_for(10),))
    changed = change_piece(record, record.bursts[0], record.bursts[0].pieces[0], "x" * 100)
    assert [len(one.text) for one in changed.bursts[0].pieces] == [27, MAX_QUESTION_BYTES - 28]
    assert change_piece(record, record.bursts[0], record.bursts[0].pieces[0], "я" * 8) is record


def test_the_question_of_a_burst_is_doubtful_or_needs_approval_if_a_piece_does() -> None:
    assert not question_of(BURST).doubtful
    assert question_of(burst(piece(5, doubtful=True), piece(6))).doubtful
    question = question_of(burst(piece(5, approve=True), piece(6, live=True, sign="typing")))
    assert (question.approve, question.live, question.sign) == (True, False, "")
    question = question_of(burst(piece(5), piece(6, live=True, sign="typing")))
    assert (question.approve, question.live, question.sign) == (False, True, "typing")


def test_a_part_of_a_burst_is_a_question_as_well() -> None:
    assert part_before(BURST, lambda one: one.message_id < 6) == piece(5)
    assert part_before(BURST, lambda one: one.message_id < 5) is None
    assert find_piece(RECORD, 6) == (BURST, BURST.pieces[1])
    assert find_piece(RECORD, 8) is None


def test_only_the_newest_piece_has_the_persona_also_if_a_later_one_is_left_out() -> None:
    record = begin(ChatRecord(), piece(6, persona="Мария"), "42", RULES, now=NOW, delay=SECOND)
    assert record.bursts == (burst(piece(6, persona="Мария"), due=NOW + 3 * SECOND).having(not_before=NOW + SECOND),)
    record = add(record, piece(5, persona="Анна"), record.bursts[0], RULES, now=NOW, asks=False)
    assert record.bursts[0].pieces == (piece(5), piece(6, persona="Анна"))
    assert leave_out(record, {6}).bursts[0].pieces == (piece(5, persona="Анна"),)
    assert leave_out(record, {7}) is record


def test_what_has_the_prefix_makes_its_burst_due_at_once() -> None:
    record = begin(ChatRecord(), piece(5), "42", RULES, now=NOW, delay=MINUTE)
    asked = add(record, piece(6), record.bursts[0], RULES, now=NOW + SECOND, asks=True)
    assert asked.bursts[0].due_at == NOW + SECOND
    collected = add(record, piece(6), record.bursts[0], RULES, now=NOW + SECOND, asks=False)
    assert collected.bursts[0].due_at == NOW + MINUTE


def test_what_is_due_later_than_the_settings_allow_is_moved_and_the_rest_is_not() -> None:
    late = burst(piece(5), due=NOW + MINUTE + SECOND).having(close_by=NOW + 2 * MINUTE)
    other = burst(piece(6), sender="43", due=NOW + MINUTE)
    record = ChatRecord(bursts=(late, other))
    moved = late.having(due_at=NOW + MINUTE, not_before=NOW + MINUTE, close_by=NOW + MINUTE)
    assert limit_bursts(record, NOW, RULES).bursts == (moved, other)
    assert limit_bursts(record, NOW, Rules(delay=Delay.parse("61"))) is record
