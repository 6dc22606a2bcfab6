"""What the judge says of requests that a worker on RabbitMQ could not answer."""

from dataclasses import replace

import pytest

from tests.promises.good_run import ANNA, FAILED, answer, good, history
from tests.promises.history import Line
from tests.promises.judgement import judge
from tests.promises.lines.disturbances import Disturbance, Spoilt
from tests.promises.spoiling import DELAYED, EMPTY, GIVEN_UP
from tests.promises.test_judging_programs import ANSWER, GOOD, dead, replied, without

NAME = f"1.{ANNA}.10.0"
CUT = Disturbance("cut", "rabbitmq", 101.0, 101.0)


def failed(*more: Line) -> list[str]:
    """Of a run in which Anna's first question failed."""
    lines = [one for one in good() if one != answer(ANNA, 10, 103.0)]
    return judge(history([*lines, answer(ANNA, 10, 103.0, FAILED), *more])).faults


def test_a_question_fails_if_its_worker_answers_with_nothing_or_gives_it_up() -> None:
    assert any("no fault was longer than the deadline" in fault for fault in failed())
    assert failed(Spoilt(NAME, EMPTY)) == []
    assert failed(Spoilt(NAME, GIVEN_UP)) == []
    assert failed(Spoilt(f"1.{ANNA}.10.1", EMPTY)) == []
    assert failed(Spoilt(f"1.{ANNA}.11.0", EMPTY)) != []


def test_one_that_a_worker_has_delayed_fails_only_if_something_else_was_out_of_order() -> None:
    assert failed(Spoilt(NAME, DELAYED)) != []
    assert failed(CUT) != []
    assert failed(Spoilt(NAME, DELAYED), CUT) == []


FAILURE = [*without(ANSWER), replied(1, "")]
CUT_THERE = replace(CUT, began=10.5, ended=10.5)
REQUEST = "rabbitmq.a.1.0"
ACCEPTED = {
    "empty": [*FAILURE, Spoilt(REQUEST, EMPTY)],
    "given up": [*FAILURE, dead(1), Spoilt(REQUEST, GIVEN_UP)],
    "given up, and another worker was faster": [*GOOD, dead(1), Spoilt(REQUEST, GIVEN_UP)],
    "delayed by two faults": [*FAILURE, dead(1), Spoilt(REQUEST, DELAYED), CUT_THERE],
}
REFUSED = {
    "a letter of what was empty": (
        [*FAILURE, dead(1), Spoilt(REQUEST, EMPTY)],
        "a dead letter of what was not refused",
    ),
    "no letter": ([*FAILURE, Spoilt(REQUEST, GIVEN_UP)], "refused without a dead letter"),
    "delayed by one fault": ([*FAILURE, dead(1), Spoilt(REQUEST, DELAYED)], "failed, and no fault was as long"),
    "lost": ([*without(ANSWER), Spoilt(REQUEST, EMPTY)], "lost"),
}


@pytest.mark.parametrize("lines", ACCEPTED.values(), ids=ACCEPTED)
def test_a_programs_request_fails_as_its_worker_says(lines: list[Line]) -> None:
    assert judge(history(lines)).faults == []


@pytest.mark.parametrize(("lines", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_corrupted_run_is_refused_with_the_reason(lines: list[Line], reason: str) -> None:
    found = judge(history(lines)).faults
    assert any(fault.startswith(reason) for fault in found), found
