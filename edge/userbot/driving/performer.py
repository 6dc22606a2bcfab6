"""Carry out the steps of a chat: act on Telegram or the streams, then change the record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

import structlog

from edge.userbot import phrases
from edge.userbot.chat import question_progress as progress
from edge.userbot.chat.answers import record_answered
from edge.userbot.chat.closing import close_burst, drop_doubtful, skip_burst
from edge.userbot.chat.drafts import draft_shown_by
from edge.userbot.chat.own_messages import SentMessage, drop_withdrawal, record_sent
from edge.userbot.chat.record import NO_MESSAGE, AnswerText, Burst, ChatRecord, Current, Order
from edge.userbot.chat.request_builder import build_request
from edge.userbot.chat.steps import (
    CarryOut,
    CloseBurst,
    Deliver,
    Erase,
    Expire,
    ExpireApproval,
    Finish,
    Notify,
    Recall,
    ShowDraft,
    Step,
    Submit,
    TakeUp,
    Think,
    Withdraw,
)
from edge.userbot.chat_tokens import is_group
from edge.userbot.driving.approvals import Approvals
from edge.userbot.driving.dropped import report_dropped
from edge.userbot.driving.live import LiveView
from edge.userbot.driving.orders import Orders
from edge.userbot.driving.outbox import Outbox
from edge.userbot.driving.ports import Ports
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.owner.orders import parse_order
from edge.userbot.owner.phrases import failed
from edge.userbot.owner.receiving import finish_order
from edge.userbot.storage.chats import Transition
from events.errors import MalformedEvent, TimokhaError, TransportError
from events.event import Event
from events.faults import Fault
from events.ids import RequestId
from events.transport import Channel
from observability import names

SOURCE = "/timokha/userbot"
STEP_SPANS = {Think: names.START_ANSWER, Expire: names.AWAIT_ANSWER, Deliver: names.DELIVER_ANSWER}
ERASE_PAUSE = timedelta(seconds=30)
TAKEN_UP = "👀"
"""The reaction in place of the thinking line."""

log = structlog.get_logger(__name__)


class Performer:
    """Carries out the steps of one chat and raises their errors. Only a refused `Erase` is postponed here.

    `wake`: have another chat's record looked at.
    """

    def __init__(self, chat: str, ports: Ports, outbox: Outbox, view: LiveView, *, wake: Callable[[str], None]) -> None:
        self._chat = chat
        self._ports = ports
        self._clock = ports.retrying.clock
        self._outbox = outbox
        self._view = view
        self._orders = Orders(ports, wake)
        self._approvals = Approvals(chat, ports, outbox, wake)
        self._published_request = ""
        self._undeliverable_request = ""
        self.erase_at = float("-inf")
        """The monotonic time from which on `Erase` may be tried."""

    async def perform(self, step: Step, record: ChatRecord, *, due_since: datetime) -> None:
        """Carry out `step` and change the record accordingly. Its spans begin when it became due."""
        self._outbox.recorded = record.sent
        with self._step_span(step, record.current, due_since):
            await self._carry_out(step, record)

    @contextmanager
    def _step_span(self, step: Step, current: Current | None, due_since: datetime) -> Iterator[None]:
        name = STEP_SPANS.get(type(step))
        if current is None or name is None:
            yield
            return
        question = current.question
        span = partial(
            self._ports.telemetry.spans.step, question=RequestId.parse(current.request_id), trace=question.trace
        )
        taken_up_at = current.deadline - self._ports.deadline
        if isinstance(step, Think) and taken_up_at > question.asked_at:
            with span(names.AWAIT_TURN, since=question.asked_at):
                pass
        with span(name, since=taken_up_at if isinstance(step, Expire) else due_since):
            yield

    async def _carry_out(self, step: Step, record: ChatRecord) -> None:
        match step:
            case Erase(up_to):
                await self._erase(up_to)
            case Notify(notice):
                key = str(RequestId(self._ports.account, self._chat, str(notice.message_id)))
                sent = await self._outbox.send(
                    FormattedText(notice.text),
                    reply_to=notice.message_id or None,
                    key=key,
                    part=notice.key or "notice",
                )
                await self._change(lambda record: progress.drop_notice(record_sent(record, sent), *notice.name))
            case Withdraw(message_id):
                await self._outbox.withdraw(message_id)
                await self._change(lambda record: drop_withdrawal(record, message_id))
            case CarryOut(order):
                answer = await self._carry_out_order(order, record)
                await self._change(lambda record: finish_order(record, order, answer))
            case TakeUp():
                ports = self._ports
                deadline = self._clock.now() + ports.deadline
                await self._change(lambda record: progress.take_up_next(record, ports.account, self._chat, deadline))
            case CloseBurst(burst):
                await self._close(burst)
            case Expire(current):
                await self._expire(current)
            case Think(current):
                await self._think(record, current)
            case Submit() | ExpireApproval() | Recall() | ShowDraft():
                await self._approvals.carry_out(step)
            case Deliver():
                await self._deliver(step)
            case Finish():
                assert record.current
                await self._finish(record.current, lambda record: record)

    async def _carry_out_order(self, order: Order, record: ChatRecord) -> str:
        """Return what answers the owner's message: a decision about a draft, or a command. A note gets nothing.

        Nor does somebody who is the owner no longer.
        """
        if self._chat != self._ports.owner_chat:
            return ""
        if draft := draft_shown_by(record, order.reply_to):
            return await self._approvals.decide(order, draft)
        if parse_order(order.text):
            return await self._orders.carry_out(order)
        return self._approvals.answer_lost(order, record)

    async def skip(self, step: Step | None, record: ChatRecord) -> None:
        """Skip a step that does not work: fail its question, or drop it if it has failed already."""
        now, current = self._clock.now(), record.current
        deadline = now + self._ports.deadline
        match step:
            case Erase():
                self._erase_later()
            case Notify(notice):
                await self._change_or_drop_history(lambda record: progress.drop_notice(record, *notice.name))
            case Withdraw(message_id):
                await self._change_or_drop_history(lambda record: drop_withdrawal(record, message_id))
            case CarryOut(order):
                answer = failed(self._ports.rules().locale)
                await self._change_or_drop_history(lambda record: finish_order(record, order, answer))
            case TakeUp():
                await self._change_or_drop_history(progress.skip_waiting_question)
            case CloseBurst(burst):
                await self._change_or_drop_history(lambda record: skip_burst(record, burst))
            case Submit() | ExpireApproval() | Recall() | ShowDraft():
                await self._approvals.skip(step)
            case Deliver(current=answered) if await self._is_out(step):
                await self._change_or_drop_history(
                    lambda record: progress.drop_answered_question(record, answered.request_id, deadline)
                )
            case _ if current:
                await self._change_or_drop_history(
                    lambda record: progress.give_up_question(record, current.request_id, now, deadline)
                )
            case _:
                raise TimokhaError("there is no step that could be skipped")

    async def _is_out(self, step: Deliver) -> bool:
        """Return whether the chat shows the end of the answer: a line that it failed would be a second outcome."""
        if not isinstance(step.current.outcome, AnswerText) or step.part_index + 1 < step.parts_total:
            return False
        reply_to = step.current.question.message_id if step.edits else self._replies_to(step.current)
        name = f"{step.current.request_id} answer"
        return await self._outbox.shows(step.part.text, reply_to=reply_to, name=name, edited=step.edits)

    async def drop_if_answered_before(self, current: Current) -> bool:
        """Drop a question from a restored backup if the chat has its outcome already. Return whether it was dropped."""
        ports, question = self._ports, current.question
        restored_at = await ports.chats.restored_at()
        if not question.doubtful and question.asked_at >= restored_at:
            return False
        if ports.is_asked_again(self._chat, question.asked_at, restored_at):
            return False
        # Until its deadline the thinking line of a live answer may contain the start of the answer.
        grows = question.live and bool(current.thinking_id) and not current.is_over(self._clock.now())
        thinking = None if grows else phrases.thinking_lines()
        settled = await self._outbox.has_outcome(question.message_id, thinking=thinking)
        if settled:
            deadline = self._clock.now() + ports.deadline
            await self._change(lambda record: progress.drop_answered_question(record, current.request_id, deadline))
        return settled

    async def drop_doubtful_bursts(self) -> bool:
        """Drop the bursts from a restored backup. Return whether there were any."""
        ports = self._ports
        restored_at = await ports.chats.restored_at()
        decision = await ports.chats.change(self._chat, lambda record: drop_doubtful(record, restored_at))
        report_dropped(ports, self._chat, decision.dropped, decision.effect)
        return bool(decision.dropped)

    async def publish(self, record: ChatRecord, current: Current) -> None:
        """Publish the request, once per process: the log deduplicates those of earlier processes."""
        self._view.watch(current.request_id)
        if self._published_request == current.request_id:
            return
        ports = self._ports
        memory = ports.memory.recall(self._chat, record, current.question.text)
        data = build_request(record, current, ports.account, self._chat, ports.sampling, memory=memory)
        with ports.telemetry.spans.send(
            Channel.REQUESTS, Event.of(data, source=SOURCE, time=self._clock.now())
        ) as event:
            await ports.log.publish(Channel.REQUESTS, event)
        self._published_request = current.request_id

    def forget_published(self) -> None:
        """Publish the request again, should its question still wait for a reply."""
        self._published_request = ""

    async def _erase(self, up_to: int) -> None:
        """Erase events, and the owner's memory. If NATS refuses, e.g. for lack of permission, postpone it meanwhile."""
        self._ports.memory.forget(self._chat)
        try:
            await self._ports.log.erase_chat(self._ports.account, self._chat, up_to=up_to)
        except TransportError as error:
            self._erase_later()
            log.error("chat.not_erased", chat=self._chat, again_in=ERASE_PAUSE.total_seconds(), error=str(error))
        else:
            await self._change(lambda record: progress.finish_erasing(record, up_to))

    def _erase_later(self) -> None:
        self.erase_at = self._clock.monotonic() + ERASE_PAUSE.total_seconds()

    async def _close(self, burst: Burst) -> None:
        ports, now = self._ports, self._clock.now()
        await self._change(
            lambda record: close_burst(record, burst, ports.account, self._chat, now=now, deadline=ports.deadline)
        )

    async def _expire(self, current: Current) -> None:
        """Fail the question, unless its reply is in the log."""
        reply = await self._ports.log.find(Channel.REPLIES, RequestId.parse(current.request_id))
        now, formatted = self._clock.now(), self._ports.formatted

        def transition(record: ChatRecord) -> ChatRecord:
            if reply:
                record = progress.apply_reply(record, reply, now, formatted=formatted)
            # Even if there is a reply: one that changes nothing would be looked for again.
            return progress.expire(record, now)

        record = await self._change(transition)
        question = progress.current_question(record, reply.subject) if reply else None
        if reply and question and question.outcome == progress.MALFORMED:
            log_malformed(reply)

    async def _think(self, record: ChatRecord, current: Current) -> None:
        question = current.question
        if current.outcome is None:
            await self.publish(record, current)
        # Of an answer that needs approval the chat shows nothing until the owner has decided: nobody may ever answer.
        if not question.approve and current.outcome is None:
            self._view.show_typing(self._clock.now())
        line = FormattedText(phrases.thinking(question.locale, current.request_id))
        if question.sign == "reaction" and current.outcome is None:
            await self._ports.messenger.react(self._chat, question.message_id, TAKEN_UP)
        hides_line = question.approve or question.sign or self._saves_message(current)
        if hides_line or await self._begins_live_draft(current, line):
            await self._change(lambda record: progress.record_thinking_line(record, current.request_id, NO_MESSAGE))
            return
        sent = await self._outbox.send(line, reply_to=question.message_id, key=current.request_id, part="thinking")
        self._view.restart_typing()
        thinking_id = sent.message_id if sent else NO_MESSAGE
        await self._change(
            lambda record: progress.record_thinking_line(record_sent(record, sent), current.request_id, thinking_id)
        )

    def _saves_message(self, current: Current) -> bool:
        """Return whether a thinking line would only delay the answer, as the group has a slow mode."""
        if not is_group(self._chat) or current.question.live or not self._ports.messenger.is_slow(self._chat):
            return False
        return not self._outbox.may_have_sent(current.request_id, "thinking")

    async def _begins_live_draft(self, current: Current, line: FormattedText) -> bool:
        """Show `line` as a live draft instead of a message, unless the chat takes none or may have the message."""
        if not current.question.live or self._outbox.may_have_sent(current.request_id, "thinking"):
            return False
        return await self._view.begin_live_draft(current, line, self._clock.now())

    async def _deliver(self, step: Deliver) -> None:
        current, sent = step.current, None
        if step.edits:
            if not await self._outbox.edit(step.edits, step.part, key=current.request_id):
                await self._change(lambda record: progress.drop_thinking_line(record, current.request_id))
                return
        else:
            sent = await self._send_part(step)
        shown = self._shown(current, sent, edited=step.edits)
        if step.part_index + 1 < step.parts_total:
            await self._change(
                lambda record: progress.record_part_sent(shown(record), current.request_id, step.part_index + 1)
            )
        else:
            await self._finish(current, shown)

    def _shown(self, current: Current, sent: SentMessage | None, *, edited: int | None) -> Transition[ChatRecord]:
        """Return a transition that records which message shows a part of the outcome: `sent`, or the one `edited`."""
        message_id = edited or (sent.message_id if sent else NO_MESSAGE)
        feedback = self._ports.rules().feedback

        def transition(record: ChatRecord) -> ChatRecord:
            record = record_sent(record, sent)
            return record_answered(record, current.request_id, message_id) if feedback else record

        return transition

    async def _send_part(self, step: Deliver) -> SentMessage | None:
        current, number = step.current, step.part_index
        reply_to = self._replies_to(current)
        # Not a number: a failure may follow parts of an answer, and must have another random id.
        part = str(number) if isinstance(current.outcome, AnswerText) else "failure"
        sent = await self._outbox.send(step.part, reply_to=reply_to, key=current.request_id, part=part, index=number)
        if sent is None:
            self._undeliverable_request = current.request_id
        return sent

    def _replies_to(self, current: Current) -> int:
        return current.thinking_id or current.question.message_id

    async def _finish(self, current: Current, shown: Transition[ChatRecord]) -> None:
        """Finish the question; `shown` records the last message of its outcome, if it was sent just now."""
        now = self._clock.now()
        await self._change_or_drop_history(
            lambda record: progress.finish_question(shown(record), current.request_id, now, self._ports.deadline)
        )
        outcome = "answered" if isinstance(current.outcome, AnswerText) else "failed"
        if current.request_id == self._undeliverable_request:
            outcome = "undeliverable"
        self._ports.telemetry.metrics.record_finished(now - current.question.asked_at, outcome)
        log.info("question.settled", request_id=current.request_id, outcome=outcome)

    async def _change_or_drop_history(self, transition: Transition[ChatRecord]) -> None:
        """Apply `transition`. If the store refuses the record for good, drop the history so that the chat goes on."""
        try:
            await self._change(transition)
        except TransportError as error:
            if error.fault is not Fault.FINAL:
                raise
            log.error("chat.history_dropped", chat=self._chat, error=str(error))
            await self._change(lambda record: transition(record).having(history=()))

    async def _change(self, transition: Transition[ChatRecord]) -> ChatRecord:
        return await self._ports.chats.change(self._chat, transition)


def log_malformed(reply: Event) -> None:
    """Log why `reply`, whose question has failed because of it, can't be read."""
    try:
        reply.data()
    except MalformedEvent as error:
        log.error("reply.malformed", request_id=reply.subject, error=str(error))
