"""The judge excuses a silence while the bot of a person is sent away, and finds what is said or kept despite that."""

from dataclasses import replace

import pytest

from tests.promises.history import History, Line
from tests.promises.judgement import judge
from tests.promises.lines import FOR_EVER
from tests.promises.lines.accounts import Account, Settings
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Logged, Settled, Undeliverable
from tests.promises.lines.messages import Asked, Sent
from tests.promises.lines.owners import Absent, Stored
from tests.promises.lines.stored import REQUESTS, Acknowledged, Record
from tests.promises.owned_cases import a_question, did
from tests.promises.owners_acts import is_later
from tests.promises.presence import LEFT, MUTED, REMOVED, UNKNOWN

EDGE, ANNA = "business-1", "2"


def asked(number: int, at: float, **known: object) -> Asked:
    return Asked(EDGE, ANNA, number, number, f"1.2.{number}.0", f"вопрос {number}", at, **known)  # type: ignore[arg-type]


def answered(number: int, asked_at: float, at: float) -> list[Line]:
    answer = Sent(EDGE, ANNA, 1000 + number, f"вопрос {number}", at)
    return [asked(number, asked_at, answered_at=at), Logged(EDGE, ANNA, number, "asked", asked_at + 0.1), answer]


def faults(*lines: Line, account: Account | None = None) -> list[str]:
    account = account or Account(EDGE, owned=True, limit=9, sees_deletions=True, drops_deleted=True)
    return judge(History((Settings(deadline=30.0), account, *lines))).faults


@pytest.mark.parametrize("how", [LEFT, REMOVED, UNKNOWN])
def test_what_was_asked_while_the_bot_was_away_or_just_before_needs_no_answer(how) -> None:
    absent = Absent(EDGE, how, 100.0, 101.0, 110.0)
    for at in (95.0, 105.0):
        assert faults(asked(5, at), absent) == []
        assert faults(asked(5, at)) == ["lost: 1.2.5 вопрос 5"]
    assert faults(asked(5, 110.5), absent) == ["lost: 1.2.5 вопрос 5"]


def test_what_was_asked_long_before_had_time_for_its_answer_unless_something_was_out_of_order() -> None:
    absent = Absent(EDGE, REMOVED, 100.0, 100.0, 110.0)
    assert faults(asked(5, 80.0), absent) == ["lost: 1.2.5 вопрос 5"]
    assert faults(asked(5, 80.0), absent, Disturbance("kill", "business", 81.0, 85.0)) == []


def test_that_the_bot_may_not_answer_is_in_the_log() -> None:
    question, muted = asked(5, 101.0), Absent(EDGE, MUTED, 100.0, back_at=105.0)
    assert faults(question, muted) == ["lost: 1.2.5 вопрос 5"]
    assert faults(question, muted, Logged(EDGE, ANNA, 5, "no_right", 101.1)) == []
    assert faults(question, muted, Undeliverable(EDGE, ANNA, 101.5)) == []
    assert faults(question, muted, Disturbance("kill", "business", 101.2, 104.0)) == []
    assert faults(question, Logged(EDGE, ANNA, 5, "no_right", 101.1)) == ["lost: 1.2.5 вопрос 5"]


def test_after_the_bot_has_said_that_it_goes_it_answers_nobody() -> None:
    absent = Absent(EDGE, LEFT, 100.0, 101.0, 110.0)
    before, just_before = answered(5, 99.0, 104.0), answered(5, 99.0, 102.0)
    assert faults(*just_before, absent) == []
    assert faults(*before, absent) == [f"{EDGE}: answered after it was disconnected: 1.2.5 вопрос 5"]
    assert faults(*before, absent, Disturbance("outage", "telegram", 100.0, 103.0)) == []
    assert faults(*before, replace(absent, how=MUTED, since=FOR_EVER)) == []
    for at in (103.0, 112.0):
        assert faults(*answered(6, 102.0, at), absent) == [f"{EDGE}: answered although disconnected: 1.2.6 вопрос 6"]
    assert faults(*answered(6, 110.5, 112.0), absent) == []


def test_nothing_is_stored_about_who_has_left_for_good_unless_the_store_forgot_that() -> None:
    absent, stored = Absent(EDGE, LEFT, 100.0, 101.0), Stored(EDGE, "REPLIES edge-1")
    assert faults(absent) == []
    assert faults(absent, stored) == [f"{EDGE}: still stored about who has left: REPLIES edge-1"]
    assert faults(absent, stored, Disturbance("emptied", "nats", 90.0, 99.0, EDGE)) == []
    assert faults(absent, stored, Disturbance("emptied", "nats", 80.0, 85.0, EDGE)) != []


def test_a_deleted_question_gets_no_answer_where_telegram_tells_of_that() -> None:
    late = [replace(line, deleted_at=101.0) if isinstance(line, Asked) else line for line in answered(5, 100.0, 104.0)]
    in_time = [replace(line, deleted_at=103.0) if isinstance(line, Asked) else line for line in late]
    assert faults(*late) == [f"{EDGE}: answered although deleted: 1.2.5 вопрос 5"]
    assert faults(*in_time) == []
    assert faults(*late, Disturbance("gap", "telegram", 101.0, 101.0)) == []
    user = Account(EDGE, owned=True, limit=9, sees_deletions=True)
    assert faults(*late, account=user) == []
    approving = Account(EDGE, owned=True, limit=9, approving=(ANNA,), sees_deletions=True, drops_deleted=True)
    assert not any("deleted" in fault for fault in faults(*late, account=approving))


def test_a_question_goes_the_way_of_the_later_one_whose_draft_it_shares() -> None:
    first, second = asked(5, 100.0), asked(6, 103.0, deleted_at=104.0)
    taken_up = (Logged(EDGE, ANNA, 5, "asked", 100.1), Logged(EDGE, ANNA, 6, "joined", 103.1))
    deleted = Settled(EDGE, ANNA, 6, "question_deleted", 104.1)
    approving = Account(EDGE, owned=True, limit=9, approving=(ANNA,), drops_deleted=True)
    assert faults(first, second, *taken_up, deleted, account=approving) == []
    assert faults(first, second, *taken_up, account=approving) == ["lost: 1.2.5 вопрос 5"]
    user = replace(approving, drops_deleted=False)
    assert faults(first, second, *taken_up, deleted, account=user) == ["lost: 1.2.5 вопрос 5"]


def test_an_order_in_another_chat_concerns_what_was_asked_before_it_by_date() -> None:
    order = replace(did("cancel", 103.0, 4), by_date=True)
    assert is_later(order, a_question(5, 102.0), 1.0)
    assert not is_later(order, a_question(3, 105.0), 1.0)
    assert not is_later(did("cancel", 103.0, 4), a_question(5, 102.0), 1.0)


def test_a_question_that_was_settled_before_is_not_excused() -> None:
    known = (
        asked(5, 95.0),
        Logged(EDGE, ANNA, 5, "asked", 95.1),
        Acknowledged(REQUESTS, "1.2.5.0"),
        Record(EDGE, ANNA),
    )
    absent = Absent(EDGE, REMOVED, 100.0, 100.0)
    assert faults(*known, absent) == []
    assert faults(*known, absent, Settled(EDGE, ANNA, 5, "answered", 97.0)) == ["lost: 1.2.5 вопрос 5"]
