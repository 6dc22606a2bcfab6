"""The judge excuses a silence only where a fault explains it."""

from dataclasses import replace

import pytest

from tests.promises.case import Case
from tests.promises.faults import NO_ANSWER
from tests.promises.good_run import FAILED, good, history
from tests.promises.history import History
from tests.promises.judge import Judge
from tests.promises.judgement import judge
from tests.promises.lines.accounts import Account
from tests.promises.lines.disturbances import Break, Disturbance, Malformed
from tests.promises.lines.logged import Logged, Undeliverable
from tests.promises.lines.messages import Asked, Sent
from tests.promises.of_account import OfAccount
from tests.promises.texts import UNREADABLE

CHAT = "2"
ACCOUNT = Account("userbot")


def question(asked_at: float, answered_at: float | None = None) -> Asked:
    number = int(asked_at * 10)
    return Asked("userbot", CHAT, number, number, f"1.2.{number}.0", f"вопрос {number}", asked_at, answered_at)


def case(asked_at: float, answered_at: float | None = None, **known) -> Case:
    blank = {"ends": [], "seen": True, "asked": [], "ignored_at": None, "settled_at": None}
    return Case(question(asked_at, answered_at), **{**blank, **known})


@pytest.fixture
def make_judge():
    """`make_judge(*lines, earlier=…, published=…)`"""

    def make(*lines, earlier=(), published=()) -> Judge:
        part = OfAccount(History((ACCOUNT, Malformed("1.2.1020.0"), *lines)), ACCOUNT)
        part.published = set(published)
        judge = Judge(part)
        judge._busy[CHAT] = list(earlier)
        return judge

    return make


def answered(asked_at: float, answered_at: float, settled_at: float | None = None) -> Case:
    return case(asked_at, answered_at, ends=["вопрос"], settled_at=settled_at)


def test_busy_is_whose_earlier_question_has_no_outcome_yet(make_judge) -> None:
    judge = make_judge(earlier=[answered(100, 103, 103.1)])
    assert judge._kind(case(102, ignored_at=102.1)) == ("ignored_busy", "")


def test_nobody_is_busy_a_moment_after_the_outcome(make_judge) -> None:
    judge = make_judge(earlier=[answered(100, 103, 103.1)])
    assert judge._kind(case(103.5, ignored_at=103.6)) == ("ignored_busy", "its chat was not busy")


def test_a_burst_that_was_taken_in_before_an_older_question_makes_the_chat_busy(make_judge) -> None:
    burst = replace(question(110, 120), is_piece=True)
    judge = make_judge(burst, Logged("userbot", CHAT, burst.message_id, "collecting", 110.1))
    assert judge._kind(case(105, ignored_at=113)) == ("ignored_busy", "")
    for outside in (110.05, 120.1):
        assert judge._kind(case(105, ignored_at=outside)) == ("ignored_busy", "its chat was not busy")


@pytest.mark.parametrize("whom", ["userbot", "nats", "telegram"])
def test_nobody_is_busy_whose_outcome_could_not_be_recorded(make_judge, whom) -> None:
    judge = make_judge(Disturbance("kill", whom, 103.05, 104), earlier=[answered(100, 103, 106)])
    assert judge._kind(case(103.5, ignored_at=105.9)) == ("ignored_busy", "its chat was not busy")


def test_an_emptied_store_is_no_excuse_for_asking_again_what_was_answered(make_judge) -> None:
    again = case(100, 103, ends=["вопрос"], asked=[100.1, 150], settled_at=103.1)
    judge = make_judge(Disturbance("emptied", "nats", 120, 125), earlier=[again])
    assert judge._kind(case(149, ignored_at=150.2))[1] == "its chat was not busy"


def test_an_emptied_store_costs_what_is_in_flight_and_nothing_later(make_judge) -> None:
    judge = make_judge(Disturbance("emptied", "nats", 100, 104), published={"1.2.1030"})
    assert judge._kind(case(99, asked=[99.0]))[0] == "lost_with_store"
    assert judge._kind(case(103))[0] == "lost_with_store"
    assert judge._kind(case(105, asked=[99.0]))[0] == "lost"
    assert judge._kind(case(99, asked=[99.0], settled_at=99.5))[0] == "lost"


def test_each_refusal_of_telegram_s_accounts_for_one_silence(make_judge) -> None:
    judge = make_judge(Undeliverable("userbot", CHAT, 10**6))
    assert judge._kind(case(99, asked=[99.0]))[0] == "undeliverable"
    assert judge._kind(case(100, asked=[99.0]))[0] == "lost"


def test_a_failure_needs_a_fault_as_long_as_the_deadline(make_judge) -> None:
    told = {"ends": ["Не успел подготовить ответ, извините. Попробуйте спросить ещё раз."]}
    long = [Disturbance("outage", "telegram", 100, 150), Disturbance("freeze", "nats", 152, 225)]
    assert make_judge(*long)._kind(case(101, 222, **told)) == ("failed_told", "")
    short = Disturbance("outage", "telegram", 100, 150)
    assert make_judge(short)._kind(case(101, 222, **told))[1]
    many = [Disturbance("kill", "generate", 100, 230)]
    assert make_judge(*many)._kind(case(101, 222, **told))[1]


