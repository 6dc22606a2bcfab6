"""What the owner's orders change in chat records and in the policy. Pure functions; repeating one changes nothing more.

A time counts from when the order was sent, and an order to resume leaves a pause that began after that.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from edge.userbot.chat import policy as policies
from edge.userbot.chat.owner_turn import drop_questions, older_questions, open_questions
from edge.userbot.chat.policy import FOR_EVER, MAX_ENTRIES, Policy, is_over, is_within
from edge.userbot.chat.record import NO_MESSAGE, ChatRecord, Order, Question
from edge.userbot.chat.transitions import Decision, Effect
from edge.userbot.owner.orders import Pause


def end_of(pause: Pause, order: Order) -> datetime:
    """Return when the pause ends that the order asks for."""
    return order.date + pause.time if pause.time else FOR_EVER


def pause_chat(record: ChatRecord, since: datetime, until: datetime, now: datetime) -> ChatRecord:
    """Pause the chat as the owner asked at `since`, not shortening another pause, unless they resumed it later."""
    if is_over(record.resumed_at, since, now):
        return record
    if record.paused_until and record.paused_until >= until and is_within(record.paused_since, until, since):
        return record
    return record.having(paused_since=since, paused_until=until)


def resume_chat(record: ChatRecord, order: Order, now: datetime) -> ChatRecord:
    """End the chat's pause."""
    if _began_after(order, record.paused_since, now) or is_over(record.resumed_at, order.date, now):
        return record
    if record.paused_until is None and record.resumed_at == order.date:
        return record
    return record.having(paused_since=None, paused_until=None, resumed_at=order.date)


def resume_all(policy: Policy, order: Order, now: datetime) -> Policy:
    """End the pause of all chats."""
    if _began_after(order, policy.paused_since, now) or policies.is_over(policy.resumed_at, order.date, now):
        return policy
    return policies.resume(policy, order.date)


def _began_after(order: Order, since: datetime | None, now: datetime) -> bool:
    """Return whether a pause began after the order. One that has not begun yet began before the clock was set back."""
    return since is not None and order.date < since <= now


def questions_before(record: ChatRecord, order: Order, *, numbered_together: bool) -> tuple[Question, ...]:
    """Return the questions without a complete outcome that were asked before the order."""
    if numbered_together:
        return older_questions(record, order.message_id)
    return open_questions(record, lambda question: question.asked_at <= order.date)


def cancel(record: ChatRecord, order: Order, *, numbered_together: bool) -> Decision:
    """Drop the questions that were asked before the order.

    `numbered_together`: ids tell which message is older, the order or a question.
    """
    return _drop(record, questions_before(record, order, numbered_together=numbered_together))


def cancel_everything(record: ChatRecord) -> Decision:
    """Drop all questions."""
    return _drop(record, open_questions(record))


def _drop(record: ChatRecord, questions: tuple[Question, ...]) -> Decision:
    return Decision(drop_questions(record, questions), Effect.CANCELLED, questions)


def forget_all_but_answers(record: ChatRecord) -> ChatRecord:
    """Return the owner's own record with nothing but their orders, what answers them, and what deletes our drafts."""
    shown = (message_id for draft in record.drafts for message_id in draft.message_ids)
    withdrawn = dict.fromkeys((*record.withdrawn, *shown))
    withdrawn.pop(NO_MESSAGE, None)
    left = ChatRecord(seen=record.seen, orders=record.orders, notices=record.notices, withdrawn=tuple(withdrawn))
    return record if left == record else left


def has_room(policy: Policy, who: Sequence[str]) -> bool:
    """Return whether either list can take in `who`."""
    return all(len({*entries, *who}) <= MAX_ENTRIES for entries in (policy.allowed, policy.denied))


def allow(policy: Policy, who: Sequence[str], by: int = NO_MESSAGE) -> Policy:
    """Answer `who`, entries of `People`, if there is room for them. `by`: the order's message."""
    return _with_each(policies.allow, policy, who, by)


def deny(policy: Policy, who: Sequence[str], by: int = NO_MESSAGE) -> Policy:
    """Do not answer `who`, if there is room for them. `by`: the order's message."""
    return _with_each(policies.deny, policy, who, by)


def _with_each(change: Callable[[Policy, str, int], Policy], policy: Policy, who: Sequence[str], by: int) -> Policy:
    changed = policy
    for entry in who if has_room(policy, who) else ():
        changed = change(changed, entry, by)
    return policy if changed == policy else changed
