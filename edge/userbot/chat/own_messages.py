"""Tell our messages from the owner's: Telegram shows both as sent from the account.

Ours are known by the id that Telegram gave them. Until that is recorded, a message counts as ours if it is one that the
chat's record asks to be sent, or asked for until its question was dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from edge.userbot import phrases
from edge.userbot.chat.drafts import draft_to_show, next_sending, recall, record_draft_message
from edge.userbot.chat.incoming import OwnMessage
from edge.userbot.chat.record import (
    MAX_NOTICES,
    MAX_SENT,
    MAX_UNCONFIRMED,
    MAX_WITHDRAWN,
    NO_MESSAGE,
    ChatRecord,
    Current,
    Draft,
    Notice,
    Unconfirmed,
)
from edge.userbot.chat.steps import messages_of
from edge.userbot.text import visible


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message of ours that Telegram has accepted. `message_id`: NO_MESSAGE if Telegram did not say."""

    message_id: int
    text: str
    reply_to: int


def is_ours(record: ChatRecord, message: OwnMessage) -> bool:
    """Return whether `message` is one of ours, not the owner's."""
    if message.is_ours or message.message_id in record.sent or message.text in phrases.unreadable_lines():
        return True
    return any(_is_seen(sending, message) for sending in (*_sendings(record), *record.unconfirmed))


def may_be_forgotten(record: ChatRecord, message: OwnMessage) -> bool:
    """Return whether `message`, fetched late, may be one of ours whose id is known no more.

    It had to give way to newer ones, or was in a record that could not be read until `/delete_history`.
    """
    if message.message_id < record.deleted_to:
        return True
    return len(record.sent) >= MAX_SENT and message.message_id < min(record.sent)


def is_sent_next(current: Current, message: OwnMessage) -> bool:
    """Return whether `message` is the one that `current` asks to be sent next."""
    sending = _next_sending(current)
    return sending is not None and _is_seen(sending, message)


def record_seen(record: ChatRecord, message: OwnMessage) -> ChatRecord:
    """Record that an unconfirmed message, a notice, or a draft's next message was seen in the chat.

    It is withdrawn if that was to be done then.
    """
    if message.message_id in record.sent:
        return record
    for unconfirmed in record.unconfirmed:
        if _is_seen(unconfirmed, message):
            return _confirm(record, unconfirmed, message.message_id)
    for notice in record.notices:
        if _is_seen(_sending_of(notice), message):
            notices = tuple(other for other in record.notices if other is not notice)
            return _with_sent(record.having(notices=notices), message.message_id)
    draft = draft_to_show(record)
    if draft is None or not _is_draft_seen(draft, message):
        return record
    last = len(draft.message_ids) + 1 >= len(draft.digests)
    return record_draft_message(_with_sent(record, message.message_id), draft.request_id, message.message_id, last=last)


def record_sent(record: ChatRecord, sent: SentMessage | None) -> ChatRecord:
    """Record a message that was sent, None if it was not, also if its question was dropped meanwhile."""
    if sent is None:
        return record
    sending = Unconfirmed(digest=digest(sent.text), reply_to=sent.reply_to)
    if sent.message_id == NO_MESSAGE:
        return _with_unconfirmed(record, sending)
    for unconfirmed in record.unconfirmed:
        if (unconfirmed.digest, unconfirmed.reply_to) == (sending.digest, sending.reply_to):
            return _confirm(record, unconfirmed, sent.message_id)
    return _with_sent(record, sent.message_id)


def add_notice(record: ChatRecord, notice: Notice) -> ChatRecord:
    """Add a notice. Of too many keep the latest, and the first: as it may be being sent, its text must stay known."""
    notices = (*record.notices, notice)
    return record.having(notices=(*notices[:1], *notices[1:][1 - MAX_NOTICES :]))


