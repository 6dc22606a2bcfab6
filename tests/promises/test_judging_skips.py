"""What the judge says of a step that was given up, and of what became of its question."""

from dataclasses import replace

import pytest

from tests.promises.faults import NO_ANSWER
from tests.promises.good_run import ANNA, FAILED, good, history
from tests.promises.history import Line
from tests.promises.judgement import Judgement, judge
from tests.promises.lines import USER
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Skipped
from tests.promises.lines.messages import Asked, Sent
from tests.promises.lines.stored import Record
from tests.promises.skips import FAULTY, RECALL, TOO_SMALL

BUG = Disturbance(FAULTY, USER, 105.0, 105.0, USER)


def skipped(at: float = 105.0, step: str = "Deliver", chat: str = ANNA) -> Skipped:
    return Skipped(USER, chat, step, at)


def judged(*more: Line, failed: bool = False, silent: bool = False) -> Judgement:
    """`failed`, `silent`: what became of Anna's second question, asked at 104."""

    def change(line: Line) -> Line | None:
        if isinstance(line, Sent) and line.id == 111:
            return None if silent else replace(line, text=FAILED) if failed else line
        return replace(line, answered_at=None) if silent and isinstance(line, Asked) and line.message_id == 11 else line

    return judge(history([*(line for old in good() if (line := change(old))), *more]))


@pytest.mark.parametrize("what", [FAULTY, TOO_SMALL])
def test_a_question_of_which_a_step_was_given_up_may_fail(what) -> None:
    assert judged(replace(BUG, what=what), skipped(), failed=True).faults == []


@pytest.mark.parametrize(
    "more", [[BUG], [BUG, skipped(chat="3")], [BUG, skipped(at=103.0), replace(BUG, began=103.0, ended=103.0)]]
)
def test_one_whose_chat_gave_nothing_up_meanwhile_may_not(more) -> None:
    assert "failed_told: 1.2.11 вопрос 11: no fault was longer than the deadline" in judged(*more, failed=True).faults


def test_it_gets_no_outcome_only_if_telling_its_user_was_given_up_too() -> None:
    assert "lost: 1.2.11 вопрос 11" in judged(BUG, skipped(), silent=True).faults
    twice = judged(BUG, skipped(), skipped(105.1), silent=True)
    assert twice.faults == []
    assert twice.counts()["given_up"] == 1
    assert judged(BUG, skipped(), Disturbance(NO_ANSWER, "engine", 104.5, 104.5), silent=True).faults == []


def test_no_step_is_given_up_for_nothing() -> None:
    assert judged(skipped()).faults == ["userbot: given up for nothing: Deliver in 2"]
    assert judged(skipped(), replace(BUG, began=106.0)).faults == ["userbot: given up for nothing: Deliver in 2"]


def test_a_draft_stays_only_if_removing_one_was_given_up() -> None:
    owners = Record(USER, "1", open_drafts=1)
    assert judged(owners).faults == ["left busy: 1"]
    assert judged(owners, BUG, skipped(step=RECALL)).faults == []
    assert judged(replace(owners, open_drafts=2), BUG, skipped(step=RECALL)).faults == ["left busy: 1"]
