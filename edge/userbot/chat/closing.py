"""Close a burst: make it the chat's question, or drop it. Pure functions."""

from datetime import datetime, timedelta

from edge.userbot.chat.admission import remember
from edge.userbot.chat.approval import join
from edge.userbot.chat.bursts import find_burst, may_close, question_of, without
from edge.userbot.chat.own_messages import add_notice
from edge.userbot.chat.record import Burst, ChatRecord, Notice, ask
from edge.userbot.chat.transitions import Decision, Effect
from edge.userbot.phrases import INTERNAL, failure
from events.ids import RequestId


def close_burst(
    record: ChatRecord, burst: Burst, account: str, chat: str, *, now: datetime, deadline: timedelta
) -> ChatRecord:
    """Ask what the burst has become, if it is still due. It joins a question whose draft waits for the owner.

    `account` and `chat` are the first tokens of the request's id, which is due `deadline` from now.
    """
    due = find_burst(record, burst.sender)
    if due is None or due.due_at > now or not may_close(record):
        return record
    question, record = question_of(due), without(record, due)
    record = record.having(heard=remember(record.heard, due, now))
    request_id = RequestId(account, chat, str(question.message_id), question.revision)
    if record.current is None:
        return record.having(current=ask(question, request_id, now + deadline))
    return join(record, question, request_id, now + deadline)


def drop_doubtful(record: ChatRecord, restored_at: datetime) -> Decision:
    """Drop the bursts that were begun before a backup was restored: they may have been answered with what followed."""
    doubtful = [burst for burst in record.bursts if any(piece.asked_at < restored_at for piece in burst.pieces)]
    dropped = tuple(question_of(burst) for burst in doubtful)
    for burst in doubtful:
        record = without(record, burst)
    return Decision(record, Effect.DOUBTFUL, dropped)


def skip_burst(record: ChatRecord, burst: Burst) -> ChatRecord:
    """Drop a burst, as it can't be closed, and add a notice that says so."""
    question = burst.pieces[-1]
    notice = Notice(message_id=question.message_id, text=failure(question.locale, INTERNAL))
    return add_notice(without(record, burst), notice)
