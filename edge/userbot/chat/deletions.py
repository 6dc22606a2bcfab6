"""What it does to a chat's record that messages in it were deleted: a pure function."""

from collections.abc import Set

from edge.userbot.chat.bursts import leave_out, question_of
from edge.userbot.chat.owner_turn import drop_questions, open_questions
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import Decision, Effect


def take_deletion_from_bursts(record: ChatRecord, message_ids: Set[int]) -> Decision:
    """Leave deleted messages out of what is still being collected. A burst of which nothing is left is dropped."""
    left = leave_out(record, message_ids)
    senders = {burst.sender for burst in left.bursts}
    dropped = tuple(question_of(burst) for burst in record.bursts if burst.sender not in senders)
    return Decision(left, Effect.QUESTION_DELETED if dropped else Effect.SILENT, dropped)


def take_deletion(record: ChatRecord, message_ids: Set[int]) -> Decision:
    """Do as `take_deletion_from_bursts`, and drop the questions whose messages were deleted before their outcome.

    Several that are asked as one are known by the newest. A message that is no such question changes nothing.
    """
    collected = take_deletion_from_bursts(record, message_ids)
    record = collected.record
    deleted = tuple(question for question in open_questions(record) if question.message_id in message_ids)
    dropped = (*collected.dropped, *deleted)
    return Decision(drop_questions(record, deleted), Effect.QUESTION_DELETED if dropped else Effect.SILENT, dropped)
