"""Which message in a chat is one of ours, and what the record knows of it afterwards."""

from datetime import UTC, datetime
from hashlib import sha256

from edge.userbot import phrases
from edge.userbot.chat.incoming import OwnMessage
from edge.userbot.chat.own_messages import (
    SentMessage,
    add_notice,
    digest,
    drop_withdrawal,
    expect_sending,
    forget_current,
    is_ours,
    is_sent_next,
    may_be_forgotten,
    record_seen,
    record_sent,
    record_withdrawal,
)
from edge.userbot.chat.owner_turn import take_own
from edge.userbot.chat.record import (
    MAX_NOTICES,
    MAX_SENT,
    MAX_UNCONFIRMED,
    MAX_WITHDRAWN,
    NO_MESSAGE,
    Answered,
    AnswerText,
    ChatRecord,
    Draft,
    Notice,
    Question,
    Unconfirmed,
    ask,
)
from edge.userbot.chat.transitions import Effect
from edge.userbot.rules import Rules
from edge.userbot.text import visible
from events.ids import RequestId

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
QUESTION = Question(message_id=7, text="как дела?", locale="en", asked_at=NOW)
CURRENT = ask(QUESTION, RequestId("1", "2", "7"), NOW)
LINE = phrases.thinking("en", CURRENT.request_id)
DELIVERING = CURRENT.having(thinking_id=10, outcome=AnswerText(text="fine"))
NOTICE = Notice(message_id=3, text="Done.")
ONE, OTHER = Unconfirmed(digest=digest("one"), reply_to=3), Unconfirmed(digest=digest("other"), reply_to=3)


def own(text: str, message_id: int = 1002, reply_to: int | None = None, **more: bool) -> OwnMessage:
    return OwnMessage("1", "2", message_id, text, NOW, reply_to, **more)


def test_the_digest_of_a_text_stays_what_it_was_in_records_of_earlier_versions() -> None:
    assert digest("Done.\n") == digest(" Done.") == sha256(visible("Done.").encode()).hexdigest()[:32]
    assert len(digest("\ud800")) == 32


def test_what_is_sent_next_is_known_by_its_text_and_what_it_replies_to() -> None:
    assert is_sent_next(CURRENT, own(LINE, reply_to=7))
    assert not is_sent_next(CURRENT, own("Done.", reply_to=7))
    assert not is_sent_next(CURRENT, own(LINE, reply_to=8))
    assert not is_sent_next(CURRENT, own(LINE, message_id=7))
    assert is_sent_next(DELIVERING, own("fine", reply_to=10))
    assert not is_sent_next(DELIVERING.having(parts_sent=1), own("fine", reply_to=10))
    without_line = DELIVERING.having(thinking_id=NO_MESSAGE)
    assert is_sent_next(without_line, own("fine", reply_to=7))


def test_a_question_with_another_sign_or_for_approval_has_no_thinking_line() -> None:
    for changes in ({"sign": "typing"}, {"approve": True}):
        assert not is_sent_next(CURRENT.having(question=QUESTION.having(**changes)), own(LINE, reply_to=7))


def test_a_notice_that_is_seen_is_not_taken_for_the_thinking_line() -> None:
    record = ChatRecord(current=CURRENT, notices=(NOTICE,))
    taken = take_own(record, own("Done.", reply_to=3), Rules(), NOW)
    assert (taken.record, taken.effect) == (ChatRecord(current=CURRENT, sent=(1002,)), Effect.OWN)


def test_what_is_seen_of_an_answer_is_recorded_as_if_its_sending_had_been() -> None:
    record = ChatRecord(current=CURRENT)
    seen = take_own(record, own(LINE, 20, reply_to=7), Rules(), NOW).record
    assert seen == ChatRecord(current=CURRENT.having(thinking_id=20), sent=(20,))
    record = ChatRecord(current=DELIVERING)
    part = own("fine", 21, reply_to=10)
    seen = ChatRecord(current=DELIVERING.having(parts_sent=1), sent=(21,))
    assert take_own(record, part, Rules(), NOW).record == seen
    answered = (Answered(request_id=CURRENT.request_id, message_ids=(21,)),)
    assert take_own(record, part, Rules(feedback=True), NOW).record == seen.having(answers=answered)


def test_what_is_nothing_of_ours_is_not_recorded() -> None:
    empty, record = ChatRecord(), ChatRecord(unconfirmed=(ONE,), notices=(NOTICE,), sent=(5,))
    drafted = ChatRecord(drafts=(Draft(chat="2", request_id="1.2.7.0", digests=(digest("draft"),)),))
    assert record_seen(empty, own("what")) is empty
    assert record_seen(record, own("what", reply_to=3)) is record
    assert record_seen(record, own("one", message_id=5, reply_to=3)) is record
    assert record_seen(drafted, own("what")) is drafted
    assert not is_ours(drafted, own("what"))
    assert is_ours(drafted, own("draft"))
    assert is_ours(empty, own("what", is_ours=True))


