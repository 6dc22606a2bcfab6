"""What the judge says of the requests of another program: a good run is accepted, each of its corruptions is not."""

from dataclasses import replace

import pytest

from tests.promises.history import History, Line
from tests.promises.jsonl import read, write
from tests.promises.judgement import judge
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.programs import ANSWERED, DEAD, DROPPED, FAILED, REFUSED, Dead, GivenUp, Posted, Replied
from tests.promises.lines.stored import REQUESTS, Acknowledged
from tests.promises.skips import TOO_SMALL

QUEUE = "programs.requests"
NUMBERS = {ANSWERED: 1, REFUSED: 2, DEAD: 3, FAILED: 4, DROPPED: 5}
REPLIES = {1: "просьба 1", 2: "", 4: ""}


def posted(number: int, expected: str) -> Posted:
    return Posted(f"rabbitmq.a.{number}.0", f"просьба {number}", expected, QUEUE, 10.0 * number, 10.0 * number + 0.1)


def replied(number: int, text: str, at: float = 0.0) -> Replied:
    return Replied(f"rabbitmq.a.{number}.0", text, at or 10.0 * number + 1)


def dead(number: int) -> Dead:
    return Dead(f"rabbitmq.a.{number}.0")


GOOD: list[Line] = [
    *(posted(number, expected) for expected, number in NUMBERS.items()),
    *(replied(number, text) for number, text in REPLIES.items()),
    *(Acknowledged(REQUESTS, f"rabbitmq.a.{number}.0") for number in (1, 5)),
    dead(2),
    dead(3),
    GivenUp("rabbitmq.a.5.0", 56.0),
]
UNREAD = [one for one in GOOD if not isinstance(one, GivenUp)]


def without(*lines: Line) -> list[Line]:
    assert all(line in GOOD for line in lines)
    return [line for line in GOOD if line not in lines]


def faults(lines: list[Line]) -> list[str]:
    return judge(History(tuple(lines))).faults


def test_a_run_in_which_each_request_has_its_outcome_is_accepted(tmp_path) -> None:
    assert faults(GOOD) == []
    write(History(tuple(GOOD)), tmp_path / "history.jsonl")
    assert read(tmp_path / "history.jsonl") == History(tuple(GOOD))


ANSWER = replied(1, "просьба 1")
CORRUPTED = {
    "no reply": (without(ANSWER), "lost: rabbitmq.a.1.0 просьба 1"),
    "no failure": (without(replied(2, "")), "lost: rabbitmq.a.2.0 просьба 2"),
    "no dead letter": (without(dead(3)), "refused without a dead letter: rabbitmq.a.3.0"),
    "no dead letter of a failure": (without(dead(2)), "refused without a dead letter: rabbitmq.a.2.0"),
    "given up by nobody": (UNREAD, "lost: rabbitmq.a.5.0"),
    "a reply and a dead letter": ([*GOOD, dead(1)], "a dead letter of what was not refused: rabbitmq.a.1.0"),
    "a dead letter of what has no question": ([*GOOD, dead(4)], "a dead letter of what was not refused"),
    "two replies": ([*GOOD, replied(1, "", 12.0)], "replied twice, and otherwise: rabbitmq.a.1.0"),
    "the same reply again": ([*GOOD, replied(1, "просьба 1", 12.0)], "replied twice, and nothing was out of order"),
    "another's text": ([*without(ANSWER), replied(1, "просьба 5")], "replied with another text, 'просьба 5'"),
    "an answer to nonsense": ([*without(replied(2, "")), replied(2, "просьба 2")], "answered what is to be refused"),
    "a reply to nowhere": ([*GOOD, replied(3, "")], "replied to nowhere: rabbitmq.a.3.0"),
    "a failure for no reason": (
        [*without(ANSWER), replied(1, ""), dead(1)],
        "failed, and no fault was as long as it allowed: rabbitmq.a.1.0",
    ),
    "given up though it was there": (
        [*without(ANSWER), GivenUp("rabbitmq.a.1.0", 16.0)],
        "given up, and its program was there: rabbitmq.a.1.0",
    ),
    "a reply to nothing": ([*GOOD, Replied("", "просьба 9", 20.0)], "a reply to nothing: 'просьба 9'"),
    "a dead letter of nothing": ([*GOOD, dead(9)], "a dead letter of nothing: rabbitmq.a.9.0"),
    "an event of nothing": ([*GOOD, Acknowledged(REQUESTS, "rabbitmq.a.9.0")], "unaccounted for"),
}


@pytest.mark.parametrize(("lines", "reason"), CORRUPTED.values(), ids=CORRUPTED)
def test_a_corrupted_run_is_refused_with_the_reason(lines, reason) -> None:
    found = faults(lines)
    assert any(fault.startswith(reason) for fault in found), found


def test_what_rabbitmq_has_not_confirmed_may_be_lost() -> None:
    lines = [replace(one, confirmed_at=None) if isinstance(one, Posted) else one for one in without(ANSWER)]
    assert faults(lines) == []


@pytest.mark.parametrize(("taken", "count"), [(False, 0), (True, 1)])
def test_a_queue_that_is_lost_costs_what_no_bridge_has_taken(taken, count) -> None:
    lost = Disturbance("queue_lost", QUEUE, 10.5, 11.0)
    lines = without(ANSWER) if taken else without(ANSWER, Acknowledged(REQUESTS, "rabbitmq.a.1.0"))
    assert len(faults([*lines, lost])) == count


@pytest.mark.parametrize(("at", "count"), [(9.0, 1), (11.0, 0), (131.0, 1)])
def test_a_lost_stream_costs_the_replies_that_were_due(at, count) -> None:
    assert len(faults([*without(ANSWER), Disturbance("deleted_stream", "REPLIES", at, at)])) == count


def test_a_reply_may_come_again_after_a_fault() -> None:
    cut = Disturbance("cut", "rabbitmq", 11.5, 11.5)
    assert faults([*GOOD, replied(1, "просьба 1", 12.0), cut]) == []


def test_a_fault_as_long_as_the_deadline_explains_a_failure() -> None:
    lines = [*without(ANSWER), replied(1, "", 131.0), dead(1)]
    assert len(faults([*lines, Disturbance("kill", "generate", 11.0, 100.0)])) == 1
    assert faults([*lines, Disturbance("kill", "generate", 11.0, 130.0)]) == []


@pytest.mark.parametrize(
    ("whom", "at", "count"), [("REPLIES", 11.0, 0), ("REPLIES", 131.0, 1), ("DEADLETTERS", 11.0, 1)]
)
def test_a_stream_that_was_too_small_costs_replies(whom, at, count) -> None:
    assert len(faults([*without(ANSWER), Disturbance(TOO_SMALL, whom, at, at)])) == count


def test_a_stream_that_was_too_small_explains_a_failure_and_a_dead_letter() -> None:
    small = Disturbance(TOO_SMALL, "REPLIES", 10.5, 11.0)
    assert faults([*without(ANSWER), replied(1, ""), dead(1), small]) == []
    assert faults([*GOOD, dead(1), small]) == []


def test_a_dead_letter_is_an_outcome_of_what_was_given_up_and_has_no_program_to_hear_of_it() -> None:
    given_up = Disturbance("given_up", QUEUE, 50.5, 50.5)
    assert faults([*UNREAD, dead(5), given_up]) == []
    assert any(wrong.startswith("lost: rabbitmq.a.5.0") for wrong in faults([*UNREAD, dead(5)]))
    assert any(wrong.startswith("lost: rabbitmq.a.5.0") for wrong in faults([*UNREAD, given_up]))
