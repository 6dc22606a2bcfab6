"""A run that keeps every promise is accepted; each of its corruptions is refused with the reason."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from tests.promises.__main__ import main
from tests.promises.good_run import ANNA, BORIS, FAILED, FORGOTTEN, VERA, answer, asked, good, history
from tests.promises.history import Line
from tests.promises.jsonl import write
from tests.promises.judgement import judge
from tests.promises.lines import USER
from tests.promises.lines.accounts import Account
from tests.promises.lines.disturbances import Disturbance, Flood
from tests.promises.lines.logged import Logged, Settled
from tests.promises.lines.messages import Asked, Erased, Sent
from tests.promises.lines.processes import Process
from tests.promises.lines.stored import REQUESTS, Acknowledged, Record, Update

Change = Callable[[Line], Line | None]


def without(*kinds: type, chat: str = "", number: int = 0) -> Change:
    """Drop the lines of these kinds about a message, or its answer."""

    def change(line: Line) -> Line | None:
        id_ = getattr(line, "message_id", getattr(line, "id", None))
        return None if isinstance(line, kinds) and line.chat == chat and id_ == number else line

    return change


def changed(kind: type, number: int, **values: object) -> Change:
    """Let the lines of the kind about a message be otherwise."""

    def change(line: Line) -> Line:
        id_ = getattr(line, "message_id", getattr(line, "id", None))
        return replace(line, **values) if isinstance(line, kind) and id_ == number else line

    return change


def same(line: Line) -> Line:
    return line


def corrupted(change: Change, more: Iterable[Line] = ()) -> list[Line]:
    return [*(line for old in good() if (line := change(old)) is not None), *more]


NEWER = asked(ANNA, 13, 115.0, 118.0), Logged(USER, ANNA, 13, "asked", 115.1)
CORRUPTED = {
    "twice": (same, [answer(ANNA, 5, 105.0, "вопрос 10")], "answered_twice: 1.2.10 вопрос 10"),
    "lost": (
        lambda line: without(Sent, chat=ANNA, number=111)(line) and changed(Asked, 11, answered_at=None)(line),
        [],
        "lost: 1.2.11 вопрос 11",
    ),
    "failed for no reason": (
        changed(Sent, 111, text=FAILED),
        [],
        "failed_told: 1.2.11 вопрос 11: no fault was longer than the deadline",
    ),
    "out of order": (
        lambda line: replace(line, id=221 - line.id) if isinstance(line, Sent) and line.id in (110, 111) else line,
        [],
        "userbot: out of order: 1.2.11 вопрос 11 was answered before вопрос 10",
    ),
    "after /delete_history": (
        changed(Sent, 111, id=113),
        [],
        "userbot: told after /delete_history: 1.2.11 вопрос 11",
    ),
    "edited after /delete_history": (
        changed(Sent, 111, edited_at=114.0),
        [],
        "userbot: told after /delete_history: 1.2.11 вопрос 11",
    ),
    "a deleted piece": (
        lambda line: changed(Sent, 122, text="вопрос 20\nвопрос 21\nвопрос 22")(
            changed(Asked, 21, answered_at=210.0)(line)
        ),
        [],
        "userbot: answered although deleted: 1.3.21 вопрос 21",
    ),
    "a piece left out": (
        changed(Asked, 21, deleted_at=None),
        [],
        "userbot: left out of 'вопрос 20\\nвопрос 22': 1.3.21 вопрос 21",
    ),
    "after the owner took over": (
        changed(Asked, 30, answered_at=304.0),
        [answer(VERA, 30, 304.0)],
        "userbot: answered after wrote: 1.4.30 вопрос 30",
    ),
    "busy for too long": (
        changed(Asked, 10, answered_at=231.0),
        [],
        "userbot: busy for 131 s: 1.2.10 вопрос 10",
    ),
    "another chat's text": (same, [answer(BORIS, 29, 230.0, "вопрос 11")], "text of another chat: 'вопрос 11' in 3"),
    "an event of nobody's": (same, [Acknowledged(REQUESTS, "1.2.99.0")], "unaccounted for: an event of requests"),
    "a late end": (
        lambda line: replace(line, ended_at=911.0) if isinstance(line, Process) and line.told_at else line,
        [],
        "userbot took 11.0 s to end, 10.0 allowed",
    ),
    "no end": (same, [Process("bridge", "forced", told_at=900.0)], "forced kill: bridge had not ended in time"),
    "left busy": (
        lambda line: replace(line, rests=False) if isinstance(line, Record) and line.chat == ANNA else line,
        [],
        "left busy: 2",
    ),
    "a lost update": (
        lambda line: replace(line, expected=0) if isinstance(line, Update) and line.revision == 9 else line,
        [],
        "register 1.2: revision 9 builds on 0, while 5 came before it",
    ),
}
TURNED: dict[Line, Line] = {
    Logged(USER, ANNA, 10, "asked", 100.1): Logged(USER, ANNA, 10, "asked", 104.2),
    answer(ANNA, 10, 103.0): replace(answer(ANNA, 10, 107.0), id=111),
    answer(ANNA, 11, 107.0): replace(answer(ANNA, 11, 103.0), id=110),
}

OF_A_CHAT = (Asked, Logged, Sent, Settled)


def test_a_run_that_keeps_every_promise_is_accepted() -> None:
    judgement = judge(history(good()))
    assert judgement.faults == []
    assert {name: count for name, count in judgement.counts().items() if count} == {
        "answered_once": 4,
        "taken_over": 1,
        "deleted": 1,
    }


@pytest.mark.parametrize(("change", "more", "reason"), CORRUPTED.values(), ids=CORRUPTED)
def test_a_corrupted_run_is_refused_with_the_reason(tmp_path, capsys, change, more, reason) -> None:
    lines = corrupted(change, more)
    faults = judge(history(lines)).faults
    assert any(fault.startswith(reason) for fault in faults), faults
    write(history(lines), tmp_path / "history.jsonl")
    assert main([str(tmp_path / "history.jsonl")]) == 1
    assert reason in capsys.readouterr().out


def test_the_longest_flood_wait_may_keep_a_chat_busy() -> None:
    assert judge(history(corrupted(changed(Asked, 10, answered_at=231.0), [Flood(USER, 5.0)]))).faults == []


@pytest.mark.parametrize(("began", "ended", "faults"), [(221.0, 229.0, 0), (100.0, 104.0, 1), (233.0, 234.0, 1)])
def test_what_is_out_of_order_when_the_deadline_is_over_may_keep_a_chat_busy(began, ended, faults) -> None:
    outage = Disturbance("outage", "telegram", began, ended)
    assert len(judge(history(corrupted(changed(Asked, 10, answered_at=231.5), [outage]))).faults) == faults


def test_what_was_taken_up_late_after_a_gap_is_answered_late() -> None:
    lines = corrupted(lambda line: TURNED.get(line, line))
    assert judge(history(lines)).faults == []


def test_an_account_that_sees_no_deletions_answers_what_was_deleted() -> None:
    change, _, _ = CORRUPTED["a deleted piece"]
    lines = [replace(line, sees_deletions=False) if isinstance(line, Account) else line for line in corrupted(change)]
    assert judge(history(lines)).faults == []


def test_an_emptied_store_forgets_a_deletion() -> None:
    emptied = Disturbance("emptied", "nats", 111.0, 113.0, USER)
    assert judge(history(corrupted(changed(Sent, 111, id=113), [emptied]))).faults == []


def test_that_an_earlier_deletion_is_told_late_says_nothing_of_a_later_one() -> None:
    """Anna asks once more and deletes her chat a second time, before she is told of the first time."""
    again = [Erased(USER, ANNA, 14, 14, 110.4), Sent(USER, ANNA, 121, FORGOTTEN, 119.0, reply_to=14)]
    asked_between = [*NEWER, answer(ANNA, 13, 118.0)]
    assert judge(history(corrupted(same, [*again, *asked_between]))).faults == []
    late = [replace(asked_between[-1], id=122, at=122.0)]
    faults = judge(history(corrupted(same, [*again, *NEWER, *late]))).faults
    assert faults == [f"{USER}: told after /delete_history: 1.2.13 вопрос 13"]


def test_what_was_asked_after_delete_history_is_answered() -> None:
    assert judge(history([*good(), *NEWER, answer(ANNA, 13, 118.0)])).faults == []


@pytest.mark.parametrize(
    ("asked_at", "carried_out", "faults"), [(109.0, 109.5, 0), (110.4, 110.6, 0), (110.4, 110.2, 1)]
)
def test_a_question_without_an_outcome_was_erased_only_if_it_waited_when_the_deletion_was_carried_out(
    asked_at, carried_out, faults
) -> None:
    """The second was written after `/delete_history`, which was fetched late; its message has the number 12."""
    number = 11 if asked_at < 110 else 13
    waiting = replace(asked(ANNA, number, asked_at), text="вопрос 99")
    more = [Logged(USER, ANNA, 12, "deleted", carried_out), Logged(USER, ANNA, number, "asked", asked_at + 0.05)]
    kept = [line for line in good() if not (isinstance(line, OF_A_CHAT) and line.chat == ANNA)]
    lost = [fault for fault in judge(history([*kept, waiting, *more])).faults if fault.startswith("lost")]
    assert len(lost) == faults


@pytest.mark.parametrize(("carried_out", "faults"), [(110.6, 0), (110.2, 1)])
def test_a_piece_that_was_being_collected_is_erased_by_a_deletion_that_was_fetched_late(carried_out, faults) -> None:
    waiting = replace(asked(ANNA, 13, 110.4, is_piece=True), text="вопрос 99")
    more = [Logged(USER, ANNA, 12, "deleted", carried_out), Logged(USER, ANNA, 13, "collecting", 110.45)]
    lost = [fault for fault in judge(history([*good(), waiting, *more])).faults if fault.startswith("lost")]
    assert len(lost) == faults


@pytest.mark.parametrize(("came_again", "faults"), [(110.5, 0), (110.7, 1)])
def test_what_was_known_when_it_came_again_is_erased_by_a_deletion_that_was_fetched_after_that(
    came_again, faults
) -> None:
    """The line that it was asked is missing, as the store's confirmation was lost."""
    waiting = replace(asked(ANNA, 13, 110.4), text="вопрос 99")
    more = [Logged(USER, ANNA, 13, "duplicate", came_again), Logged(USER, ANNA, 12, "deleted", 110.6)]
    lost = [fault for fault in judge(history([*good(), waiting, *more])).faults if fault.startswith("lost")]
    assert len(lost) == faults


def test_an_answer_comes_twice_only_if_telegram_refused_both_to_change_it_and_to_show_it() -> None:
    again = answer(ANNA, 5, 105.0, "вопрос 10")
    refusals = [Disturbance(what, "telegram", 104.0, 104.0, USER) for what in ("edit_refused", "look_refused")]
    assert judge(history([*good(), again, *refusals])).faults == []
    for refusal in refusals:
        assert "answered_twice: 1.2.10 вопрос 10" in judge(history([*good(), again, refusal])).faults
