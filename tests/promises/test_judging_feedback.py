"""The judge finds a vote that the store does not have, and one that nobody gave; what may be missed is excused."""

from dataclasses import replace

import pytest

from tests.promises.history import History
from tests.promises.judgement import judge
from tests.promises.lines import USER
from tests.promises.lines.accounts import Account
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Settled
from tests.promises.lines.messages import Asked, Erased, Sent
from tests.promises.lines.owners import Act
from tests.promises.lines.votes import Kept, Voted

ANNA, READER = "2", "37079b17f9fc"
ASKED = Asked(USER, ANNA, 5, 5, "1.2.5.0", "вопрос 5", 5.0, 8.0)
KNOWN = (
    Account(USER),
    ASKED,
    Settled(USER, ANNA, 5, "answered", 8.1),
    Sent(USER, ANNA, 6, "вопрос 5", 8.0, reply_to=5),
)
VOTE = Voted(USER, ANNA, 6, "вопрос 5", READER, 1, 20.0)
KEPT = Kept(USER, "1.2.5.0", READER, 1)
LOST = f"{USER}: vote lost: 1 on 'вопрос 5' in 2"


def faults(*lines) -> list[str]:
    return judge(History((*KNOWN, *lines))).faults


def test_a_vote_that_the_store_has_is_not_lost() -> None:
    assert faults(VOTE, KEPT) == []
    assert faults(VOTE) == [LOST]


def test_the_newest_vote_counts() -> None:
    later = replace(VOTE, vote=-1, at=25.0)
    assert faults(later, VOTE, replace(KEPT, vote=-1)) == []
    assert faults(later, VOTE, KEPT) == [f"{USER}: vote lost: -1 on 'вопрос 5' in 2"]


@pytest.mark.parametrize("wrong", [{"vote": -1}, {"reader": "0" * 12}, {"request_id": "1.2.9.0"}])
def test_a_vote_that_nobody_gave_is_a_breach(wrong) -> None:
    kept = replace(KEPT, **wrong)
    assert faults(VOTE, KEPT, kept) == [f"{USER}: vote of nobody: {kept.vote} on {kept.request_id}"]


@pytest.mark.parametrize(
    "line",
    [
        Erased(USER, ANNA, 7, 7, 30.0),
        Act(USER, "deny", ANNA, 15.0, 7, back_at=21.0),
        Disturbance("deleted_stream", "FEEDBACK", 21.0, 21.0),
        Disturbance("difference_too_long", "telegram", 1.0, 1.0, USER),
        Disturbance("emptied", "nats", 1.0, 2.0, USER),
    ],
)
def test_what_may_be_forgotten_or_missed_is_excused(line) -> None:
    assert LOST not in faults(VOTE, line)


@pytest.mark.parametrize(
    "line",
    [
        Erased(USER, "3", 7, 7, 30.0),
        Act(USER, "deny", ANNA, 15.0, 7, back_at=19.0),
        Disturbance("deleted_stream", "FEEDBACK", 19.0, 19.0),
        Disturbance("deleted_stream", "REPLIES", 21.0, 21.0),
        Disturbance("cut", "telegram", 20.0, 20.0, USER),
    ],
)
def test_nothing_else_is(line) -> None:
    assert LOST in faults(VOTE, line)


def test_a_vote_before_its_answer_is_recorded_may_be_missed() -> None:
    assert faults(replace(VOTE, at=8.05)) == []


def test_that_a_reaction_is_gone_is_missed_while_something_is_out_of_order() -> None:
    gone, cut = replace(VOTE, vote=0, is_taken_back=True), Disturbance("cut", "telegram", 20.0, 20.0, USER)
    assert faults(gone, cut) == []
    assert faults(gone) == [f"{USER}: vote lost: 0 on 'вопрос 5' in 2"]
