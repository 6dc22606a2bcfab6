"""The judge knows a group's chats apart, who writes there, and what is not meant for the account."""

from dataclasses import replace

import pytest

from tests.promises.case import Case
from tests.promises.history import History, Line
from tests.promises.judge import Judge
from tests.promises.judgement import judge
from tests.promises.lines import USER
from tests.promises.lines.accounts import Account, Settings
from tests.promises.lines.disturbances import Break, Disturbance
from tests.promises.lines.logged import LeftAlone, Logged, Settled, Undeliverable
from tests.promises.lines.messages import Asked, Remark, Sent
from tests.promises.lines.owners import Act
from tests.promises.of_account import OfAccount
from tests.promises.owned import Owned
from tests.promises.owners_acts import silence
from tests.promises.pieces import Pieces
from tests.promises.remarks import heard

ANNA, BORIS = "2", "3"
GROUP = "-1001000000001"
TOPIC = f"{GROUP}t7"
ACCOUNT = Account(USER, hourly=2)


def question(number: int, *, writer: str = ANNA, chat: str = GROUP, is_piece: bool = False) -> Asked:
    """In the group, or in private: `chat` is the writer then."""
    known = {"writer": "" if chat == writer else writer, "is_piece": is_piece, "answered_at": None}
    return Asked(USER, chat, number, number, f"1.{chat}.{number}.0", f"вопрос {number}", float(number), **known)


def answer(number: int, text: str = "", *, chat: str = GROUP) -> Sent:
    return Sent(USER, chat, number + 100, text or f"вопрос {number}", number + 1.0, reply_to=number)


def part_of(*lines: Line) -> OfAccount:
    return OfAccount(History((ACCOUNT, *lines)), ACCOUNT)


def became(asked: Asked, *lines: Line) -> str:
    """What the silence is called if nothing is known of the question."""
    return Judge(part_of(asked, *lines))._kind(Case(asked, [], False, [], None, None))[0]


def test_a_chat_is_not_busy_because_of_a_question_in_another() -> None:
    judge = Judge(part_of())
    for chat in (TOPIC, ANNA):
        judge._busy[chat] = [Case(question(1, chat=chat), [], True, [], None, None)]
    ignored = Case(question(2), [], True, [], 2.1, None)
    assert judge._kind(ignored) == ("ignored_busy", "its chat was not busy")
    judge._busy[GROUP] = [Case(question(1, writer=BORIS), [], True, [], None, None)]
    assert judge._kind(ignored) == ("ignored_busy", "")


def test_an_unreadable_record_silences_its_own_chat_only() -> None:
    broken = Break(USER, TOPIC, own_id=0, at=5, afresh_at=20)
    assert [became(question(10, chat=chat), broken) for chat in (TOPIC, GROUP, ANNA)] == ["unreadable", "lost", "lost"]


def test_a_group_is_not_read_back_if_its_watermark_is_lost_while_nothing_runs_but_private_chats_are() -> None:
    killed, lost = Disturbance("kill", USER, 5, 20), Disturbance("emptied", "telegram", 15, 22)
    assert became(question(10), killed, lost) == "lost_with_store"
    assert became(question(10, chat=ANNA), killed, lost) == "lost"
    assert became(question(10), lost) == "lost"


def burst(*asked: Asked) -> list[Line]:
    """Each is taken in as the beginning of a burst."""
    logged = (Logged(USER, one.chat, one.message_id, "collecting", one.asked_at + 0.1) for one in asked)
    return [*asked, *logged]


def test_what_another_member_writes_between_two_pieces_is_not_left_out() -> None:
    first, between, last = (question(n, writer=who, is_piece=True) for n, who in enumerate((ANNA, BORIS, ANNA), 1))
    answers = answer(3, "вопрос 1\nвопрос 3"), answer(2)
    assert list(Pieces(part_of(*burst(first, between, last), *answers)).wrongs()) == []
    by_anna = replace(between, writer=ANNA)
    (wrong,) = Pieces(part_of(*burst(first, by_anna, last), *answers)).wrongs()
    assert "left out" in wrong


