"""Which messages show which answer, as the chat's record keeps it for feedback."""

from datetime import UTC, datetime

import pytest

from edge.userbot.chat.answers import answer_shown_by, record_answered
from edge.userbot.chat.record import (
    MAX_ANSWERS,
    NO_MESSAGE,
    Answered,
    AnswerText,
    ChatRecord,
    Current,
    Failure,
    Outcome,
    Question,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ID = "7.42.1.0"
TRACE = {"traceparent": "00-aa-bb-01"}
ANSWER = AnswerText(text="fine")


def current(outcome: Outcome | None = ANSWER, **question: object) -> Current:
    asked = Question(message_id=1, text="?", locale="en", asked_at=NOW, trace=TRACE, **question)
    return Current(question=asked, request_id=ID, deadline=NOW, outcome=outcome)


def older(message_id: int) -> Answered:
    return Answered(request_id=f"7.42.{message_id}.0", message_ids=(message_id + 1,))


SHOWING = ChatRecord(current=current(), answers=(older(90), older(80)))


def test_an_answer_is_known_by_each_of_its_messages_and_comes_last() -> None:
    record = record_answered(record_answered(SHOWING, ID, 5), ID, 6)
    answered = Answered(request_id=ID, message_ids=(5, 6), trace=TRACE)
    assert record == SHOWING.having(answers=(older(90), older(80), answered))
    assert [answer_shown_by(record, message_id) for message_id in (5, 6, 91, 7)] == [
        answered,
        answered,
        older(90),
        None,
    ]


def test_a_message_that_is_known_changes_nothing() -> None:
    record = record_answered(SHOWING, ID, 5)
    assert record_answered(record, ID, 5) is record


@pytest.mark.parametrize(
    "record",
    [
        ChatRecord(),
        ChatRecord(current=current(None)),
        ChatRecord(current=current(Failure(reason="empty"))),
        ChatRecord(current=current(AnswerText(text="mine", by_owner=True))),
        ChatRecord(current=current(approve=True)),
    ],
    ids=["no question", "no outcome", "a failure", "the owner's", "not approved yet"],
)
def test_what_shows_no_answer_of_the_models_is_not_kept(record: ChatRecord) -> None:
    assert record_answered(record, ID, 5) is record


def test_neither_another_question_nor_a_message_that_could_not_be_sent_is_kept() -> None:
    assert record_answered(SHOWING, "7.42.2.0", 5) is SHOWING
    assert record_answered(SHOWING, ID, NO_MESSAGE) is SHOWING


def test_only_the_newest_answers_are_kept() -> None:
    full = SHOWING.having(answers=tuple(older(number) for number in range(10, 10 + MAX_ANSWERS)))
    answers = record_answered(full, ID, 5).answers
    assert (len(answers), answers[0], answers[-1].request_id) == (MAX_ANSWERS, older(11), ID)
