"""Approval of an answer: what each event does to the asking chat's record."""

from datetime import UTC, datetime, timedelta

import pytest

from edge.userbot.chat.approval import (
    Approve,
    Reject,
    Replace,
    decide,
    expire_approval,
    limit_approval,
    needs_approval,
    read_choice,
    submit,
)
from edge.userbot.chat.drafts import finish_recall
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.question_progress import (
    drop_answered_question,
    expire,
    finish_question,
    give_up_question,
    record_answer,
    record_failure,
    record_part_sent,
    record_thinking_line,
)
from edge.userbot.chat.record import (
    MAX_ANSWER_BYTES,
    MAX_QUESTION_BYTES,
    NO_MESSAGE,
    AnswerText,
    ChatRecord,
    Failure,
    from_json,
)
from edge.userbot.chat.steps import Deliver, Expire, ExpireApproval, Recall, Submit, TakeUp, Think, next_step, wake_at
from edge.userbot.chat.transitions import Effect, receive
from edge.userbot.people import People, Person
from edge.userbot.rules import Rules
from events.schema import FailureReason, Role, Turn

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=1)
LATER = NOW + timedelta(minutes=2)
ID = "7.42.1.0"
ALL = Rules(approve="all")
QUEUE = Rules(approve="all", when_busy="queue")
ANNA = Person(id="42", usernames=frozenset({"anna"}), name="Анна")


def says(record: ChatRecord, text: str, number: int = 1, rules: Rules = ALL) -> tuple[ChatRecord, Effect]:
    decision = receive(record, Incoming("7", "42", number, text, "ru", NOW, sender=ANNA), rules, NOW)
    return decision.record, decision.effect


def asked(rules: Rules = ALL) -> ChatRecord:
    """The request is published."""
    return record_thinking_line(says(ChatRecord(), "Тимоха, как дела?", rules=rules)[0], ID, NO_MESSAGE)


def drafted(rules: Rules = ALL) -> ChatRecord:
    return record_answer(asked(rules), ID, "хорошо", NOW, formatted=True)


def submitted(rules: Rules = ALL) -> ChatRecord:
    return submit(drafted(rules), ID, UNTIL)


@pytest.mark.parametrize(
    ("approve", "history", "needed"),
    [
        ("off", (), False),
        ("all", (), True),
        ("new", (), True),
        ("new", (Turn(role=Role.USER, text="а"), Turn(role=Role.ASSISTANT, text="б")), False),
        ("listed", (), True),
    ],
)
def test_the_setting_says_whose_answers_need_approval(approve, history, needed) -> None:
    rules = Rules(approve=approve, approve_list=People.of(["@anna"]))
    assert needs_approval(ChatRecord(history=history), ANNA, "42", rules) is needed


def test_someone_who_is_not_listed_is_answered_at_once() -> None:
    assert not needs_approval(
        ChatRecord(), Person(id="43"), "43", Rules(approve="listed", approve_list=People.of(["42"]))
    )


@pytest.mark.parametrize(
    ("found", "said", "needed"),
    [(None, None, True), (None, False, False), (None, True, True), (False, True, False), (True, False, True)],
)
def test_who_may_have_written_first_needs_approval_as_far_as_that_was_found_out(found, said, needed) -> None:
    rules = Rules(approve="listed", approve_list=People.of(["wrote_first"]))
    record = ChatRecord(wrote_first=found)
    assert needs_approval(record, Person(id="43", wrote_first=said), "43", rules) is needed


def test_without_the_setting_no_question_needs_approval() -> None:
    record, _ = says(ChatRecord(), "Тимоха, раз", rules=Rules())
    assert record.current
    assert not record.current.question.approve


def test_a_question_that_needs_approval_says_so_and_who_asks_and_never_grows_in_the_chat() -> None:
    record, effect = says(ChatRecord(), "Тимоха, раз", rules=Rules(approve="all", live=True))
    assert effect is Effect.ASKED
    assert record.current
    assert record.current.question.approve
    assert record.current.question.asker == "Анна (@anna)"
    assert not record.current.question.live


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("+", Approve()),
        (" + \n", Approve()),
        ("👍", Approve()),
        ("👍🏽", Approve()),
        ("-", Reject()),
        ("–", Reject()),
        ("—", Reject()),
        ("👎", Reject()),
        ("Привет, это я сам", Replace("Привет, это я сам")),
        ("+7 900", Replace("+7 900")),
        ("- раз\n- два", Replace("- раз\n- два")),
        ("да", Replace("да")),
        ("", None),
        (" \u200b", None),
        ("/cancel", None),
        ("\u200b/cancel", None),
    ],
)
def test_the_owners_reply_is_a_choice(text, choice) -> None:
    assert read_choice(text) == choice


