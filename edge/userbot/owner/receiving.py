"""Take the owner's orders into the record of their own chat, and out of it: pure functions."""

from datetime import datetime, timedelta

from edge.userbot.chat.drafts import may_answer_draft, may_answer_lost_draft
from edge.userbot.chat.incoming import OwnMessage
from edge.userbot.chat.own_messages import add_notice, is_ours, record_seen
from edge.userbot.chat.record import (
    MAX_NOTICES,
    MAX_ORDERS,
    MAX_QUESTION_BYTES,
    MAX_SEEN,
    NO_MESSAGE,
    ChatRecord,
    Notice,
    Order,
    truncate,
)
from edge.userbot.chat.transitions import Decision, Effect
from edge.userbot.owner import phrases
from edge.userbot.owner.orders import parse_order
from edge.userbot.phrases import deleted
from edge.userbot.rules import Rules

DATE_STEP = timedelta(seconds=1)
"""Telegram's dates are in whole seconds, rounded down."""


def take_in_own_chat(record: ChatRecord, message: OwnMessage, rules: Rules, now: datetime) -> Decision:
    """Take in a message in the account's own chat, which is the owner's or one of ours."""
    if is_ours(record, message):
        return Decision(record_seen(record, message), Effect.OWN)
    return receive_order(record, message, rules, now)


def receive_order(record: ChatRecord, message: OwnMessage, rules: Rules, now: datetime) -> Decision:
    """Take in a message of the owner's in their own chat. A note, or one that was taken in before, changes nothing.

    A decision about a draft counts whatever its age: the draft knows how long it waits.
    """
    return _receive(record, message, rules, now, decides=may_answer_draft(record, message.reply_to))


def receive_order_to_bot(record: ChatRecord, message: OwnMessage, rules: Rules, now: datetime) -> Decision:
    """Take in a message to a bot of its owner's, who may reply to a draft that the bot does not know any more."""
    decides = may_answer_draft(record, message.reply_to) or may_answer_lost_draft(record, message.reply_to)
    return _receive(record, message, rules, now, decides=decides)


def _receive(record: ChatRecord, message: OwnMessage, rules: Rules, now: datetime, *, decides: bool) -> Decision:
    if not decides and parse_order(message.text, rules.names) is None:
        return Decision(record, Effect.SILENT)
    if message.message_id in record.seen:
        return Decision(record, Effect.DUPLICATE)
    record = record.having(seen=(*record.seen, message.message_id)[-MAX_SEEN:])
    if now - message.date > rules.catch_up_window and not decides:
        return Decision(record, Effect.TOO_OLD)
    if len(record.orders) >= MAX_ORDERS:
        return Decision(_with_overflow(record, message, rules), Effect.TOO_MANY_ORDERS)
    order = Order(
        message_id=message.message_id,
        text=truncate(message.text, MAX_QUESTION_BYTES),
        date=min(now, message.date + DATE_STEP),
        reply_to=message.reply_to or NO_MESSAGE,
    )
    return Decision(record.having(orders=(*record.orders, order)), Effect.ORDERED)


def finish_order(record: ChatRecord, order: Order, answer: str) -> ChatRecord:
    """Remove an order that was carried out, and add the notice that answers it; none if `answer` is empty."""
    left = tuple(other for other in record.orders if other.message_id != order.message_id)
    if len(left) == len(record.orders):
        return record
    record = record.having(orders=left)
    return add_notice(record, Notice(message_id=order.message_id, text=answer)) if answer else record


def start_afresh(record: ChatRecord, message: OwnMessage, rules: Rules) -> Decision:
    """Replace a record that can't be read, as the owner's `/delete_history` asks: orders and drafts are lost."""
    if message.message_id in record.seen:
        return Decision(record, Effect.DUPLICATE)
    notice = Notice(message_id=message.message_id, text=deleted(rules.locale, cancelled=False))
    return Decision(ChatRecord(seen=(message.message_id,), notices=(notice,)), Effect.DELETED)


def _with_overflow(record: ChatRecord, message: OwnMessage, rules: Rules) -> ChatRecord:
    """Return `record` with one line for all orders for which there is no room, if there is room for that."""
    line = phrases.too_many(rules.locale)
    # One place stays free for the answer to the order that is being carried out.
    if len(record.notices) >= MAX_NOTICES - 1 or any(notice.text == line for notice in record.notices):
        return record
    return record.having(notices=(*record.notices, Notice(message_id=message.message_id, text=line)))