def test_the_hour_s_limit_is_one_for_all_of_a_chat_and_each_topic_is_a_chat() -> None:
    asked = [question(n, writer=who, is_piece=True) for n, who in enumerate((ANNA, BORIS, ANNA), 1)]
    answers = [answer(n) for n in (1, 2, 3)]
    wrongs = list(Pieces(part_of(*burst(*asked), *answers)).wrongs())
    assert wrongs == [f"3 answers without the prefix for {GROUP}, 2 allowed"]
    elsewhere = question(3, chat=TOPIC, is_piece=True)
    answers[2] = answer(3, chat=TOPIC)
    assert list(Pieces(part_of(*burst(*asked[:2], elsewhere), *answers)).wrongs()) == []


@pytest.mark.parametrize(("asked_in", "told_in"), [(GROUP, ANNA), (ANNA, GROUP), (GROUP, TOPIC)])
def test_what_is_asked_in_one_chat_is_answered_in_no_other(asked_in, told_in) -> None:
    asked = replace(question(1, chat=asked_in), answered_at=2.0)
    assert judge(History((ACCOUNT, asked, answer(1, chat=asked_in)))).faults == []
    faults = judge(History((ACCOUNT, asked, answer(1, chat=told_in)))).faults
    assert f"text of another chat: 'вопрос 1' in {told_in}, 1.{asked_in}.1" in faults
    assert f"lost: 1.{asked_in}.1 вопрос 1" in faults


REMARK = Remark(USER, TOPIC, 5, "реплика 4")


@pytest.mark.parametrize(
    "line",
    [
        Sent(USER, TOPIC, 9, "Секунду…", 6.0, reply_to=5),
        Sent(USER, TOPIC, 9, "вопрос 3\nреплика 4?", 6.0, reply_to=3),
        Sent(USER, ANNA, 9, "реплика 4", 6.0),
        *(Logged(USER, TOPIC, 5, effect, 5.1) for effect in ("asked", "queued", "collecting", "collected")),
    ],
)
def test_a_remark_gets_no_word_and_becomes_no_question(line) -> None:
    told = ["heard: 'реплика 4' in " + TOPIC + " was not meant for the account"]
    assert list(heard(History((REMARK, line)))) == told
    assert judge(History((ACCOUNT, REMARK, line))).faults[-1:] == told


def test_a_remark_gets_no_reaction() -> None:
    assert len(list(heard(History((replace(REMARK, reacted=True),))))) == 1


@pytest.mark.parametrize(
    "line",
    [
        Sent(USER, GROUP, 9, "вопрос 3", 6.0, reply_to=5),
        Sent(USER, TOPIC, 9, "вопрос 4", 6.0, reply_to=4),
        Sent("bot", TOPIC, 9, "вопрос 4", 6.0, reply_to=5),
        Logged(USER, TOPIC, 5, "silent", 5.1),
        Logged(USER, GROUP, 5, "asked", 5.1),
    ],
)
def test_what_concerns_another_message_does_not_concern_a_remark(line) -> None:
    assert list(heard(History((REMARK, line)))) == []


def owned_by(asked: Asked, *acts: Act) -> Owned:
    """The questions of an account whose owner did something; the question is answered, if it has a time for that."""
    account = replace(ACCOUNT, owned=True, limit=9)
    sent = [replace(answer(asked.message_id, chat=asked.chat), at=asked.answered_at)] if asked.answered_at else []
    part = OfAccount(History((account, asked, *acts, *sent)), account)
    return Owned(part, Pieces(part))


DENIED = Act(USER, "deny", ANNA, 5.0, 90, done_at=6.0, back_from=20.0, back_at=21.0)