def test_what_concerned_the_other_account_explains_nothing_here(make_judge) -> None:
    told = {"ends": ["Не успел подготовить ответ, извините. Попробуйте спросить ещё раз."]}
    theirs = Disturbance("outage", "telegram", 100, 225, account="bot")
    assert make_judge(theirs)._kind(case(101, 222, **told))[1]
    assert make_judge(Disturbance("outage", "telegram", 100, 225))._kind(case(101, 222, **told))[1] == ""


def test_a_reply_that_was_nonsense_explains_a_failure(make_judge) -> None:
    told = {"ends": ["Не получилось ответить, извините. Попробуйте спросить ещё раз."]}
    assert make_judge()._kind(case(102, 103, **told)) == ("failed_told", "")
    assert make_judge()._kind(case(103, 104, **told))[1]


def test_an_unreadable_record_explains_silence_until_its_chat_starts_afresh(make_judge) -> None:
    judge = make_judge(Break("userbot", CHAT, own_id=0, at=100, afresh_at=110))
    assert judge._kind(case(99, asked=[99.0]))[0] == "unreadable"
    assert judge._kind(case(105, seen=False))[0] == "unreadable"
    assert judge._kind(case(111, asked=[111.0]))[0] == "lost"
    assert judge._kind(case(111.5, ignored_at=112)) == ("ignored_busy", "its chat was not busy")


def test_a_question_that_was_forgotten_and_asked_again_may_fail(make_judge) -> None:
    told = {"ends": ["Не успел подготовить ответ, извините. Попробуйте спросить ещё раз."]}
    emptied = Disturbance("emptied", "chats", 101, 103)
    assert make_judge(emptied)._kind(case(100, 222, asked=[100.1, 105], **told)) == ("failed_told", "")
    assert make_judge(emptied)._kind(case(100, 222, asked=[100.1], **told))[1]


@pytest.mark.parametrize(
    ("told", "hasty", "wrong"), [(1, False, ""), (0, False, "was not told"), (0, True, ""), (2, False, "told 2 times")]
)
def test_whose_record_cant_be_read_is_told_once(make_judge, told, hasty, wrong) -> None:
    broken = Break("userbot", CHAT, own_id=0, at=100, afresh_at=110, hasty=hasty)
    lines = [Sent("userbot", CHAT, 2000 + number, min(UNREADABLE), 106) for number in range(told)]
    judge = make_judge(broken, question(105), *lines)
    said = judge._faults.telling(broken)
    assert wrong in said
    assert bool(said) == bool(wrong)


@pytest.mark.parametrize(("kind", "became"), [("bot", "lost_with_store"), ("userbot", "lost")])
def test_a_lost_watermark_costs_a_bot_what_came_while_it_was_away(make_judge, kind, became) -> None:
    killed, emptied = Disturbance("kill", kind, 95, 97), Disturbance("emptied", "telegram", 100, 104)
    judge = make_judge(killed, emptied)
    assert judge._kind(case(96, seen=False))[0] == became
    assert judge._kind(case(94, seen=False))[0] == "lost"
    assert judge._kind(case(102, seen=False))[0] == "lost_with_store"


def test_a_lost_watermark_costs_what_came_while_telegram_was_away_just_before_unless_it_was_taken_in(
    make_judge,
) -> None:
    outage, emptied = Disturbance("outage", "telegram", 50, 90), Disturbance("emptied", "telegram", 100, 104)
    killed = Disturbance("kill", "bot", 94, 97)
    assert make_judge(outage, killed, emptied)._kind(case(60, seen=False))[0] == "lost_with_store"
    assert make_judge(outage, killed, emptied)._kind(case(49, seen=False))[0] == "lost"
    assert make_judge(outage, killed, emptied)._kind(case(60, asked=[91.0]))[0] == "lost"
    assert make_judge(outage, emptied)._kind(case(60, seen=False))[0] == "lost"
    long_ago = Disturbance("outage", "telegram", 50, 80)
    assert make_judge(long_ago, killed, emptied)._kind(case(60, seen=False))[0] == "lost"


@pytest.mark.parametrize(("at", "told"), [(105.0, 0), (103.0, 1), (108.0, 1)])
def test_a_question_may_fail_if_a_model_had_no_answer_meanwhile(at, told) -> None:
    failed = [replace(line, text=FAILED) if isinstance(line, Sent) and line.id == 111 else line for line in good()]
    faults = judge(history([*failed, Disturbance(NO_ANSWER, "engine", at, at)])).faults
    assert faults == ["failed_told: 1.2.11 вопрос 11: no fault was longer than the deadline"][:told]