def forget_current(record: ChatRecord, *, withdraw: bool = False) -> ChatRecord:
    """Return `record` without its current question. A message of it that is being sent may still appear: it is ours.

    If its outcome waits for approval, its draft is recalled. `withdraw`: delete its thinking line, unless messages of
    the outcome have followed.
    """
    current = record.current
    if current is None:
        return record
    withdraw = withdraw and current.parts_sent == 0
    record = expect_sending(record, withdraw=withdraw and current.thinking_id is None)
    if withdraw and current.thinking_id:
        record = record_withdrawal(record, current.thinking_id)
    return recall(record).having(current=None)


def expect_sending(record: ChatRecord, *, withdraw: bool = False) -> ChatRecord:
    """Return `record` with the message that is being sent, as it will not ask for it any more."""
    sending = record.current and _next_sending(record.current)
    return _with_unconfirmed(record, sending.having(withdraw=withdraw)) if sending else record


def record_withdrawal(record: ChatRecord, message_id: int) -> ChatRecord:
    """Record that our message is to be deleted."""
    return record.having(withdrawn=(*record.withdrawn, message_id)[-MAX_WITHDRAWN:])


def drop_withdrawal(record: ChatRecord, message_id: int) -> ChatRecord:
    """Record that our message was deleted, or can't be."""
    left = tuple(other for other in record.withdrawn if other != message_id)
    return record if len(left) == len(record.withdrawn) else record.having(withdrawn=left)


def digest(text: str) -> str:
    """Return what identifies a text as Telegram shows it."""
    return sha256(visible(text).encode(errors="replace")).hexdigest()[:32]


def _sendings(record: ChatRecord) -> Iterator[Unconfirmed]:
    """Yield the messages that the record asks for."""
    yield from map(_sending_of, record.notices)
    if record.current and (sending := _next_sending(record.current)):
        yield sending
    if (draft := draft_to_show(record)) and (sending := next_sending(draft)):
        yield sending


def _sending_of(notice: Notice) -> Unconfirmed:
    return Unconfirmed(digest=digest(notice.text), reply_to=notice.message_id)


def _next_sending(current: Current) -> Unconfirmed | None:
    """Return the message that is sent next; the driver sends one after the other."""
    question = current.question
    if current.thinking_id is None and not question.approve and not question.sign:
        line = phrases.thinking(question.locale, current.request_id)
        return Unconfirmed(digest=digest(line), reply_to=question.message_id)
    if current.state != "delivering" or current.outcome is None:
        return None
    messages = messages_of(current.outcome, question.locale)
    if current.parts_sent >= len(messages):
        return None
    text = messages[current.parts_sent].text
    return Unconfirmed(digest=digest(text), reply_to=current.thinking_id or question.message_id)


def _is_draft_seen(draft: Draft, message: OwnMessage) -> bool:
    """Return whether `message` is the next one of `draft`."""
    sending = next_sending(draft)
    return sending is not None and _is_seen(sending, message)


def _is_seen(sending: Unconfirmed, message: OwnMessage) -> bool:
    """Return whether `message` is the one being sent. A message whose target was deleted replies to none."""
    if message.reply_to not in (sending.reply_to, None):
        return False
    return message.message_id > sending.reply_to and digest(message.text) == sending.digest


def _confirm(record: ChatRecord, unconfirmed: Unconfirmed, message_id: int) -> ChatRecord:
    left = tuple(other for other in record.unconfirmed if other != unconfirmed)
    record = _with_sent(record.having(unconfirmed=left), message_id)
    return record_withdrawal(record, message_id) if unconfirmed.withdraw else record


def _with_sent(record: ChatRecord, message_id: int) -> ChatRecord:
    if message_id in record.sent:
        return record
    return record.having(sent=(*record.sent, message_id)[-MAX_SENT:])


def _with_unconfirmed(record: ChatRecord, sending: Unconfirmed) -> ChatRecord:
    return record.having(unconfirmed=(*record.unconfirmed, sending)[-MAX_UNCONFIRMED:])