def test_whom_the_owner_denies_is_silenced_in_groups_as_well_but_nobody_else_is_there() -> None:
    by_anna, by_boris = question(10), question(10, writer=BORIS)
    assert owned_by(by_anna, DENIED).explain(by_anna, never_asked=True, counted=0) == ("denied", 6.0)
    assert owned_by(by_boris, DENIED).explain(by_boris, never_asked=True, counted=0) is None
    paused = replace(DENIED, what="pause")
    assert owned_by(by_anna, paused).explain(by_anna, never_asked=True, counted=0) is None


def test_an_answer_in_a_group_despite_a_denial_of_who_asks_is_a_breach() -> None:
    (wrong,) = owned_by(replace(question(10), answered_at=12.0), DENIED).wrongs()
    assert "answered despite /deny" in wrong
    assert list(owned_by(replace(question(10, writer=BORIS), answered_at=12.0), DENIED).wrongs()) == []


@pytest.mark.parametrize(("at", "explains"), [(8.5, False), (9.5, True), (11.5, True)])
def test_an_order_is_compared_with_a_group_s_messages_by_its_date_as_the_group_numbers_them_itself(
    at, explains
) -> None:
    """Telegram's dates are whole seconds."""
    cancelled = Act(USER, "cancel", None, at, 1, done_at=at + 1)
    assert bool(silence(cancelled, question(10), Settings())) is explains
    answered = replace(question(10), answered_at=20.0)
    assert bool([*owned_by(answered, cancelled).wrongs()]) is (at > 11)


LEFT = LeftAlone(USER, GROUP, 20.0)
MUTED = Disturbance("restricted", "group", 19.0, 25.0, USER)


@pytest.mark.parametrize(
    ("asked", "log", "kind"),
    [
        (question(30), (), "restricted"),
        (question(30, chat=ANNA), (), "lost"),
        (question(30, chat=TOPIC), (), "lost"),
        (question(15), (), "lost"),
        (question(15), (Settled(USER, GROUP, 15, "restricted", 20.0),), "restricted"),
        (question(15), (Undeliverable(USER, GROUP, 20.0),), "undeliverable"),
        (question(15), (Logged(USER, GROUP, 15, "asked", 15.1), Undeliverable(USER, GROUP, 20.0)), "restricted"),
        (question(15), (Logged(USER, GROUP, 15, "asked", 15.1), Undeliverable(USER, GROUP, 18.0)), "undeliverable"),
        (question(30), (Logged(USER, GROUP, 30, "asked", 30.1),), "lost"),
    ],
)
def test_where_the_account_may_not_write_it_is_silent_about_what_it_did_not_take_up_or_could_not_send(
    asked, log, kind
) -> None:
    verdict = judge(History((ACCOUNT, MUTED, LEFT, asked, *log))).verdicts[USER]
    assert getattr(verdict, kind) == 1


def test_a_group_is_left_alone_only_while_the_account_may_not_write_there() -> None:
    told = f"{USER}: left alone for nothing: {GROUP}"
    assert told not in judge(History((ACCOUNT, MUTED, LEFT))).faults
    assert told in judge(History((ACCOUNT, MUTED, replace(LEFT, at=18.0)))).faults
    assert told in judge(History((ACCOUNT, MUTED, replace(LEFT, at=36.0)))).faults
    assert told not in judge(History((ACCOUNT, replace(MUTED, what="send_refused"), replace(LEFT, at=36.0)))).faults


def test_what_can_t_be_sent_in_a_group_that_the_account_is_kept_out_of_is_no_refusal_that_nobody_gave() -> None:
    told = f"{USER}: undeliverable: 1, but Telegram refused 0 messages"
    failed = (question(15), Undeliverable(USER, GROUP, 20.0))
    assert told in judge(History((ACCOUNT, *failed))).faults
    assert told not in judge(History((ACCOUNT, MUTED, *failed))).faults
    assert told in judge(History((ACCOUNT, replace(MUTED, ended=14.0), *failed))).faults
