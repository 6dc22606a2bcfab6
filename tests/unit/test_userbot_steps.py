"""What has to happen next in a chat."""

from datetime import UTC, datetime, timedelta

import pytest

from edge.userbot import phrases
from edge.userbot.chat.question_progress import (
    drop_thinking_line,
    expire,
    record_answer,
    record_failure,
    record_part_sent,
    record_thinking_line,
    take_up_next,
)
from edge.userbot.chat.record import (
    MAX_NOTICES,
    NO_MESSAGE,
    Burst,
    ChatRecord,
    Draft,
    Notice,
    Order,
    Question,
    ask,
    from_json,
)
from edge.userbot.chat.steps import (
    CarryOut,
    CloseBurst,
    Deliver,
    Erase,
    Expire,
    ExpireApproval,
    Finish,
    Notify,
    Recall,
    ShowDraft,
    Submit,
    TakeUp,
    Think,
    Withdraw,
    next_step,
    wake_at,
)
from edge.userbot.formatting.messages import formatted_messages, split
from edge.userbot.formatting.styled_text import FormattedText
from events.ids import RequestId

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DEADLINE = NOW + timedelta(seconds=120)
ID = "7.42.1.0"
QUESTION = Question(message_id=1, text="как дела?", locale="en", asked_at=NOW)
ASKING = ChatRecord(current=ask(QUESTION, RequestId("7", "42", "1"), DEADLINE))
THINKING = record_thinking_line(ASKING, ID, 5)
MARKED = "**ab** `cd`. " * 700
NOTICE = Notice(message_id=3, text="готово")


def test_nothing_is_due_in_a_chat_at_rest() -> None:
    assert next_step(ChatRecord(), NOW) is None
    assert wake_at(ChatRecord()) is None


def test_a_new_question_is_published_and_gets_a_thinking_line() -> None:
    assert ASKING.current is not None
    assert next_step(ASKING, NOW) == Think(ASKING.current)


def test_a_question_being_answered_waits_until_its_deadline() -> None:
    assert next_step(THINKING, NOW) is None
    assert wake_at(THINKING) == DEADLINE
    assert next_step(THINKING, DEADLINE) == Expire(THINKING.current)


def test_a_question_whose_deadline_passed_before_it_was_published_expires_at_once() -> None:
    assert next_step(ASKING, DEADLINE) == Expire(ASKING.current)


def test_the_thinking_line_comes_first_even_when_the_answer_is_in() -> None:
    delivering = record_answer(ASKING, ID, "fine", NOW)
    assert delivering.current is not None
    assert next_step(delivering, DEADLINE) == Think(delivering.current)


def test_an_answer_is_delivered_after_the_thinking_line() -> None:
    delivering = record_answer(THINKING, ID, "fine", NOW)
    assert delivering.current is not None
    assert next_step(delivering, DEADLINE) == Deliver(delivering.current, 0, FormattedText("fine"), 1)
    assert next_step(record_part_sent(delivering, ID, 1), NOW) == Finish()
    assert wake_at(delivering) is None


def test_a_long_answer_is_delivered_part_by_part_and_the_same_after_a_restart() -> None:
    text = "ab cd. " * 2000
    delivering, sent = record_answer(THINKING, ID, text, NOW), []
    while isinstance(step := next_step(delivering, NOW), Deliver):
        sent.append(step.part.text)
        assert (step.part_index, step.parts_total) == (len(sent) - 1, 4)
        delivering = from_json(record_part_sent(delivering, ID, len(sent)).to_json())
    assert sent == split(text)
    assert step == Finish()


def test_a_formatted_answer_is_delivered_as_formatted_parts_and_the_same_after_a_restart() -> None:
    delivering, sent = record_answer(THINKING, ID, MARKED, NOW, formatted=True), []
    while isinstance(step := next_step(delivering, NOW), Deliver):
        sent.append(step.part)
        delivering = from_json(record_part_sent(delivering, ID, len(sent)).to_json())
    assert len(sent) > 1
    assert tuple(sent) == formatted_messages(MARKED, formatted=True)
    assert delivering.current.outcome.text == MARKED.strip()


