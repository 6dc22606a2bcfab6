"""Drafts: kept in the owner's record while they wait, recalled by the record of the chat that asks. Pure functions.

A draft is closed once it has been decided or recalled. The newest closed ones are kept, so that a late reply to one
gets an answer.
"""

from edge.userbot.chat.record import MAX_DRAFTS, MAX_UNCONFIRMED, NO_MESSAGE, ChatRecord, Draft, Unconfirmed

MAX_CLOSED = 50


def add_draft(record: ChatRecord, draft: Draft) -> ChatRecord:
    """Add a draft, unless it was added before or MAX_DRAFTS wait already."""
    if find_draft(record, draft.request_id) or sum(not one.closed for one in record.drafts) >= MAX_DRAFTS:
        return record
    return record.having(drafts=(*record.drafts, draft))


def find_draft(record: ChatRecord, request_id: str) -> Draft | None:
    return next((draft for draft in record.drafts if draft.request_id == request_id), None)


def draft_shown_by(record: ChatRecord, message_id: int) -> Draft | None:
    """Return the draft of which `message_id` is a message; none if it is NO_MESSAGE, as of what could not be sent."""
    if message_id == NO_MESSAGE:
        return None
    return next((draft for draft in record.drafts if message_id in draft.message_ids), None)


def may_answer_draft(record: ChatRecord, reply_to: int | None) -> bool:
    """Return whether a reply to `reply_to` may be about a draft, also to a message whose id is not recorded yet."""
    if not reply_to:
        return False
    return draft_shown_by(record, reply_to) is not None or draft_to_show(record) is not None


def may_answer_lost_draft(record: ChatRecord, reply_to: int | None) -> bool:
    """Return whether a reply to a bot may be about a draft's message of which it never gets the id.

    The draft was closed while its message was being sent, or Telegram did not say the id. Such a message replies to
    none, and Telegram does not show a bot what it has sent.
    """
    if not reply_to or reply_to in record.sent or reply_to in record.seen:
        return False
    return any(one.reply_to == NO_MESSAGE for one in record.unconfirmed)


def may_lost_draft_wait(record: ChatRecord) -> bool:
    """Return whether a draft that waits has a message of which no id is known."""
    return any(NO_MESSAGE in draft.message_ids and not draft.closed for draft in record.drafts)


def draft_to_show(record: ChatRecord) -> Draft | None:
    """Return the oldest draft of which not all messages were sent."""
    return next((draft for draft in record.drafts if not (draft.shown or draft.closed)), None)


def record_draft_message(record: ChatRecord, request_id: str, message_id: int, *, last: bool) -> ChatRecord:
    """Record that the draft's next message was sent. If it was closed meanwhile, the message is to be deleted."""
    draft = find_draft(record, request_id)
    if draft is None or draft.closed:
        return _withdraw(record, (message_id,))
    if message_id != NO_MESSAGE and message_id in draft.message_ids:
        return record  # it was seen in the chat before
    return _with(record, draft.having(message_ids=(*draft.message_ids, message_id), shown=last))


def close_draft(record: ChatRecord, request_id: str) -> ChatRecord:
    """Close a draft: its messages are to be deleted, one that is being sent as soon as it is seen."""
    draft = find_draft(record, request_id)
    if draft is None or draft.closed:
        return record
    closed = [one for one in record.drafts if one.closed]
    forgotten = closed[: max(0, len(closed) + 1 - MAX_CLOSED)]
    kept = tuple(one for one in record.drafts if one not in forgotten)
    record = _withdraw(record.having(drafts=kept), draft.message_ids)
    if sending := next_sending(draft):
        unconfirmed = (*record.unconfirmed, sending.having(withdraw=True))[-MAX_UNCONFIRMED:]
        record = record.having(unconfirmed=unconfirmed)
    return _with(record, draft.having(closed=True, digests=()))


def close_drafts_of(record: ChatRecord, chat: str) -> ChatRecord:
    """Close the drafts for a chat that knows nothing of them any more: its record will recall none."""
    for draft in record.drafts:
        if draft.chat == chat:
            record = close_draft(record, draft.request_id)
    return record


def next_sending(draft: Draft) -> Unconfirmed | None:
    """Return the draft's message that is sent next, None if all were."""
    unsent = draft.digests[len(draft.message_ids) :]
    return Unconfirmed(digest=unsent[0], reply_to=NO_MESSAGE) if unsent and not draft.shown else None


def recall(record: ChatRecord) -> ChatRecord:
    """Have the draft of the current question removed from the owner's chat, if it is there or about to be."""
    current = record.current
    if current is None or current.state != "awaiting_approval" or current.request_id in record.recalled:
        return record
    return record.having(recalled=(*record.recalled, current.request_id))


def finish_recall(record: ChatRecord, request_id: str) -> ChatRecord:
    """Record that the draft of `request_id` is removed."""
    left = tuple(other for other in record.recalled if other != request_id)
    return record if len(left) == len(record.recalled) else record.having(recalled=left)


def _withdraw(record: ChatRecord, message_ids: tuple[int, ...]) -> ChatRecord:
    known = tuple(one for one in message_ids if one != NO_MESSAGE and one not in record.withdrawn)
    return record.having(withdrawn=(*record.withdrawn, *known)) if known else record


def _with(record: ChatRecord, changed: Draft) -> ChatRecord:
    return record.having(
        drafts=tuple(changed if draft.request_id == changed.request_id else draft for draft in record.drafts)
    )