def test_each_message_of_a_draft_that_is_seen_is_recorded_and_the_last_one_ends_it() -> None:
    draft = Draft(chat="2", request_id="1.2.7.0", digests=(digest("a"), digest("b")))
    seen = record_seen(ChatRecord(drafts=(draft,)), own("a", 20))
    assert (seen.sent, seen.drafts) == ((20,), (draft.having(message_ids=(20,)),))
    seen = record_seen(seen, own("b", 21))
    assert (seen.sent, seen.drafts) == ((20, 21), (draft.having(message_ids=(20, 21), shown=True),))


def test_a_message_that_may_have_been_sent_is_confirmed_once_and_the_others_go_on_waiting() -> None:
    record = ChatRecord(unconfirmed=(ONE, OTHER))
    left = ChatRecord(unconfirmed=(OTHER,), sent=(20,))
    assert record_sent(record, SentMessage(20, "one", 3)) == left
    assert record_seen(record, own("one", 20, reply_to=3)) == left
    assert record_sent(record, SentMessage(20, "one", 4)) == record.having(sent=(20,))
    assert record_sent(record, None) is record


def test_a_message_that_was_to_be_withdrawn_is_once_it_is_confirmed() -> None:
    record = ChatRecord(unconfirmed=(ONE.having(withdraw=True), OTHER))
    left = ChatRecord(unconfirmed=(OTHER,), sent=(20,), withdrawn=(20,))
    assert record_sent(record, SentMessage(20, "one", 3)) == left


def test_of_a_message_without_an_id_the_text_is_kept_and_only_so_many() -> None:
    record = ChatRecord(unconfirmed=(OTHER,) * MAX_UNCONFIRMED)
    unconfirmed = record_sent(record, SentMessage(NO_MESSAGE, "one", 3)).unconfirmed
    assert unconfirmed == (*record.unconfirmed[1:], ONE)


def test_only_so_many_withdrawals_are_kept_and_each_is_dropped_once_it_is_done() -> None:
    record = ChatRecord(withdrawn=tuple(range(1, MAX_WITHDRAWN + 1)))
    assert record_withdrawal(record, 99).withdrawn == (*range(2, MAX_WITHDRAWN + 1), 99)
    assert drop_withdrawal(record, 1).withdrawn == record.withdrawn[1:]
    assert drop_withdrawal(record, 99) is record


def test_of_too_many_notices_the_first_and_the_latest_are_kept() -> None:
    notices = tuple(Notice(message_id=number, text="-") for number in range(1, MAX_NOTICES + 1))
    record = add_notice(ChatRecord(notices=notices), NOTICE)
    assert record.notices == (notices[0], *notices[2:], NOTICE)


def test_a_question_that_is_dropped_leaves_what_is_being_sent_and_its_line_to_withdraw() -> None:
    sending = Unconfirmed(digest=digest(LINE), reply_to=7)
    assert forget_current(ChatRecord(current=CURRENT)) == ChatRecord(unconfirmed=(sending,))
    withdrawn = forget_current(ChatRecord(current=CURRENT), withdraw=True)
    assert withdrawn == ChatRecord(unconfirmed=(sending.having(withdraw=True),))
    answer = Unconfirmed(digest=digest("fine"), reply_to=10)
    record = ChatRecord(current=DELIVERING)
    assert forget_current(record) == expect_sending(record).having(current=None) == ChatRecord(unconfirmed=(answer,))
    assert forget_current(record, withdraw=True) == ChatRecord(unconfirmed=(answer,), withdrawn=(10,))
    begun = ChatRecord(current=DELIVERING.having(parts_sent=1))
    assert forget_current(begun, withdraw=True) == ChatRecord()
    empty = ChatRecord()
    assert forget_current(empty) is expect_sending(empty) is empty


def test_an_old_message_may_be_ours_if_the_record_no_longer_knows_all_of_ours() -> None:
    full = ChatRecord(sent=tuple(range(10, 10 + MAX_SENT)))
    assert may_be_forgotten(full, own("x", 9))
    assert not may_be_forgotten(full, own("x", 10))
    assert not may_be_forgotten(full.having(sent=full.sent[1:]), own("x", 9))
    deleted = ChatRecord(deleted_to=20)
    assert may_be_forgotten(deleted, own("x", 19))
    assert not may_be_forgotten(deleted, own("x", 20))