def test_an_answer_that_an_earlier_version_has_begun_to_deliver_goes_on_as_plain_text() -> None:
    settled = record_answer(THINKING, ID, MARKED, NOW, formatted=True)
    earlier = from_json(settled.to_json().replace(b',"formatted":true', b""))
    step = next_step(record_part_sent(earlier, ID, 1), NOW)
    assert step.part == formatted_messages(MARKED, formatted=False)[1]


def test_the_first_message_of_a_live_outcome_replaces_the_thinking_line() -> None:
    live = ChatRecord(current=ask(QUESTION.having(live=True), RequestId("7", "42", "1"), DEADLINE))
    delivering = record_answer(record_thinking_line(live, ID, 5), ID, "ab cd. " * 2000, NOW)
    steps = [next_step(record_part_sent(delivering, ID, number), NOW) for number in range(3)]
    assert [step.edits for step in steps] == [5, None, None]
    failing = next_step(record_failure(record_thinking_line(live, ID, 5), ID, "empty", NOW), NOW)
    assert failing.edits == 5


@pytest.mark.parametrize("thinking_id", [0, 5])
def test_a_live_outcome_without_a_line_to_replace_is_a_message(thinking_id: int) -> None:
    live = ChatRecord(current=ask(QUESTION.having(live=True), RequestId("7", "42", "1"), DEADLINE))
    lost = drop_thinking_line(record_answer(record_thinking_line(live, ID, thinking_id), ID, "fine", NOW), ID)
    step = next_step(lost, NOW)
    assert (step.part.text, step.edits) == ("fine", None)


@pytest.mark.parametrize("reason", ["empty", phrases.DEADLINE, "from the future"])
def test_a_failure_is_told_in_one_line_in_the_users_language(reason: str) -> None:
    step = next_step(record_failure(THINKING, ID, reason, NOW), NOW)
    assert isinstance(step, Deliver)
    assert (step.part.text, step.parts_total) == (phrases.failure("en", reason), 1)


def test_erasing_comes_before_everything_and_notices_before_the_question() -> None:
    record = ASKING.having(erasing=True, deleted_to=3, notices=(NOTICE,))
    assert next_step(record, DEADLINE) == Erase(3)
    assert next_step(record.having(erasing=False), DEADLINE) == Notify(NOTICE)


def test_a_chat_whose_events_cant_be_erased_goes_on_but_says_nothing_of_them() -> None:
    later = Notice(message_id=4, text="help")
    record = ASKING.having(erasing=True, deleted_to=3, notices=(NOTICE, later))
    assert next_step(record, NOW, erase=False) == Notify(later)
    assert next_step(record.having(notices=(NOTICE,)), NOW, erase=False) == Think(ASKING.current)


def test_what_waits_is_taken_up_when_nothing_is_being_answered() -> None:
    record = ChatRecord(waiting=(QUESTION.having(revision=1),))
    assert next_step(record, NOW) == TakeUp()
    taken = take_up_next(record, "7", "42", DEADLINE)
    assert taken.waiting == ()
    assert taken.current is not None
    assert taken.current.request_id == "7.42.1.1"
    assert next_step(ASKING.having(waiting=(QUESTION,)), NOW) == Think(ASKING.current)
    assert take_up_next(ASKING, "7", "42", DEADLINE) is ASKING


def test_while_nothing_can_be_sent_a_deadline_still_passes_and_an_outcome_waits() -> None:
    record = ASKING.having(notices=(NOTICE,))
    assert next_step(record, DEADLINE, send=False) == Expire(ASKING.current)
    late = expire(record, DEADLINE)
    assert next_step(late, DEADLINE, send=False) is None
    assert next_step(late, DEADLINE) == Notify(NOTICE)


ORDER = Order(message_id=8, text="+", date=NOW, reply_to=99)
DRAFT = Draft(chat="42", request_id=ID, digests=("d",))
BURST = Burst(sender="42", pieces=(QUESTION,), due_at=NOW, not_before=NOW, close_by=DEADLINE)


