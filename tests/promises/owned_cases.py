"""What the tests of owners judge: questions, what an owner does, and drafts of answers."""

from tests.promises.history import History
from tests.promises.lines import BOT, USER
from tests.promises.lines.accounts import Account, Settings
from tests.promises.lines.logged import Settled
from tests.promises.lines.messages import Asked, Sent
from tests.promises.lines.owners import Act, Draft
from tests.promises.of_account import OfAccount
from tests.promises.owned import Owned
from tests.promises.pieces import Pieces

ANNA, BORIS = "2", "3"
DRAFT = "Черновик ответа: вопрос"
EXPIRED = {USER: "drop", BOT: "send"}


def a_question(number: int, asked_at: float, answered_at: float | None = None, chat: str = ANNA) -> Asked:
    return Asked(USER, chat, number, number, f"1.2.{number}.0", f"вопрос {number}", asked_at, answered_at)


def did(what: str, at: float, number: int, chat: str | None = ANNA, **known) -> Act:
    return Act(USER, what, chat, at, number, **known)


def a_draft(number: int, question: Asked, **known) -> Draft:
    return Draft(USER, number, DRAFT, (question.name,), 101, **known)


def settled(number: int, outcome: str) -> list:
    return [Settled(USER, ANNA, number, outcome, 103.0)]


def make_owned(questions, acts=(), *, log=(), noted=(), kind=USER, approving=(), drafts=()) -> Owned:
    """Questions with `answered_at` have their own text as the answer."""
    account = Account(USER, True, 4, tuple(approving), EXPIRED[kind])
    answered = [one for one in questions if one.answered_at]
    sent = [Sent(USER, one.chat, 1000 + one.own_id, one.text, one.answered_at) for one in answered]
    lines = (Settings(owner_pause=3.0, approve_for=5.0), *questions, *acts, *log, *noted, *drafts, *sent)
    part = OfAccount(History(lines), account)
    return Owned(part, Pieces(part))
