"""Drafts in the owner's record and chat."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot import draft_phrases
from edge.userbot.chat.draft_messages import asker_of, draft_messages
from edge.userbot.chat.drafts import (
    MAX_CLOSED,
    add_draft,
    close_draft,
    close_drafts_of,
    draft_shown_by,
    draft_to_show,
    find_draft,
    finish_recall,
    may_answer_draft,
    may_answer_lost_draft,
    may_lost_draft_wait,
    record_draft_message,
)
from edge.userbot.chat.incoming import OwnMessage
from edge.userbot.chat.own_messages import SentMessage, digest, is_ours, record_seen, record_sent
from edge.userbot.chat.record import (
    MAX_DRAFTS,
    NO_MESSAGE,
    AnswerText,
    ChatRecord,
    Current,
    Draft,
    Failure,
    Question,
    ask,
    from_json,
)
from edge.userbot.chat.steps import ShowDraft, next_step, wake_at
from edge.userbot.formatting.messages import MAX_MESSAGE, utf16_length
from edge.userbot.text import clean, is_blank
from events.ids import RequestId
from events.schema import FailureReason

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ID = "7.42.1.0"
DRAFT = Draft(chat="42", request_id=ID, asker="Анна")
ADDED = add_draft(ChatRecord(), DRAFT)


def shown(*message_ids: int) -> ChatRecord:
    record = ADDED
    for message_id in message_ids:
        record = record_draft_message(record, ID, message_id, last=message_id == message_ids[-1])
    return record


def current(outcome: AnswerText | Failure, text: str = "как дела?", asker: str = "Анна (@anna)") -> Current:
    question = Question(message_id=1, text=text, locale="ru", asked_at=NOW, asker=asker, approve=True)
    return ask(question, RequestId("7", "42", "1"), NOW).having(outcome=outcome)


def test_a_draft_is_added_once_and_shown_message_by_message() -> None:
    assert add_draft(ADDED, DRAFT) is ADDED
    assert next_step(ADDED, NOW) == ShowDraft(DRAFT)
    assert next_step(ADDED, NOW, send=False) is None
    begun = record_draft_message(ADDED, ID, 5, last=False)
    assert draft_to_show(begun) == find_draft(begun, ID)
    record = record_draft_message(begun, ID, 6, last=True)
    assert next_step(record, NOW) is None
    assert wake_at(record) is None
    assert from_json(record.to_json()) == record


def test_a_reply_to_any_message_of_a_draft_is_about_it() -> None:
    record = shown(5, 6)
    assert draft_shown_by(record, 5) == draft_shown_by(record, 6) == find_draft(record, ID)
    assert draft_shown_by(record, 7) is None
    assert may_answer_draft(record, 5)
    assert not may_answer_draft(record, 7)
    assert not may_answer_draft(record, None)


def test_a_reply_may_be_about_a_draft_whose_message_is_sent_but_not_recorded() -> None:
    assert may_answer_draft(ADDED, 5)
    assert not may_answer_draft(ADDED, NO_MESSAGE)


def test_a_closed_draft_has_its_messages_deleted_and_still_knows_them() -> None:
    record = close_draft(shown(5, 6), ID)
    assert record.withdrawn == (5, 6)
    assert may_answer_draft(record, 6)
    assert close_draft(record, ID) is record
    assert close_draft(record, "7.42.2.0") is record
    assert add_draft(record, DRAFT) is record, "a step repeated after a crash must not show it again"


def test_the_drafts_of_a_chat_that_knows_nothing_of_them_are_closed_and_no_others() -> None:
    other = Draft(chat="43", request_id="7.43.1.0", message_ids=(8,), shown=True)
    record = close_drafts_of(add_draft(shown(5, 6), other), "42")
    assert record == add_draft(close_draft(shown(5, 6), ID), other)
    assert close_drafts_of(record, "42") is record


def test_a_message_that_was_sent_while_its_draft_was_closed_is_deleted_too() -> None:
    closed = close_draft(record_draft_message(ADDED, ID, 5, last=False), ID)
    assert draft_to_show(closed) is None
    assert record_draft_message(closed, ID, 6, last=True).withdrawn == (5, 6)
    assert record_draft_message(ChatRecord(), ID, 6, last=True).withdrawn == (6,)


def test_a_message_that_may_have_been_sent_before_a_crash_is_deleted_once_it_is_seen() -> None:
    draft = DRAFT.having(digests=(digest("раз"), digest("два"), digest("три")))
    record = record_draft_message(add_draft(ChatRecord(), draft), ID, 5, last=False)
    record = close_draft(record, ID)
    seen = OwnMessage("7", "7", 6, "два", NOW)
    assert is_ours(record, seen)
    assert record_seen(record, seen).withdrawn == (5, 6)
    assert not is_ours(record, OwnMessage("7", "7", 6, "три", NOW))
    assert record.drafts[0].digests == (), "nothing of a text outlives its draft"
    sent = record_sent(record, SentMessage(6, "два", NO_MESSAGE))
    assert record_draft_message(sent, ID, 6, last=False).withdrawn == (5, 6)


def test_a_reply_to_a_bot_may_be_about_a_draft_that_was_closed_before_the_id_of_its_message_was_known() -> None:
    record = add_draft(ChatRecord(seen=(4,), sent=(3,)), DRAFT.having(digests=(digest("раз"),)))
    assert not may_answer_lost_draft(record, 5), "it is to be shown"
    closed = close_draft(record, ID)
    assert may_answer_lost_draft(closed, 5)
    assert not any(may_answer_lost_draft(closed, known) for known in (3, 4, NO_MESSAGE, None))
    known = record_draft_message(record_sent(closed, SentMessage(5, "раз", NO_MESSAGE)), ID, 5, last=True)
    assert not may_answer_lost_draft(known, 5)
    assert not may_answer_lost_draft(known, 6)
    unnamed = record_draft_message(record_sent(record, SentMessage(NO_MESSAGE, "раз", NO_MESSAGE)), ID, 0, last=True)
    assert may_answer_lost_draft(unnamed, 5), "Telegram did not say the id"


def test_a_message_that_is_seen_before_its_sending_is_recorded_counts_as_sent() -> None:
    draft = DRAFT.having(digests=(digest("раз"), digest("два")))
    record = add_draft(ChatRecord(), draft)
    first, last = OwnMessage("7", "7", 5, "раз", NOW), OwnMessage("7", "7", 6, "два", NOW)
    assert not is_ours(record, last), "they are sent in order"
    assert is_ours(record, first)
    record = record_seen(record, first)
    assert record_seen(record, first) is record
    assert record.drafts[0].message_ids == (5,)
    assert record_draft_message(record_sent(record, SentMessage(5, "раз", NO_MESSAGE)), ID, 5, last=False) == record
    record = record_seen(record, last)
    assert (record.drafts[0].message_ids, record.drafts[0].shown) == ((5, 6), True)


def test_a_message_that_could_not_be_sent_needs_no_deletion() -> None:
    assert close_draft(shown(5, NO_MESSAGE), ID).withdrawn == (5,)


def test_only_so_many_drafts_wait_and_so_many_closed_ones_are_kept() -> None:
    record = ChatRecord()
    for number in range(MAX_DRAFTS + 1):
        record = add_draft(
            record, Draft(chat="42", request_id=f"7.42.{number}.0", message_ids=(number + 1,), shown=True)
        )
    assert len(record.drafts) == MAX_DRAFTS
    for number in range(MAX_DRAFTS):
        record = close_draft(record, f"7.42.{number}.0")
    assert len(record.drafts) == MAX_CLOSED
    assert find_draft(record, f"7.42.{MAX_DRAFTS - 1}.0")
    assert find_draft(add_draft(record, DRAFT), ID)


def test_a_draft_says_who_asks_what_then_the_answer_then_how_to_decide() -> None:
    (message,) = draft_messages(current(AnswerText(text="**всё** хорошо", formatted=True)), "42", "ru")
    head, answer, how = message.text.split("\n\n")
    assert head == "Черновик ответа. Спрашивает Анна (@anna): «как дела?»"
    assert answer == "всё хорошо"
    assert how == draft_phrases.how_to_decide("ru")
    (bold,) = message.entities
    assert message.text[bold.offset : bold.offset + bold.length] == "всё"


def test_each_further_message_of_a_draft_says_which_one_of_how_many_it_is() -> None:
    messages = draft_messages(current(AnswerText(text="ё " * 4000)), "42", "en")
    heads = [message.text.partition("\n\n")[0] for message in messages]
    assert heads[0].startswith("Draft of an answer.")
    assert heads[1:] == ["Draft, part 2 of 3", "Draft, part 3 of 3"]
    asks_to_decide = [draft_phrases.how_to_decide("en") in message.text for message in messages]
    assert asks_to_decide == [False, False, True]


def test_a_draft_of_a_failure_shows_the_line_that_the_user_would_get() -> None:
    (message,) = draft_messages(current(Failure(reason=FailureReason.EMPTY)), "42", "en")
    assert message.text.startswith("Draft: the model gave no answer.")
    assert "Ничего путного не придумалось" in message.text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 99 + "…"),
        ("x" * 98 + " yz", "x" * 98 + "…"),
        (" Анна \n\x00 Ли ", "Анна Ли"),
    ],
    ids=["as long as may be", "longer", "cut at a space", "of several lines"],
)
def test_an_asker_is_named_in_one_line_that_is_cut_if_it_is_long(name: str, shown: str) -> None:
    assert asker_of(current(AnswerText(text="да"), asker=name), "42") == shown


def test_a_long_question_is_cut_in_the_draft() -> None:
    (whole,) = draft_messages(current(AnswerText(text="да"), text="x" * 300), "42", "ru")
    (cut,) = draft_messages(current(AnswerText(text="да"), text="x" * 301), "42", "ru")
    assert f"«{'x' * 300}»" in whole.text
    assert f"«{'x' * 299}…»" in cut.text


def test_a_draft_that_is_removed_is_recalled_no_more() -> None:
    record = ChatRecord(recalled=(ID, "7.42.2.0"))
    assert finish_recall(record, ID) == ChatRecord(recalled=("7.42.2.0",))
    assert finish_recall(record, "7.42.3.0") is record


def test_a_draft_may_be_lost_if_a_message_of_it_has_no_id_and_it_waits() -> None:
    lost = shown(NO_MESSAGE)
    assert may_lost_draft_wait(lost)
    assert not may_lost_draft_wait(shown(5))
    assert not may_lost_draft_wait(close_draft(lost, ID))
    assert not may_lost_draft_wait(ADDED)


def test_a_draft_of_which_nothing_was_sent_is_closed_without_a_deletion() -> None:
    record = ChatRecord()
    assert record_draft_message(record, ID, NO_MESSAGE, last=True) is record
    assert close_draft(ADDED, ID) == ChatRecord(drafts=(DRAFT.having(closed=True),))


def test_an_asker_without_a_name_is_called_by_the_chat() -> None:
    (message,) = draft_messages(current(AnswerText(text="да"), asker=""), "42", "ru")
    assert "Спрашивает 42" in message.text


@pytest.mark.parametrize("locale", ["ru", "en"])
@given(
    text=st.text()
    | st.sampled_from(["/pause", "+", "-", "a\n/pause\n+"])
    | st.integers(1, 9).map(lambda n: "/ё " * 900 * n),
    asker=st.text() | st.just("/pause all"),
    question=st.text() | st.just("+\n/resume"),
)
def test_no_message_in_the_owners_chat_begins_as_a_command_or_is_too_long(locale, text, asker, question) -> None:
    text = clean(text).strip()
    if is_blank(text):
        return
    messages = draft_messages(current(AnswerText(text=text), question, asker), "42", locale)
    for message in messages:
        assert message.text.startswith(("Черновик", "Draft"))
        assert utf16_length(message.text) <= MAX_MESSAGE
    assert messages[-1].text.endswith(draft_phrases.how_to_decide(locale))


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_no_line_that_answers_the_owner_begins_as_a_command(locale) -> None:
    lines = [
        draft_phrases.sent(locale, "/x"),
        draft_phrases.replaced(locale, "+"),
        draft_phrases.rejected(locale, "/pause"),
        draft_phrases.over(locale),
        draft_phrases.unclear(locale),
    ]
    assert all(line[0].isalpha() for line in lines)


def test_a_draft_of_which_no_message_can_be_sent_is_given_up_after_its_last_one() -> None:
    record = shown(NO_MESSAGE, NO_MESSAGE, NO_MESSAGE)
    assert draft_to_show(record) is None
    assert record.drafts[0].message_ids == (NO_MESSAGE,) * 3


def test_what_replies_to_nothing_is_not_about_a_draft_that_could_not_be_sent() -> None:
    assert draft_shown_by(shown(NO_MESSAGE), NO_MESSAGE) is None
    assert draft_shown_by(close_draft(shown(NO_MESSAGE), ID), NO_MESSAGE) is None