def test_an_order_that_may_be_about_a_draft_waits_until_that_is_shown() -> None:
    record = ChatRecord(orders=(ORDER,), drafts=(DRAFT,))
    assert next_step(record, NOW) == ShowDraft(DRAFT)
    assert next_step(record, NOW, send=False) is None
    for draft in (DRAFT.having(message_ids=(99,)), DRAFT.having(shown=True), DRAFT.having(closed=True)):
        assert next_step(record.having(drafts=(draft,)), NOW) == CarryOut(ORDER)
    other = ORDER.having(reply_to=NO_MESSAGE)
    assert next_step(record.having(orders=(other, ORDER)), NOW, send=False) == CarryOut(other)


def test_an_order_waits_while_there_is_no_room_for_its_answer() -> None:
    notices = tuple(Notice(message_id=number, text="-") for number in range(1, MAX_NOTICES + 1))
    record = ChatRecord(orders=(ORDER,), notices=notices)
    assert next_step(record, NOW) == Notify(notices[0])
    assert next_step(record.having(notices=notices[1:]), NOW) == CarryOut(ORDER)


def test_what_is_to_be_removed_and_shown_comes_before_bursts_and_these_before_the_question() -> None:
    record = ASKING.having(current=None, waiting=(QUESTION,))
    assert next_step(record.having(bursts=(BURST,)), NOW) == TakeUp()
    record = ChatRecord(bursts=(BURST,), drafts=(DRAFT,), withdrawn=(5, 6), recalled=("7.42.3.0", "7.42.4.0"))
    steps = []
    for done in ({"recalled": ()}, {"withdrawn": ()}, {"drafts": ()}, {"bursts": ()}):
        steps.append(next_step(record, NOW))
        record = record.having(**done)
    assert steps == [Recall("7.42.3.0"), Withdraw(5), ShowDraft(DRAFT), CloseBurst(BURST)]
    assert next_step(record, NOW) is None


def test_a_burst_is_closed_when_it_is_due_and_its_person_has_stopped_typing() -> None:
    record = ChatRecord(bursts=(BURST,))
    later = NOW + timedelta(seconds=1)
    assert next_step(record, NOW - timedelta(seconds=1)) is None
    assert next_step(record, NOW, typing={"42": later}) is None
    assert next_step(record, later, typing={"42": later}) == CloseBurst(BURST)
    assert (wake_at(record), wake_at(record, {"42": later})) == (NOW, later)
    assert wake_at(ASKING.having(bursts=(BURST,))) == DEADLINE


def test_an_answer_that_needs_approval_is_submitted_and_expires() -> None:
    current = ask(QUESTION.having(approve=True), RequestId("7", "42", "1"), DEADLINE)
    asking = ChatRecord(current=current)
    assert next_step(asking, NOW, send=False) == Think(current)
    answered = record_answer(record_thinking_line(asking, ID, 0), ID, "fine", NOW)
    assert next_step(answered, NOW, send=False) == Submit(answered.current)
    assert wake_at(answered) is None
    until = DEADLINE + timedelta(hours=1)
    waiting = answered.having(current=answered.current.having(submitted=True, approve_until=until))
    assert next_step(waiting, until - timedelta(seconds=1)) is None
    assert next_step(waiting, until) == ExpireApproval(waiting.current)
    assert wake_at(waiting) == until
    early = waiting.having(bursts=(BURST,))
    assert wake_at(early) == NOW
    endless = waiting.having(current=waiting.current.having(approve_until=None))
    assert next_step(endless, NOW) == ExpireApproval(endless.current)


def test_while_nothing_can_be_sent_an_outcome_waits_but_one_that_was_sent_is_finished() -> None:
    delivering = record_answer(THINKING, ID, "fine", NOW)
    assert next_step(delivering, NOW, send=False) is None
    assert next_step(record_part_sent(delivering, ID, 1), NOW, send=False) == Finish()
    assert next_step(ASKING, NOW, send=False) is None
