"""What it does to a chat's record that Telegram takes none of our messages there: a pure function."""

from datetime import datetime, timedelta

from edge.userbot.chat.bursts import question_of
from edge.userbot.chat.owner_turn import drop_questions, pause
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import Decision, Effect

REST = timedelta(hours=1)


def leave_alone(record: ChatRecord, now: datetime) -> Decision:
    """Pause the chat for `REST`, and drop the questions that wait there: their answers could not be shown.

    The current question goes on: its messages are refused one by one. If the chat rests already, nothing changes.
    """
    dropped = (*record.waiting, *(question_of(burst) for burst in record.bursts))
    left = pause(drop_questions(record, dropped), now, REST, now)
    return Decision(left, Effect.SILENT if left is record else Effect.RESTRICTED, dropped)
