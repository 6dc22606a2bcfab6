"""Which messages show which answer, for feedback: pure functions of a chat's record."""

from edge.userbot.chat.record import MAX_ANSWERS, NO_MESSAGE, Answered, AnswerText, ChatRecord, Current


def record_answered(record: ChatRecord, request_id: str, message_id: int) -> ChatRecord:
    """Record that a message shows the answer to the current question `request_id`, or a part of it.

    Failures and what the owner has written instead are no answers of the model's.
    """
    current = record.current
    if current is None or current.request_id != request_id or not _shows_answer(current) or message_id == NO_MESSAGE:
        return record
    others = [answered for answered in record.answers if answered.request_id != request_id]
    known = next((one.message_ids for one in record.answers if one.request_id == request_id), ())
    if message_id in known:
        return record
    answered = Answered(request_id=request_id, message_ids=(*known, message_id), trace=current.question.trace)
    return record.having(answers=(*others, answered)[-MAX_ANSWERS:])


def answer_shown_by(record: ChatRecord, message_id: int) -> Answered | None:
    """Return the answer that a message shows, None if it shows none of the newest."""
    return next((answered for answered in record.answers if message_id in answered.message_ids), None)


def _shows_answer(current: Current) -> bool:
    outcome = current.outcome
    return current.state == "delivering" and isinstance(outcome, AnswerText) and not outcome.by_owner
