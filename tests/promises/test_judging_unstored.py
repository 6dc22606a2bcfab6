"""What the judge says of a message that the store did not take."""

from dataclasses import replace

import pytest

from tests.promises.good_run import ANNA, FAILED, good, history
from tests.promises.history import Line
from tests.promises.judgement import Judgement, judge
from tests.promises.lines import USER
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Logged
from tests.promises.lines.messages import Asked, Sent
from tests.promises.logbook import line_of
from tests.promises.skips import TOO_SMALL

SMALL = Disturbance(TOO_SMALL, "chats", 103.5, 105.0)
DROPPED = Logged(USER, ANNA, 11, "dropped", 104.1)


def judged(*more: Line, told: str = "") -> Judgement:
    """`told`: what answers Anna's second question, asked at 104; empty: nothing does."""

    def change(line: Line) -> Line | None:
        if isinstance(line, Sent) and line.id == 111:
            return replace(line, text=told) if told else None
        if isinstance(line, Logged) and line.message_id == 11:
            return None
        return (
            replace(line, answered_at=None) if not told and isinstance(line, Asked) and line.message_id == 11 else line
        )

    return judge(history([*(line for old in good() if (line := change(old))), *more]))


def test_a_question_is_dropped_only_if_the_store_took_nothing_of_its_size() -> None:
    dropped = judged(SMALL, DROPPED)
    assert dropped.faults == []
    assert dropped.counts()["not_stored"] == 1
    assert judged(DROPPED).faults == ["userbot: not stored for nothing: 2 11"]
    assert judged(replace(SMALL, began=50.0, ended=60.0), DROPPED).faults == ["userbot: not stored for nothing: 2 11"]


def test_without_such_a_line_it_is_lost() -> None:
    assert "lost: 1.2.11 вопрос 11" in judged(SMALL, replace(DROPPED, effect="not_stored")).faults


@pytest.mark.parametrize(("ended", "faults"), [(105.0, 0), (103.9, 1)])
def test_what_a_store_refused_meanwhile_may_fail(ended, faults) -> None:
    told = judged(replace(SMALL, ended=ended), told=FAILED).faults
    assert told == ["failed_told: 1.2.11 вопрос 11: no fault was longer than the deadline"][:faults]


def test_the_log_says_what_was_dropped_and_what_was_refused() -> None:
    for event, effect in (("message.dropped", "dropped"), ("message.not_stored", "not_stored")):
        assert line_of(USER, {"event": event, "chat": ANNA, "message": 11}, 104.1) == replace(DROPPED, effect=effect)
