"""Close a burst: make it the chat's question. A pure function."""

from datetime import datetime, timedelta

from edge.userbot.chat.admission import remember
from edge.userbot.chat.approval import join
from edge.userbot.chat.bursts import due_burst, question_of, without
from edge.userbot.chat.own_messages import add_notice
from edge.userbot.chat.record import Burst, ChatRecord, Notice, ask
from edge.userbot.phrases import INTERNAL, failure
from events.ids import RequestId


def close_burst(
    record: ChatRecord, burst: Burst, account: str, chat: str, *, now: datetime, deadline: timedelta
) -> ChatRecord:
    """Ask what the burst has become, if it is still due. It joins a question whose draft waits for the owner.

    `account` and `chat` are the first tokens of the request's id, which is due `deadline` from now.
    """
    due = due_burst(record, now)
    if due is None or due.sender != burst.sender:
        return record
    question, record = question_of(due), without(record, due)
    record = record.having(heard=remember(record.heard, due, now))
    request_id = RequestId(account, chat, str(question.message_id), question.revision)
    if record.current is None:
        return record.having(current=ask(question, request_id, now + deadline))
    return join(record, question, request_id, now + deadline)


def skip_burst(record: ChatRecord, burst: Burst) -> ChatRecord:
    """Drop a burst, as it can't be closed, and add a notice that says so."""
    question = burst.pieces[-1]
    notice = Notice(message_id=question.message_id, text=failure(question.locale, INTERNAL))
    return add_notice(without(record, burst), notice)
