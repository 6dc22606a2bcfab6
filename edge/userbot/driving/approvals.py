"""Carry out the steps of approval, in the driver of the asking chat and in that of the owner's chat.

No fault of the owner's chat holds up the asking chat for longer than USERBOT_APPROVE_FOR: what can't be shown there
expires.
"""

from collections.abc import Callable
from functools import partial

import structlog

from edge.userbot import draft_phrases
from edge.userbot.chat import approval, drafts
from edge.userbot.chat.approval import Approve, Choice, Reject, Replace
from edge.userbot.chat.draft_messages import asker_of, draft_messages
from edge.userbot.chat.own_messages import SentMessage, digest, record_sent
from edge.userbot.chat.record import NO_MESSAGE, ChatRecord, Current, Draft, Order, UnreadableRecord
from edge.userbot.chat.steps import ExpireApproval, Recall, ShowDraft, Submit
from edge.userbot.driving.messenger import Button
from edge.userbot.driving.outbox import Outbox
from edge.userbot.driving.owners_record import change_owners_record
from edge.userbot.driving.ports import Ports
from edge.userbot.storage.chats import Transition
from events.ids import RequestId
from observability import names, propagation

ApprovalStep = Submit | ExpireApproval | Recall | ShowDraft
APPROVAL_STEPS = (Submit, ExpireApproval, Recall, ShowDraft)

log = structlog.get_logger(__name__)