def test_a_text_of_the_owners_is_kept_within_bounds() -> None:
    assert read_choice("я" * MAX_ANSWER_BYTES) == Replace("я" * (MAX_ANSWER_BYTES // 2))


def test_a_question_that_needs_approval_is_published_even_while_nothing_can_be_sent() -> None:
    record, _ = says(ChatRecord(), "Тимоха, раз")
    assert record.current
    assert next_step(record, NOW, send=False) == Think(record.current)


def test_the_answer_goes_to_the_owner_first_and_waits_there() -> None:
    record = drafted()
    assert record.current
    assert record.current.state == "awaiting_approval"
    assert next_step(record, NOW) == Submit(record.current)
    record = submit(record, ID, UNTIL)
    assert next_step(record, NOW) is None
    assert wake_at(record) == UNTIL
    assert from_json(record.to_json()) == record


def test_the_draft_waits_beyond_the_deadline_which_is_the_workers() -> None:
    record = submitted()
    assert record.current
    after = record.current.deadline + timedelta(seconds=1)
    assert expire(record, after) is record
    assert next_step(record, after) is None


def test_a_failure_goes_to_the_owner_too() -> None:
    record = expire(asked(), NOW + ALL.deadline)
    assert record.current
    assert isinstance(next_step(record, NOW), Submit)
    assert isinstance(next_step(asked(), NOW + ALL.deadline), Expire)


def test_submitting_again_changes_nothing() -> None:
    assert submit(submitted(), ID, UNTIL + timedelta(hours=1)) == submitted()
    assert submit(submitted(), "7.42.2.0", UNTIL) == submitted()


def test_an_approved_answer_is_delivered_as_it_is_and_the_draft_recalled() -> None:
    record = decide(submitted(), ID, Approve(), by=9, deadline=LATER)
    assert next_step(record, NOW) == Recall(ID)
    record = finish_recall(record, ID)
    step = next_step(record, NOW)
    assert isinstance(step, Deliver)
    assert (step.part.text, step.edits) == ("хорошо", None)
    assert wake_at(record) is None
    record = finish_question(record_part_sent(record, ID, 1), ID, NOW, timedelta(minutes=2))
    assert [turn.text for turn in record.history] == ["как дела?", "хорошо"]


def test_a_replacing_text_is_delivered_and_kept_in_the_history_as_the_owner_wrote_it() -> None:
    record = finish_recall(decide(submitted(), ID, Replace("**сам**"), by=9, deadline=LATER), ID)
    step = next_step(record, NOW)
    assert isinstance(step, Deliver)
    assert (step.part.text, step.part.entities) == ("**сам**", ())
    record = finish_question(record, ID, NOW, timedelta(minutes=2))
    assert [turn.text for turn in record.history] == ["как дела?", "**сам**"]


def test_the_owner_may_answer_where_the_model_could_not() -> None:
    failed = submit(record_failure(asked(), ID, FailureReason.EMPTY, NOW), ID, UNTIL)
    record = decide(failed, ID, Replace("сам"), by=9, deadline=LATER)
    assert record.current
    assert record.current.outcome == AnswerText(text="сам", by_owner=True)


def test_a_rejected_answer_is_dropped_without_a_word_and_the_next_question_taken_up() -> None:
    record, _ = says(asked(QUEUE), "Тимоха, два", 2, QUEUE)
    record = submit(record_answer(record, ID, "хорошо", NOW), ID, UNTIL)
    record = decide(record, ID, Reject(), by=9, deadline=LATER)
    assert record.recalled == (ID,)
    assert record.history == ()
    assert record.notices == ()
    assert record.current
    assert (record.current.request_id, record.current.deadline) == ("7.42.2.0", LATER)


@pytest.mark.parametrize("choice", [Approve(), Reject(), Replace("сам")])
def test_a_decision_counts_once_whatever_follows_it(choice) -> None:
    record = decide(submitted(), ID, choice, by=9, deadline=LATER)
    assert record.decided_by == 9
    assert decide(record, ID, choice, by=9, deadline=LATER) is record
    assert decide(record, ID, Replace("ещё раз"), by=10, deadline=LATER) is record


@pytest.mark.parametrize("choice", [Approve(), Reject(), Replace("сам")])
def test_a_decision_about_a_draft_that_no_longer_waits_changes_nothing(choice) -> None:
    for record in (ChatRecord(), asked(), says(submitted(), "/delete_history", 2)[0]):
        assert decide(record, ID, choice, by=9, deadline=LATER) is record


def test_a_draft_that_is_not_decided_in_time_expires() -> None:
    record = submitted()
    assert record.current
    assert next_step(record, UNTIL) == ExpireApproval(record.current)
    before = UNTIL - timedelta(seconds=1)
    assert expire_approval(record, ID, before, send=False, deadline=LATER) is record
    dropped = expire_approval(record, ID, UNTIL, send=False, deadline=LATER)
    assert (dropped.current, dropped.recalled, dropped.history) == (None, (ID,), ())


def test_an_expired_answer_is_sent_if_the_owner_wants_that_but_a_failure_never_is() -> None:
    record = expire_approval(submitted(), ID, UNTIL, send=True, deadline=LATER)
    assert record.current
    assert record.current.approved
    failed = submit(record_failure(asked(), ID, FailureReason.EMPTY, NOW), ID, UNTIL)
    assert expire_approval(failed, ID, UNTIL, send=True, deadline=LATER).current is None


def test_a_new_question_joins_the_draft_that_waits() -> None:
    record, effect = says(submitted(), "Тимоха, а погода?", 2)
    assert effect is Effect.JOINED
    assert record.recalled == (ID,)
    assert record.current
    assert record.current.request_id == "7.42.2.0"
    assert record.current.question.text == "как дела?\nа погода?"
    assert record.current.state == "asking"
    assert record.current.approve_until is None
    assert record.current.deadline == NOW + ALL.deadline


def test_the_questions_that_wait_behind_a_draft_join_it_with_the_new_one() -> None:
    record, _ = says(asked(QUEUE), "Тимоха, два", 2, QUEUE)
    record = submit(record_answer(record, ID, "хорошо", NOW), ID, UNTIL)
    record, _ = says(record, "Тимоха, три", 3, QUEUE)
    assert record.waiting == ()
    assert record.current
    assert record.current.question.text == "как дела?\nдва\nтри"


def test_a_joined_question_needs_approval_even_if_the_setting_has_changed() -> None:
    record, _ = says(submitted(), "Тимоха, два", 2, Rules(live=True))
    assert record.current
    assert record.current.question.approve
    assert not record.current.question.live


def test_of_a_joined_question_the_chat_sees_no_sign_before_the_owner_has_approved_the_answer() -> None:
    record, effect = says(submitted(), "Тимоха, два", 2, Rules(thinking="reaction"))
    assert effect is Effect.JOINED
    assert record.current
    assert record.current.question.sign == ""


def test_questions_too_long_together_lose_their_start() -> None:
    record, _ = says(submitted(), "Тимоха, " + "ж" * MAX_QUESTION_BYTES, 2)
    record = submit(record_answer(record, "7.42.2.0", "хорошо", NOW), "7.42.2.0", UNTIL)
    record, _ = says(record, "Тимоха, конец", 3)
    assert record.current
    assert record.current.question.text.endswith("ж\nконец")
    assert len(record.current.question.text.encode()) <= MAX_QUESTION_BYTES


def test_while_the_model_writes_a_further_question_is_treated_as_ever() -> None:
    assert says(asked(), "Тимоха, два", 2)[1] is Effect.IGNORED_BUSY
    assert says(asked(QUEUE), "Тимоха, два", 2, QUEUE)[1] is Effect.QUEUED


def test_commands_are_answered_while_a_draft_waits() -> None:
    record, effect = says(submitted(), "/help", 2)
    assert effect is Effect.HELPED
    assert record.current == submitted().current


@pytest.mark.parametrize("record", [drafted(), submitted()], ids=["about to be submitted", "submitted"])
def test_deleting_the_history_recalls_the_draft(record) -> None:
    record, _ = says(record, "/delete_history", 2)
    assert record.current is None
    assert record.recalled == (ID,)
    assert next_step(record, NOW, erase=False) == Recall(ID)
    assert finish_recall(record, ID).recalled == ()
    assert finish_recall(finish_recall(record, ID), ID) == finish_recall(record, ID)


def test_what_was_never_submitted_is_not_recalled() -> None:
    assert says(asked(), "/delete_history", 2)[0].recalled == ()
    approved = finish_recall(decide(submitted(), ID, Approve(), by=9, deadline=LATER), ID)
    assert says(approved, "/delete_history", 2)[0].recalled == ()


def test_a_question_answered_before_a_restore_recalls_its_draft() -> None:
    assert drop_answered_question(submitted(), ID, LATER).recalled == (ID,)


def test_a_question_that_is_given_up_never_goes_to_the_user_without_approval() -> None:
    record = give_up_question(submitted(), ID, NOW, LATER)
    assert record.current
    assert isinstance(record.current.outcome, Failure)
    assert record.current.state == "awaiting_approval"
    assert give_up_question(record, ID, NOW, LATER).current is None


def test_a_wait_longer_than_the_setting_is_cut_short() -> None:
    waiting = submitted()
    assert limit_approval(waiting, UNTIL) is waiting
    assert wake_at(limit_approval(submitted(), LATER)) == LATER
    approved = decide(submitted(), ID, Approve(), by=9, deadline=LATER)
    assert limit_approval(approved, LATER) is approved
    assert limit_approval(ChatRecord(), LATER) == ChatRecord()


def test_a_question_behind_a_dropped_draft_is_taken_up_before_a_newer_one() -> None:
    record, _ = says(asked(QUEUE), "Тимоха, два", 2, QUEUE)
    record = submit(record_answer(record, ID, "хорошо", NOW), ID, UNTIL)
    record = expire_approval(record, ID, UNTIL, send=False, deadline=UNTIL + ALL.deadline)
    assert not isinstance(next_step(finish_recall(record, ID), UNTIL), TakeUp)
    assert record.current
    assert record.current.request_id == "7.42.2.0"
