"""Any order of messages, replies, deadlines, deletions, crashes and repeats leaves a chat record consistent."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.question_progress import (
    drop_notice,
    expire,
    finish_erasing,
    finish_question,
    record_answer,
    record_failure,
    record_part_sent,
    record_thinking_line,
)
from edge.userbot.chat.record import (
    MAX_HISTORY,
    MAX_NOTICES,
    MAX_SEEN,
    MAX_WAITING,
    AnswerText,
    ChatRecord,
    Failure,
    from_json,
)
from edge.userbot.chat.steps import Deliver, Erase, Expire, Finish, Notify, Step, Think, next_step, wake_at
from edge.userbot.chat.transitions import Effect, receive
from edge.userbot.formatting.messages import split
from edge.userbot.rules import Rules

DEADLINE = timedelta(seconds=120)
TEXTS = ["Тимоха, раз", "тимоха,два", "Тимоха,", "/help", "/set_context_length 5", "/set_context_length x", "привет"]
REPLIES = {"short": "да", "long": "слово. " * 1500, "empty": "", "blank": " \n"}
WHEN_BUSY = st.sampled_from(["ignore", "queue"])
MANY_STEPS = 100


class Chat(RuleBasedStateMachine):
    """One chat, its stored record, and what the user has seen of every question."""

    def __init__(self) -> None:
        super().__init__()
        self.record = ChatRecord()
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)
        self.messages: list[Incoming] = []
        self.open: set[int] = set()
        self.outcomes: dict[int, str] = {}
        self.published: set[str] = set()
        self.shown: dict[str, dict[int, str]] = {}

    # What comes in

    @rule(text=st.sampled_from(TEXTS), when_busy=WHEN_BUSY, age=st.sampled_from([0, 0, 0, 599, 601]))
    def message_comes(self, text: str, when_busy: Literal["ignore", "queue"], age: int) -> None:
        number = len(self.messages) + 1
        message = Incoming("7", "42", number, text, "ru", self.now - timedelta(seconds=age))
        self.messages.append(message)
        was_busy = self.record.current is not None
        effect = self._receive(message, when_busy)
        assert effect is not Effect.DUPLICATE
        if effect in (Effect.ASKED, Effect.QUEUED):
            assert was_busy == (effect is Effect.QUEUED)
            self.open.add(number)

    @rule(when_busy=WHEN_BUSY, count=st.integers(1, 300))
    def flood_comes(self, when_busy: Literal["ignore", "queue"], count: int) -> None:
        for _ in range(count):
            self.message_comes("Тимоха,", when_busy, 0)

    @rule(when_busy=WHEN_BUSY)
    def deletion_comes(self, when_busy: Literal["ignore", "queue"]) -> None:
        number = len(self.messages) + 1
        self.messages.append(Incoming("7", "42", number, "/delete_history", "ru", self.now))
        assert self._receive(self.messages[-1], when_busy) is Effect.DELETED
        for question in self.open:
            self._ends(question, "cancelled")
        self.open.clear()
        assert self.record.history == ()

    @precondition(lambda self: self.record.seen)
    @rule(data=st.data(), when_busy=WHEN_BUSY)
    def message_comes_again(self, data: st.DataObject, when_busy: Literal["ignore", "queue"]) -> None:
        number = data.draw(st.sampled_from(self.record.seen))
        before = self.record
        assert self._receive(self.messages[number - 1], when_busy) is Effect.DUPLICATE
        assert self.record is before

    @precondition(lambda self: self.published)
    @rule(data=st.data(), kind=st.sampled_from(sorted(REPLIES)), fails=st.booleans())
    def reply_comes(self, data: st.DataObject, kind: str, fails: bool) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.published)))
        before = self.record
        if fails:
            self.record = record_failure(before, request_id, "attempts_exhausted", self.now)
        else:
            self.record = record_answer(before, request_id, REPLIES[kind], self.now)
        current = before.current
        awaited = current is not None and current.request_id == request_id and current.state == "asking"
        assert (self.record is not before) == awaited

    @rule(seconds=st.sampled_from([1, 5, 60, 121]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    # What the driver does

    @precondition(lambda self: next_step(self.record, self.now) is not None)
    @rule(crash=st.booleans())
    def driver_takes_a_step(self, crash: bool) -> None:
        """A crash after the step's effect, before its transition is stored, makes the step come again."""
        step = next_step(self.record, self.now)
        assert step is not None
        self._take_effect(step)
        if crash:
            self._restart()
            assert next_step(self.record, self.now) == step
        else:
            self._store(step)

    @rule()
    def driver_works_until_it_rests(self) -> None:
        for _ in range(MANY_STEPS):
            step = next_step(self.record, self.now)
            if step is None:
                break
            self._take_effect(step)
            self._store(step)
        else:
            raise AssertionError("the driver never rests")
        current = self.record.current
        assert current is None or (current.state == "asking" and wake_at(self.record) == current.deadline > self.now)

    @rule()
    def _restart(self) -> None:
        self.record = from_json(self.record.to_json())

    # What always holds

    @invariant()
    def bounds_hold(self) -> None:
        assert len(self.record.seen) <= MAX_SEEN
        assert len(set(self.record.seen)) == len(self.record.seen)
        assert len(self.record.waiting) <= MAX_WAITING
        assert len(self.record.notices) <= MAX_NOTICES
        assert len(self.record.history) <= MAX_HISTORY

    @invariant()
    def every_question_without_an_outcome_is_being_answered_or_waits(self) -> None:
        current = [self.record.current.question.message_id] if self.record.current else []
        waiting = [question.message_id for question in self.record.waiting]
        assert sorted(current + waiting) == sorted(self.open)
        assert current or not waiting

    @invariant()
    def a_record_reads_back_as_it_is(self) -> None:
        assert from_json(self.record.to_json()) == self.record

    def teardown(self) -> None:
        for _ in range(1 + MAX_WAITING):
            self.now += DEADLINE
            self.driver_works_until_it_rests()
        assert self.record.current is None
        assert not self.open

    # Helpers

    def _receive(self, message: Incoming, when_busy: Literal["ignore", "queue"]) -> Effect:
        received = receive(self.record, message, Rules(when_busy=when_busy), self.now)
        self.record = received.record
        return received.effect

    def _take_effect(self, step: Step) -> None:
        match step:
            case Think(current):
                self.published.add(current.request_id)
            case Deliver(current, index, message):
                shown = self.shown.setdefault(current.request_id, {})
                assert index in (len(shown), len(shown) - 1)
                assert shown.setdefault(index, message.text) == message.text

    def _store(self, step: Step) -> None:
        match step:
            case Erase(up_to):
                self.record = finish_erasing(self.record, up_to)
            case Notify(notice):
                self.record = drop_notice(self.record, notice.message_id)
            case Expire():
                self.record = expire(self.record, self.now)
            case Think(current):
                self.record = record_thinking_line(self.record, current.request_id, 1000 + current.question.message_id)
            case Deliver(current, index):
                self.record = record_part_sent(self.record, current.request_id, index + 1)
            case Finish():
                self._finish()

    def _finish(self) -> None:
        current = self.record.current
        assert current is not None
        shown = self.shown[current.request_id]
        match current.outcome:
            case AnswerText(text=text):
                assert list(shown.values()) == split(text)
                self._ends(current.question.message_id, "answer")
            case Failure():
                assert len(shown) == 1
                self._ends(current.question.message_id, "failure")
        self.open.remove(current.question.message_id)
        self.record = finish_question(self.record, current.request_id, self.now, DEADLINE)

    def _ends(self, question: int, outcome: str) -> None:
        assert question not in self.outcomes
        self.outcomes[question] = outcome


Chat.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyConversation = Chat.TestCase
