"""Any order of questions, replies, decisions, deletions, owner's turns, crashes and time leaves approval consistent."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.userbot.chat import question_progress as progress
from edge.userbot.chat.approval import Approve, Choice, Reject, Replace, awaiting, decide, expire_approval, submit
from edge.userbot.chat.drafts import add_draft, close_draft, finish_recall, record_draft_message
from edge.userbot.chat.incoming import Incoming, OwnMessage
from edge.userbot.chat.own_messages import drop_withdrawal
from edge.userbot.chat.owner_turn import take_own
from edge.userbot.chat.record import NO_MESSAGE, AnswerText, ChatRecord, Draft, from_json
from edge.userbot.chat.steps import (
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
    next_step,
    wake_at,
)
from edge.userbot.chat.transitions import receive
from edge.userbot.rules import Rules
from events.schema import FailureReason

DEADLINE, WAIT = timedelta(seconds=120), timedelta(hours=1)
LONG = "слово. " * 1500
MANY_STEPS = 200


class Approval(RuleBasedStateMachine):
    """The records of the chat that asks and of the owner's. `permitted`: requests whose outcome may be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.record, self.owners = ChatRecord(), ChatRecord()
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)
        self.number = 0
        self.send_expired = False
        self.permitted: set[str] = set()
        self.sent: Counter[tuple[str, int]] = Counter()
        self.shown: set[int] = set()

    def next_number(self) -> int:
        self.number += 1
        return self.number

    # What comes in

    @rule(when_busy=st.sampled_from(["ignore", "queue"]), approve=st.sampled_from(["off", "all", "new"]))
    def question_comes(self, when_busy: Any, approve: Any) -> None:
        rules = Rules(approve=approve, when_busy=when_busy, max_answers=0, owner_pause=timedelta(0))
        self._receive("Тимоха, вопрос", rules)

    @rule()
    def deletion_comes(self) -> None:
        self._receive("/delete_history", Rules())
        assert self.record.current is None

    @rule()
    def owner_writes(self) -> None:
        own = OwnMessage("7", "42", self.next_number(), "привет", self.now)
        self.record = take_own(self.record, own, Rules(owner_pause=timedelta(0)), self.now).record
        assert self.record.current is None or self.record.current.state == "delivering"

    @precondition(lambda self: self.record.current and self.record.current.outcome is None)
    @rule(text=st.sampled_from(["да", LONG, None]))
    def reply_comes(self, text: str | None) -> None:
        current = self.record.current
        assert current
        if text is None:
            self.record = progress.record_failure(self.record, current.request_id, FailureReason.EMPTY, self.now)
        else:
            self.record = progress.record_answer(self.record, current.request_id, text, self.now)

    @precondition(lambda self: any(draft.message_ids for draft in self.owners.drafts))
    @rule(choice=st.sampled_from([Approve(), Reject(), Replace("сам")]), data=st.data())
    def owner_decides(self, choice: Choice, data: st.DataObject) -> None:
        draft = data.draw(st.sampled_from([draft for draft in self.owners.drafts if draft.message_ids]))
        waited, by = awaiting(self.record, draft.request_id), self.next_number()
        self.record = decide(self.record, draft.request_id, choice, by=by, deadline=self.now + DEADLINE)
        assert (self.record.decided_by == by) is (waited is not None)
        if waited and choice != Reject():
            self.permitted.add(draft.request_id)
        again = decide(self.record, draft.request_id, choice, by=by, deadline=self.now + DEADLINE)
        assert again is self.record, "a decision repeated after a crash changes nothing more"

    # What happens by itself

    @rule(seconds=st.sampled_from([1, 130, 3700]), send=st.booleans())
    def time_passes(self, seconds: int, send: bool) -> None:
        self.now += timedelta(seconds=seconds)
        self.send_expired = send

    @rule()
    def crash(self) -> None:
        self.record, self.owners = from_json(self.record.to_json()), from_json(self.owners.to_json())

    @rule(times=st.integers(1, 4))
    def driver_advances(self, times: int) -> None:
        for _ in range(times):
            if step := next_step(self.record, self.now):
                self._perform(step)

    @rule(last=st.booleans())
    def owners_driver_advances(self, last: bool) -> None:
        if step := next_step(self.owners, self.now):
            self._perform_as_owners(step, last)

    # What must hold

    @invariant()
    def nothing_is_sent_twice(self) -> None:
        assert all(times == 1 for times in self.sent.values())

    @invariant()
    def a_question_that_needs_approval_is_never_live(self) -> None:
        if self.record.current and self.record.current.question.approve:
            assert not self.record.current.question.live
            assert self.record.current.thinking_id in (None, NO_MESSAGE)

    def teardown(self) -> None:
        """In the end the chat is free, and nothing is left of any draft in the owner's chat."""
        for _ in range(MANY_STEPS):
            if step := next_step(self.record, self.now):
                self._perform(step)
            elif at := wake_at(self.record):
                self.now = max(self.now, at)
            elif step := next_step(self.owners, self.now):
                self._perform_as_owners(step, True)
            else:
                break
        assert self.record.current is None
        assert not self.record.waiting
        assert not self.record.recalled
        assert all(draft.closed for draft in self.owners.drafts)
        assert not self.shown
        self.nothing_is_sent_twice()

    def _receive(self, text: str, rules: Rules) -> None:
        message = Incoming("7", "42", self.next_number(), text, "ru", self.now)
        self.record = receive(self.record, message, rules, self.now).record

    def _perform(self, step: Step) -> None:
        record, deadline = self.record, self.now + DEADLINE
        match step:
            case Erase(up_to):
                self.record = progress.finish_erasing(record, up_to)
            case Notify(notice):
                self.record = progress.drop_notice(record, *notice.name)
            case Withdraw(message_id):
                self.record = drop_withdrawal(record, message_id)
            case TakeUp():
                self.record = progress.take_up_next(record, "7", "42", deadline)
            case Expire():
                self.record = progress.expire(record, self.now)
            case Think(current):
                line = NO_MESSAGE if current.question.approve else self.next_number()
                self.record = progress.record_thinking_line(record, current.request_id, line)
            case Deliver(current, index, _, total):
                assert not current.question.approve or current.request_id in self.permitted
                self.sent[current.request_id, index] += 1
                self.record = progress.record_part_sent(record, current.request_id, index + 1)
                if index + 1 == total:
                    self.record = progress.finish_question(self.record, current.request_id, self.now, DEADLINE)
            case Finish():
                assert record.current
                self.record = progress.finish_question(record, record.current.request_id, self.now, DEADLINE)
            case _:
                self._perform_approval(step)

    def _perform_approval(self, step: Step) -> None:
        record = self.record
        match step:
            case Submit(current):
                self.owners = add_draft(self.owners, Draft(chat="42", request_id=current.request_id))
                self.record = submit(record, current.request_id, self.now + WAIT)
            case Recall(request_id):
                self.owners = close_draft(self.owners, request_id)
                self.record = finish_recall(record, request_id)
            case ExpireApproval(current):
                if self.send_expired and isinstance(current.outcome, AnswerText):
                    self.permitted.add(current.request_id)
                self.record = expire_approval(
                    record, current.request_id, self.now, send=self.send_expired, deadline=self.now + DEADLINE
                )

    def _perform_as_owners(self, step: Step, last: bool) -> None:
        match step:
            case ShowDraft(draft) if awaiting(self.record, draft.request_id):
                number = self.next_number()
                self.shown.add(number)
                self.owners = record_draft_message(self.owners, draft.request_id, number, last=last)
            case ShowDraft(draft):
                self.owners = close_draft(self.owners, draft.request_id)
            case Withdraw(message_id):
                self.shown.discard(message_id)
                self.owners = drop_withdrawal(self.owners, message_id)


TestApproval = Approval.TestCase
TestApproval.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
