"""The chat record and the facts that change it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from edge.userbot import phrases
from edge.userbot.chat.question_progress import (
    apply_reply,
    continue_trace,
    doubt_question,
    drop_answered_question,
    drop_notice,
    drop_thinking_line,
    expire,
    finish_erasing,
    finish_question,
    give_up_question,
    limit_deadline,
    record_answer,
    record_failure,
    record_part_sent,
    record_thinking_line,
    skip_waiting_question,
    take_up_next,
)
from edge.userbot.chat.record import (
    ALWAYS_WRITTEN,
    MAX_ANSWER_BYTES,
    MAX_HISTORY,
    MAX_HISTORY_BYTES,
    MAX_NOTICES,
    MAX_QUESTION_BYTES,
    MAX_SEEN,
    MAX_WAITING,
    NO_MESSAGE,
    AnswerText,
    ChatRecord,
    Current,
    Failure,
    Notice,
    Question,
    UnreadableRecord,
    ask,
    from_json,
)
from events.event import Event
from events.ids import RequestId
from events.schema import (
    FailureReason,
    FinishReason,
    GenerationCompleted,
    GenerationFailed,
    GenerationRequested,
    Role,
    Turn,
)
from tests.answers import ANSWERS

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=120)
ID = "7.42.1.0"


def question(message_id: int = 1, text: str = "как дела?") -> Question:
    return Question(message_id=message_id, text=text, locale="ru", asked_at=NOW)


def asking(*waiting: Question, history: tuple[Turn, ...] = ()) -> ChatRecord:
    current = ask(question(), RequestId("7", "42", "1"), LATER)
    return ChatRecord(current=current, waiting=waiting, history=history)


def current_of(record: ChatRecord) -> Current:
    assert record.current is not None
    return record.current


def test_a_record_reads_back_as_it_was_written() -> None:
    record = record_part_sent(
        record_thinking_line(record_answer(asking(question(2)), ID, "хорошо 😀", NOW), ID, 5), ID, 1
    )
    record = record.having(notices=(Notice(message_id=3, text="готово"),), erasing=True, helped_at=NOW, seen=(1, 2))
    assert from_json(record.to_json()) == record
    assert from_json(record_failure(asking(), ID, "empty", NOW).to_json()) == record_failure(asking(), ID, "empty", NOW)


def test_a_field_from_the_future_is_ignored() -> None:
    written = json.loads(ChatRecord().to_json())
    written |= {"mood": "good", "settings": {"voice": 1, "context_length": 3}}
    assert from_json(json.dumps(written).encode()).settings.context_length == 3


FIRST = (
    b'{"settings":{"context_length":2},"history":[{"role":"user","text":"a"},{"role":"assistant","text":"b"}],'
    b'"seen":[1],"current":null,"waiting":[],"notices":[],"erasing":false,"helped_at":null}'
)
"""As the first version wrote it."""


def test_the_first_versions_record_is_read() -> None:
    assert [turn.text for turn in from_json(FIRST).history] == ["a", "b"]
    assert from_json(FIRST).seen == (1,)


@pytest.mark.parametrize("value", ANSWERS.values(), ids=ANSWERS.keys())
def test_what_a_server_was_made_to_write_there_is_not_the_record_of_a_chat_that_never_wrote(value: bytes) -> None:
    with pytest.raises(UnreadableRecord, match="/delete_history in this chat starts it afresh"):
        from_json(value)


@pytest.mark.parametrize("missing", sorted(ALWAYS_WRITTEN))
def test_a_record_without_what_every_version_wrote_is_not_ours(missing: str) -> None:
    written = json.loads(FIRST)
    del written[missing]
    with pytest.raises(UnreadableRecord, match=f"{missing}: missing"):
        from_json(json.dumps(written).encode())


@pytest.mark.parametrize("value", [b"", b"[]", b"\xff", b'{"history": [{"role": "secret", "text": "secret"}]}'])
def test_an_unreadable_record_says_what_to_do_and_nothing_of_its_content(value: bytes) -> None:
    with pytest.raises(UnreadableRecord, match="/delete_history in this chat starts it afresh") as caught:
        from_json(value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"{", "record: json_invalid"),
        (ChatRecord().to_json().replace(b'"seen":[]', b'"seen":["x"]'), "seen.0: int_parsing"),
        (b"{}", "current: missing, so it is not ours"),
    ],
)
def test_an_unreadable_record_says_where_it_goes_wrong(value: bytes, why: str) -> None:
    with pytest.raises(UnreadableRecord) as caught:
        from_json(value)
    assert str(caught.value) == f"chat record can't be read ({why}): /delete_history in this chat starts it afresh"


def test_a_record_of_a_later_schema_asks_for_that_version() -> None:
    with pytest.raises(UnreadableRecord) as caught:
        from_json(ChatRecord().to_json().replace(b'"schema":1', b'"schema":9'))
    line = "chat record was written by a newer version of Timokha (schema 9, this version knows 2): run that version"
    assert str(caught.value) == line


def test_a_reply_decides_the_outcome() -> None:
    current = current_of(record_answer(asking(), ID, " хорошо\x00 ", NOW))
    assert (current.state, current.outcome, current.settled_at) == ("delivering", AnswerText(text="хорошо"), NOW)


@pytest.mark.parametrize("text", ["", " \n", "\x00", "\u200b"])
def test_a_reply_that_shows_nothing_is_a_failure(text: str) -> None:
    assert current_of(record_answer(asking(), ID, text, NOW)).outcome == Failure(reason="empty")


def test_a_failure_decides_the_outcome() -> None:
    record = record_failure(asking(), ID, FailureReason.ATTEMPTS_EXHAUSTED, NOW)
    assert current_of(record).outcome == Failure(reason="attempts_exhausted")
    assert current_of(record).settled_at == NOW


def test_the_deadline_decides_the_outcome_once_it_has_passed() -> None:
    assert expire(asking(), LATER - timedelta(microseconds=1)) == asking()
    assert current_of(expire(asking(), LATER)).outcome == Failure(reason=phrases.DEADLINE)
    assert current_of(expire(asking(), LATER)).settled_at == LATER
    assert expire(ChatRecord(), LATER) == ChatRecord()


def reply(data: BaseModel) -> Event:
    return Event.of(data, source="/test", time=NOW)


def test_a_reply_is_read_and_decides_the_outcome() -> None:
    completed = GenerationCompleted(request_id=ID, text="**да**", finish_reason=FinishReason.STOP, model="m")
    applied = apply_reply(asking(), reply(completed), LATER, formatted=True)
    assert applied == record_answer(asking(), ID, "**да**", LATER, formatted=True)
    assert apply_reply(asking(), reply(completed), LATER, formatted=False) == record_answer(
        asking(), ID, "**да**", LATER
    )
    failed = GenerationFailed(request_id=ID, reason=FailureReason.REJECTED)
    applied = apply_reply(asking(), reply(failed), LATER, formatted=True)
    assert applied == record_failure(asking(), ID, FailureReason.REJECTED, LATER)


def test_a_reply_that_cant_be_read_fails_its_question() -> None:
    failed = record_failure(asking(), ID, FailureReason.MALFORMED, LATER)
    broken = replace(reply(GenerationFailed(request_id=ID, reason=FailureReason.EMPTY)), body=b"{")
    assert apply_reply(asking(), broken, LATER, formatted=True) == failed
    request = GenerationRequested(
        request_id=ID,
        account_id="7",
        chat_id="42",
        message_id="1",
        turns=(Turn(role=Role.USER, text="?"),),
        deadline=NOW,
    )
    assert apply_reply(asking(), reply(request), LATER, formatted=True) == failed


def test_the_first_outcome_wins() -> None:
    for record in (
        record_answer(asking(), ID, "раз", NOW),
        record_failure(asking(), ID, "empty", NOW),
        expire(asking(), LATER),
    ):
        assert record_answer(record, ID, "два", NOW) is record
        assert record_failure(record, ID, "rejected", NOW) is record
        assert expire(record, LATER) is record


def test_a_reply_to_another_question_changes_nothing() -> None:
    for record in (asking(), ChatRecord()):
        assert record_answer(record, "7.42.2.0", "нет", NOW) is record
        assert record_answer(record, "7.42.1.1", "нет", NOW) is record
        assert record_failure(record, "8.42.1.0", "empty", NOW) is record
        assert record_thinking_line(record, "7.42.2.0", 5) is record
        assert record_part_sent(record, "7.42.2.0", 1) is record
        assert finish_question(record, "7.42.2.0", NOW, timedelta(0)) is record


def test_the_thinking_line_is_remembered_once() -> None:
    record = record_thinking_line(asking(), ID, 5)
    assert current_of(record).thinking_id == 5
    assert record_thinking_line(record, ID, 6) is record


def test_parts_are_counted_upwards_and_only_while_delivering() -> None:
    assert record_part_sent(asking(), ID, 1) == asking()
    record = record_part_sent(record_answer(asking(), ID, "да", NOW), ID, 2)
    assert current_of(record).parts_sent == 2
    assert record_part_sent(record, ID, 1) is record
    assert record_part_sent(record, ID, 2) is record


def test_an_answer_and_its_question_are_remembered_when_it_is_out() -> None:
    record = finish_question(record_answer(asking(), ID, "хорошо", NOW), ID, NOW, timedelta(0))
    assert record.history == (Turn(role=Role.USER, text="как дела?"), Turn(role=Role.ASSISTANT, text="хорошо"))
    assert record.current is None


def test_a_failed_question_is_not_remembered() -> None:
    record = finish_question(record_failure(asking(), ID, "empty", NOW), ID, NOW, timedelta(0))
    assert record.history == ()
    assert record.current is None


def test_a_question_without_an_outcome_can_not_be_finished() -> None:
    assert finish_question(asking(), ID, NOW, timedelta(0)) == asking()


def test_the_next_waiting_question_is_asked_with_a_deadline_of_its_own() -> None:
    delivering = record_answer(asking(question(2), question(3)), ID, "да", NOW)
    record = finish_question(delivering, ID, LATER, timedelta(seconds=30))
    assert record.current == ask(question(2), RequestId("7", "42", "2"), LATER + timedelta(seconds=30))
    assert record.waiting == (question(3),)


def test_history_keeps_the_last_messages() -> None:
    history = tuple(
        Turn(role=role, text=str(n)) for n in range(MAX_HISTORY // 2) for role in (Role.USER, Role.ASSISTANT)
    )
    record = finish_question(record_answer(asking(history=history), ID, "да", NOW), ID, NOW, timedelta(0))
    assert len(record.history) == MAX_HISTORY
    assert record.history[0] == Turn(role=Role.USER, text="1")
    assert record.history[-1].text == "да"


def test_history_keeps_within_its_bytes_and_drops_whole_pairs() -> None:
    record = ChatRecord()
    for number in range(20):
        text = f"{number} " + "ж" * 5200  # 25 such messages fit
        record = record.having(current=ask(question(text=text), RequestId("7", "42", "1"), LATER))
        record = finish_question(record_answer(record, ID, text, NOW), ID, NOW, timedelta(0))
    assert sum(len(turn.text.encode()) for turn in record.history) <= MAX_HISTORY_BYTES
    assert [turn.text.split()[0] for turn in record.history[::2]] == [str(number) for number in range(8, 20)]
    assert record.history[0].role is Role.USER


def test_an_answer_of_any_length_is_kept_within_bounds() -> None:
    outcome = current_of(record_answer(asking(), ID, "ж" * MAX_ANSWER_BYTES, NOW)).outcome
    assert outcome == AnswerText(text="ж" * (MAX_ANSWER_BYTES // 2))


def test_the_fullest_record_fits_into_one_nats_message() -> None:
    """Line breaks take two bytes in JSON."""
    longest = question(2**62, "\n" * MAX_QUESTION_BYTES)
    record = ChatRecord(
        seen=(2**62,) * MAX_SEEN,
        history=(Turn(role=Role.USER, text="\n" * (MAX_HISTORY_BYTES // MAX_HISTORY)),) * MAX_HISTORY,
        current=ask(longest, RequestId("7", "42", "1"), LATER).having(outcome=AnswerText(text="\n" * MAX_ANSWER_BYTES)),
        waiting=(longest,) * MAX_WAITING,
        notices=(Notice(message_id=2**62, text=phrases.help_text("ru", "Тимоха,")),) * MAX_NOTICES,
    )
    assert len(record.to_json()) < 1024 * 1024 - 8192


def test_a_question_from_before_a_restore_is_doubtful_and_one_asked_since_is_not() -> None:
    record = asking()
    doubtful = doubt_question(record, NOW + timedelta(seconds=1))
    assert doubtful == record.having(current=current_of(record).having(question=question().having(doubtful=True)))
    assert doubt_question(doubtful, NOW + timedelta(seconds=1)) is doubtful
    assert doubt_question(record, NOW) is record
    assert doubt_question(ChatRecord(), NOW) == ChatRecord()


def test_a_thinking_line_that_cant_be_edited_is_forgotten() -> None:
    record = record_thinking_line(asking(), ID, 5)
    assert current_of(drop_thinking_line(record, ID)).thinking_id == NO_MESSAGE
    assert drop_thinking_line(record, "7.42.2.0") is record


def test_a_question_that_cant_be_answered_fails_from_the_start_and_is_dropped_if_that_cant_be_sent_either() -> None:
    record = record_part_sent(record_answer(record_thinking_line(asking(question(2)), ID, 5), ID, "a", NOW), ID, 1)
    failed = give_up_question(record, ID, LATER, LATER)
    current = current_of(failed)
    assert (current.outcome, current.settled_at) == (Failure(reason=phrases.INTERNAL), LATER)
    assert (current.thinking_id, current.parts_sent) == (NO_MESSAGE, 0)
    following = give_up_question(failed, ID, LATER, LATER + timedelta(seconds=1))
    assert (current_of(following).request_id, current_of(following).deadline) == (
        "7.42.2.0",
        LATER + timedelta(seconds=1),
    )
    assert give_up_question(record, "7.42.2.0", LATER, LATER) is record


def test_what_was_answered_before_a_restore_is_dropped_and_the_next_question_asked() -> None:
    record = asking(question(2))
    following = current_of(drop_answered_question(record, ID, LATER + timedelta(seconds=1)))
    assert (following.request_id, following.deadline) == ("7.42.2.0", LATER + timedelta(seconds=1))
    assert drop_answered_question(record, "7.42.2.0", LATER) is record


def test_a_waiting_question_that_cant_be_taken_up_gets_a_line_in_the_users_language() -> None:
    record = ChatRecord(waiting=(question(2), question(3)))
    notice = Notice(message_id=2, text=phrases.failure("ru", phrases.INTERNAL))
    assert skip_waiting_question(record) == ChatRecord(waiting=(question(3),), notices=(notice,))
    empty = ChatRecord()
    assert skip_waiting_question(empty) is empty


def test_a_waiting_question_is_taken_up_only_if_there_is_no_other() -> None:
    record = ChatRecord(waiting=(question(2).having(revision=3), question(3)))
    taken = take_up_next(record, "7", "42", LATER)
    assert taken.waiting == (question(3),)
    assert (current_of(taken).request_id, current_of(taken).deadline) == ("7.42.2.3", LATER)
    assert take_up_next(taken, "7", "42", LATER) is taken


def test_a_deadline_is_only_moved_forward_and_only_of_what_has_no_outcome() -> None:
    record, earlier = asking(), LATER - timedelta(seconds=1)
    assert current_of(limit_deadline(record, earlier)).deadline == earlier
    assert limit_deadline(record, LATER) is record
    answered = record_answer(record, ID, "a", NOW)
    assert limit_deadline(answered, earlier) is answered
    assert limit_deadline(ChatRecord(), earlier) == ChatRecord()


def test_a_question_goes_on_under_another_trace() -> None:
    record = asking()
    assert current_of(continue_trace(record, {"traceparent": "00-cc"})).question == question().having(
        trace={"traceparent": "00-cc"}
    )
    assert continue_trace(ChatRecord(), {"traceparent": "00-cc"}) == ChatRecord()


def test_a_notice_that_was_sent_is_dropped_by_its_message_or_its_key() -> None:
    record = ChatRecord(notices=(Notice(message_id=1, text="a"), Notice(message_id=NO_MESSAGE, text="b", key="k")))
    assert drop_notice(record, 1).notices == record.notices[1:]
    assert drop_notice(record, NO_MESSAGE, "k").notices == record.notices[:1]
    assert drop_notice(record, NO_MESSAGE) is record


def test_erasing_is_over_once_all_of_it_was_erased() -> None:
    record = ChatRecord(erasing=True, deleted_to=7)
    assert finish_erasing(record, 7) == ChatRecord(deleted_to=7)
    assert finish_erasing(record, 6) is record
    over = ChatRecord(deleted_to=7)
    assert finish_erasing(over, 7) is over
