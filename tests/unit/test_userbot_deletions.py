"""What deletions and edits of messages do to a chat's record."""

from datetime import timedelta

import pytest

from edge.userbot.chat.deletions import take_deletion, take_deletion_from_bursts, take_edit
from edge.userbot.chat.record import AnswerText, Burst, ChatRecord, Current, Question
from edge.userbot.chat.transitions import Effect
from edge.userbot.rules import Override, Rules
from edge.userbot.triggers import Triggers
from tests.unit.business_places import CHAT, PERSON
from tests.unit.conftest import EPOCH

RULES = Rules(triggers=Triggers.of(["any"]), names=frozenset({"timokha"}), overrides={"42": Override(prefix="Маша,")})


def question(message_id: int, **changes: object) -> Question:
    return Question(message_id=message_id, text="?", locale="en", asked_at=EPOCH, **changes)


def asking(message_id: int, **changes: object) -> Current:
    id_ = f"{PERSON}.{CHAT}.{message_id}.0"
    return Current(question=question(message_id), request_id=id_, deadline=EPOCH, **changes)


def test_the_current_question_is_dropped_and_its_thinking_line_withdrawn() -> None:
    record = ChatRecord(current=asking(5, thinking_id=6), waiting=(question(7),))
    decision = take_deletion(record, {5, 99})
    assert decision.record == ChatRecord(waiting=(question(7),), withdrawn=(6,))
    assert (decision.effect, decision.dropped) == (Effect.QUESTION_DELETED, (question(5),))


def test_a_waiting_question_is_dropped_and_the_others_stay() -> None:
    record = ChatRecord(current=asking(5, thinking_id=6), waiting=(question(7), question(8)))
    decision = take_deletion(record, {7})
    assert decision.record == record.having(waiting=(question(8),))
    assert decision.dropped == (question(7),)


def test_a_cleared_chat_drops_everything() -> None:
    record = ChatRecord(current=asking(5, thinking_id=6), waiting=(question(7),))
    assert take_deletion(record, set(range(10))).record == ChatRecord(withdrawn=(6,))


def test_the_draft_of_a_deleted_question_is_recalled() -> None:
    current = asking(5, outcome=AnswerText(text="a"), submitted=True)
    current = current.having(question=question(5, approve=True))
    assert take_deletion(ChatRecord(current=current), {5}).record.recalled == (current.request_id,)


@pytest.mark.parametrize("message_ids", [set(), {6}, {60, 61}, {4}], ids=["none", "ours", "unknown", "answered"])
def test_other_deletions_change_nothing(message_ids: set[int]) -> None:
    record = ChatRecord(current=asking(5, thinking_id=6), seen=(4, 5), sent=(6,))
    decision = take_deletion(record, message_ids)
    assert decision.record is record
    assert (decision.effect, decision.dropped) == (Effect.SILENT, ())


def burst(*message_ids: int, sender: str = "42") -> Burst:
    pieces = tuple(question(message_id) for message_id in message_ids)
    return Burst(sender=sender, pieces=pieces, due_at=EPOCH, not_before=EPOCH, close_by=EPOCH + timedelta(minutes=1))


COLLECTING = ChatRecord(bursts=(burst(5, 6), burst(7, sender="43")))


def test_a_deleted_piece_is_left_out_and_a_burst_without_any_is_dropped() -> None:
    decision = take_deletion_from_bursts(COLLECTING, {5, 99})
    assert decision.record.bursts == (burst(6), burst(7, sender="43"))
    assert (decision.effect, decision.dropped) == (Effect.SILENT, ())
    decision = take_deletion_from_bursts(COLLECTING, {7})
    assert decision.record.bursts == (burst(5, 6),)
    assert (decision.effect, decision.dropped) == (Effect.QUESTION_DELETED, (question(7),))


def test_deletions_count_in_what_is_collected_and_in_what_is_asked() -> None:
    record = COLLECTING.having(current=asking(1), waiting=(question(2), question(3)))
    decision = take_deletion(record, {2, 7})
    assert decision.record == record.having(waiting=(question(3),), bursts=(burst(5, 6),))
    assert (decision.effect, decision.dropped) == (Effect.QUESTION_DELETED, (question(7), question(2)))


def edited(text: str, message_id: int = 7) -> tuple[list[list[str]], Effect, ChatRecord]:
    decision = take_edit(COLLECTING, message_id, text, RULES)
    return [[piece.text for piece in one.pieces] for one in decision.record.bursts], decision.effect, decision.record


@pytest.mark.parametrize(
    ("text", "taken"),
    [(" иду\x00 ", "иду"), ("Тимоха, иду", "иду"), ("Маша, иду", "Маша, иду"), ("иду\n/help", "иду\n/help")],
)
def test_an_edited_piece_has_its_new_text_without_the_prefix(text: str, taken: str) -> None:
    assert edited(text)[:2] == ([["?", "?"], [taken]], Effect.SILENT)


def test_the_prefix_is_the_one_that_is_set_for_the_person() -> None:
    assert edited("Маша, иду", 6)[0] == [["?", "иду"], ["?"]]
    assert edited("Тимоха, иду", 6)[0] == [["?", "Тимоха, иду"], ["?"]]


@pytest.mark.parametrize("text", ["", "\u2800", "/help", "/start", "/help@timokha"])
def test_a_piece_that_is_edited_into_nothing_or_a_command_is_left_out(text: str) -> None:
    assert edited(text)[:2] == ([["?", "?"]], Effect.QUESTION_DELETED)
    assert edited(text, 5)[:2] == ([["?"], ["?"]], Effect.SILENT)


def test_the_edit_of_another_message_changes_nothing() -> None:
    shown, effect, record = edited("иду", 8)
    assert (record is COLLECTING, effect) == (True, Effect.SILENT)
    assert shown == [["?", "?"], ["?"]]
