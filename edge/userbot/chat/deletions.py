"""What it does to a chat's record that messages in it were deleted: a pure function."""

from collections.abc import Set

from edge.userbot.chat.owner_turn import drop_questions, open_questions
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import Decision, Effect


def take_deletion(record: ChatRecord, message_ids: Set[int]) -> Decision:
    """Drop the questions whose messages were deleted before they had a complete outcome.

    Several that are asked as one are known by the newest. A message that is no such question changes nothing.
    """
    deleted = tuple(question for question in open_questions(record) if question.message_id in message_ids)
    return Decision(drop_questions(record, deleted), Effect.QUESTION_DELETED if deleted else Effect.SILENT, deleted)
