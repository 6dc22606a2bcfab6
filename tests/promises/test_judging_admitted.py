"""The judge knows who gets no answer by the owner's settings, and finds those who get one all the same."""

from dataclasses import replace

from tests.promises.admitted import Admitted
from tests.promises.history import History, Line
from tests.promises.lines import USER
from tests.promises.lines.accounts import Account
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Logged
from tests.promises.lines.messages import Asked, Sent
from tests.promises.of_account import OfAccount

ANNA, BORIS = "2", "3"
KEEPS_OUT = Account(USER, owned=True, kept_out=(BORIS,), looks_up=True)
LIMITED = Account(USER, owned=True, limit_for_all=2)


def asked(chat: str, number: int, at: float, answered_at: float | None = None) -> Asked:
    return Asked(USER, chat, number, number, f"1.{chat}.{number}.0", f"вопрос {number}", at, answered_at)


def answer(question: Asked) -> Sent:
    return Sent(USER, question.chat, 100 + question.own_id, question.text, question.asked_at + 1)


def admitted(account: Account, *lines: Line) -> Admitted:
    return Admitted(OfAccount(History((account, *lines)), account))


def test_who_is_kept_out_gets_no_answer() -> None:
    question, other = asked(BORIS, 5, 100), asked(ANNA, 6, 100)
    assert admitted(KEEPS_OUT, question).silence(question) == "denied"
    assert admitted(KEEPS_OUT, other).silence(other) == ""
    wrongs = list(admitted(KEEPS_OUT, question, answer(question), other, answer(other)).wrongs())
    assert wrongs == ["answered although kept out: 1.3.5 вопрос 5"]


def test_somebody_of_whom_it_can_not_be_found_out_counts_as_kept_out() -> None:
    question = asked(ANNA, 5, 100)
    refused = Logged(USER, ANNA, 5, "refused_person", 100.5)
    away = Disturbance("outage", "telegram", 80, 85)
    assert admitted(KEEPS_OUT, question, refused, away).silence(question) == "denied"
    assert admitted(KEEPS_OUT, question, refused).silence(question) == ""
    assert admitted(KEEPS_OUT, question, refused, replace(away, began=10, ended=15)).silence(question) == ""
    assert admitted(KEEPS_OUT, question, away).silence(question) == ""
    assert admitted(replace(KEEPS_OUT, looks_up=False), question, refused, away).silence(question) == ""


def test_all_chats_together_get_as_many_answers_as_the_day_has() -> None:
    questions = [asked(ANNA, 5, 100), asked(BORIS, 6, 101), asked(ANNA, 7, 102)]
    taken_up = [Logged(USER, one.chat, one.message_id, "asked", one.asked_at) for one in questions[:2]]
    assert admitted(LIMITED, *questions, *taken_up).silence(questions[2]) == "day_limit"
    assert admitted(LIMITED, *questions, taken_up[0]).silence(questions[2]) == ""
    again = replace(taken_up[1], effect="duplicate")  # the first line went with a killed process
    assert admitted(LIMITED, *questions, taken_up[0], again).silence(questions[2]) == "day_limit"
    unstored = replace(taken_up[1], effect="not_stored")  # it was counted before that was tried
    assert admitted(LIMITED, *questions, taken_up[0], unstored).silence(questions[2]) == "day_limit"
    sent = [answer(one) for one in questions]
    assert not list(admitted(LIMITED, *questions, *sent[:2]).wrongs())
    assert list(admitted(LIMITED, *questions, *sent).wrongs()) == ["3 answers in all chats, 2 allowed"]
    emptied = Disturbance("emptied", "nats", 101, 103)  # with the count
    assert not list(admitted(LIMITED, *questions, *sent, emptied).wrongs())