class Approvals:
    """The part of a chat's `Performer` for `ApprovalStep`s. `wake`: have another chat's record looked at."""

    def __init__(self, chat: str, ports: Ports, outbox: Outbox, wake: Callable[[str], None]) -> None:
        self._chat = chat
        self._ports = ports
        self._clock = ports.retrying.clock
        self._outbox = outbox
        self._wake = wake

    async def carry_out(self, step: ApprovalStep) -> None:
        match step:
            case Submit(current):
                await self._submit(current)
            case ExpireApproval(current):
                await self._expire(current)
            case Recall(request_id):
                await self._change_owners(lambda record: drafts.close_draft(record, request_id))
                await self._change(self._chat, lambda record: drafts.finish_recall(record, request_id))
            case ShowDraft(draft):
                await self._show(draft)

    async def skip(self, step: ApprovalStep) -> None:
        """Go on without a step that does not work: what is not shown expires, what is not removed stays."""
        match step:
            case Submit(current):
                await self._change(self._chat, self._submitted(current))
            case Recall(request_id):
                await self._change(self._chat, lambda record: drafts.finish_recall(record, request_id))
            case ShowDraft(draft):
                await self._record_shown(draft, None, last=True)
            case ExpireApproval(current):
                await self._change(self._chat, self._expired(current, send=False))

    async def decide(self, order: Order, draft: Draft) -> str:
        """Carry out the owner's reply to a draft. Return the line that answers it, the same one if this is repeated."""
        locale = self._ports.rules().locale
        choice = approval.read_choice(order.text)
        if choice is None:
            return draft_phrases.unclear(locale)
        if not await self._decide(order, draft, choice):
            return draft_phrases.over(locale)
        match choice:
            case Approve():
                return draft_phrases.sent(locale, draft.asker)
            case Reject():
                return draft_phrases.rejected(locale, draft.asker)
            case Replace():
                return draft_phrases.replaced(locale, draft.asker)

    def answer_lost(self, order: Order, record: ChatRecord) -> str:
        """Return the line that answers a reply to a draft which a bot does not know, empty if such a one may wait."""
        if not (self._ports.by_bot and drafts.may_answer_lost_draft(record, order.reply_to)):
            return ""
        return "" if drafts.may_lost_draft_wait(record) else draft_phrases.over(self._ports.rules().locale)

    async def _decide(self, order: Order, draft: Draft, choice: Choice) -> bool:
        """Return whether the draft was decided by this order."""
        deadline = self._clock.now() + self._ports.deadline
        waited: Current | None = None

        def transition(record: ChatRecord) -> ChatRecord:
            nonlocal waited
            waited = approval.awaiting(record, draft.request_id)
            return approval.decide(record, draft.request_id, choice, by=order.message_id, deadline=deadline)

        try:
            record = await self._change(draft.chat, transition)
        except UnreadableRecord:
            return False
        if waited:
            self._report(waited, outcome="rejected" if isinstance(choice, Reject) else None)
        self._wake(draft.chat)
        return record.decided_by == order.message_id

    async def _submit(self, current: Current) -> None:
        added = await self._change_owners(partial(drafts.add_draft, draft=self._draft(current)))
        if added is None or not drafts.find_draft(added, current.request_id):
            log.warning("draft.not_shown", request_id=current.request_id, error="the owner's chat can't take it")
        await self._change(self._chat, self._submitted(current))

    def _draft(self, current: Current) -> Draft:
        messages = draft_messages(current, self._chat, self._ports.rules().locale)
        return Draft(
            chat=self._chat,
            request_id=current.request_id,
            asker=asker_of(current, self._chat),
            digests=tuple(digest(message.text) for message in messages),
        )

    def _submitted(self, current: Current) -> Transition[ChatRecord]:
        until = (current.settled_at or self._clock.now()) + self._ports.rules().approve_for
        return lambda record: approval.submit(record, current.request_id, until)

    async def _expire(self, current: Current) -> None:
        """End the wait, unless the owner has decided and that was not carried out yet, e.g. after a restart.

        What a restored backup holds may have been rejected since: it is dropped in any case.
        """
        if await self._decide_as_ordered(current):
            return
        rules, question = self._ports.rules(), current.question
        restored = question.doubtful or question.asked_at < await self._ports.chats.restored_at()
        send = rules.approve_expired == "send" and not restored
        record = await self._change(self._chat, self._expired(current, send=send))
        dropped = record.current is None or record.current.request_id != current.request_id
        self._report(current, outcome="expired" if dropped else None)

    async def _decide_as_ordered(self, current: Current) -> bool:
        """Carry out what the owner's record still has to do about this draft. Return whether that decided it."""
        record = await self._owners_record()
        for order in record.orders:
            draft, choice = drafts.draft_shown_by(record, order.reply_to), approval.read_choice(order.text)
            if draft and draft.request_id == current.request_id and choice:
                return await self._decide(order, draft, choice)
        return False

    async def _owners_record(self) -> ChatRecord:
        """Return the record of the owner's chat, an empty one if there is none or it can't be read."""
        owner_chat = self._ports.owner_chat
        try:
            return await self._ports.chats.load(owner_chat) if owner_chat else ChatRecord()
        except UnreadableRecord:
            return ChatRecord()

    def _expired(self, current: Current, *, send: bool) -> Transition[ChatRecord]:
        now, request_id = self._clock.now(), current.request_id
        deadline = now + self._ports.deadline
        return lambda record: approval.expire_approval(record, request_id, now, send=send, deadline=deadline)

    def _report(self, current: Current, *, outcome: str | None) -> None:
        """Trace the wait that ended now. `outcome`: of the question, None if its messages are still to be sent."""
        telemetry, now = self._ports.telemetry, self._clock.now()
        request_id, trace = RequestId.parse(current.request_id), current.question.trace
        with telemetry.spans.step(names.AWAIT_APPROVAL, request_id, trace=trace, since=current.settled_at or now):
            pass
        if outcome:
            telemetry.metrics.record_finished(now - current.question.asked_at, outcome)
            log.info("question.settled", request_id=current.request_id, outcome=outcome)

    async def _show(self, draft: Draft) -> None:
        """Send the next message of a draft. If it no longer waits, e.g. after a backup was restored, close it.

        So is one in the chat of somebody who is the owner no longer.
        """
        current = await self._waiting(draft) if self._chat == self._ports.owner_chat else None
        if current is None:
            await self._change(self._chat, lambda record: drafts.close_draft(record, draft.request_id))
            return
        locale = self._ports.rules().locale
        messages = draft_messages(current, draft.chat, locale)
        number = len(draft.message_ids)
        last = number + 1 >= len(messages)
        with propagation.resume(current.question.trace):
            sent = await self._outbox.send(
                messages[number],
                reply_to=None,
                key=draft.request_id,
                part=f"draft {number}",
                index=number,
                buttons=_buttons(locale) if last else (),
            )
        await self._record_shown(draft, sent, last=last)

    async def _waiting(self, draft: Draft) -> Current | None:
        try:
            return approval.awaiting(await self._ports.chats.load(draft.chat), draft.request_id)
        except UnreadableRecord:
            return None

    async def _record_shown(self, draft: Draft, sent: SentMessage | None, *, last: bool) -> None:
        message_id = sent.message_id if sent else NO_MESSAGE

        def transition(record: ChatRecord) -> ChatRecord:
            return drafts.record_draft_message(record_sent(record, sent), draft.request_id, message_id, last=last)

        await self._change(self._chat, transition)

    async def _change_owners(self, transition: Transition[ChatRecord]) -> ChatRecord | None:
        return await change_owners_record(self._ports, self._wake, transition)

    async def _change(self, chat: str, transition: Transition[ChatRecord]) -> ChatRecord:
        return await self._ports.chats.change(chat, transition)


def _buttons(locale: str) -> tuple[Button, ...]:
    """Return the buttons below a draft: a press says what a reply to it would say."""
    return Button(draft_phrases.send_label(locale), "+"), Button(draft_phrases.drop_label(locale), "-")
