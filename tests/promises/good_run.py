"""A small run in which every promise is kept, to be corrupted by hand."""

from edge.userbot import phrases
from tests.promises.history import History, Line
from tests.promises.lines import USER
from tests.promises.lines.accounts import Account, Settings
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Logged, Settled
from tests.promises.lines.messages import Asked, Erased, Sent
from tests.promises.lines.owners import Act
from tests.promises.lines.processes import Process
from tests.promises.lines.stored import REQUESTS, Acknowledged, Record, Update

ANNA, BORIS, VERA = "2", "3", "4"
FAILED = phrases.failure("ru", phrases.DEADLINE)
FORGOTTEN = phrases.deleted("ru", cancelled=False)


def good() -> list[Line]:
    """Anna asks twice and then erases her chat, Boris writes a burst, the owner takes over Vera's chat."""
    return [*_of_all(), *_of_anna(), *_of_boris(), *_of_vera()]


def history(lines: list[Line]) -> History:
    return History(tuple(lines))


def asked(chat: str, number: int, at: float, answered_at: float | None = None, **known: object) -> Asked:
    """`number` is in its text and of its message; the answer's message has a number higher by 100."""
    name, text = f"1.{chat}.{number}.0", f"вопрос {number}"
    return Asked(USER, chat, number, number, name, text, at, answered_at, **known)  # type: ignore[arg-type]


def answer(chat: str, number: int, at: float, text: str = "") -> Sent:
    return Sent(USER, chat, number + 100, text or f"вопрос {number}", at, reply_to=number)


def _of_all() -> list[Line]:
    return [
        Settings(deadline=120.0, owner_pause=3.0, approve_for=5.0),
        Account(USER, owned=True, limit=9, hourly=9, sees_deletions=True),
        Disturbance("kill", "nats", 20.0, 21.0),
        Process(USER, "terminated", told_at=900.0, ended_at=903.0, within=10.0),
        Process(USER, "killed", -9),
        *(Record(USER, chat) for chat in (ANNA, BORIS, VERA)),
        *(Acknowledged(REQUESTS, f"1.{chat}.{number}.0") for chat, number in ((ANNA, 10), (ANNA, 11), (VERA, 30))),
        Update("1.2", 0, "ok", 5, 100.0, 100.1),
        Update("1.2", 5, "unknown", None, 100.2, 101.0),
        Update("1.2", 5, "failed", None, 101.1, 101.2),
        Update("1.2", 8, "ok", 9, 101.3, 101.4),
    ]


def _of_anna() -> list[Line]:
    return [
        asked(ANNA, 10, 100.0, 103.0),
        asked(ANNA, 11, 104.0, 107.0),
        *(Logged(USER, ANNA, number, "asked", at) for number, at in ((10, 100.1), (11, 104.1))),
        *(Settled(USER, ANNA, number, "answered", at) for number, at in ((10, 103.1), (11, 107.1))),
        answer(ANNA, 10, 103.0),
        answer(ANNA, 11, 107.0),
        Erased(USER, ANNA, 12, 12, 110.0),
        Sent(USER, ANNA, 112, FORGOTTEN, 110.5, reply_to=12),
    ]


def _of_boris() -> list[Line]:
    """The second piece is deleted before the third one comes."""
    return [
        asked(BORIS, 20, 200.0, 210.0, is_piece=True),
        asked(BORIS, 21, 201.0, None, is_piece=True, deleted_at=202.0),
        asked(BORIS, 22, 206.0, 210.0, is_piece=True),
        Logged(USER, BORIS, 20, "collecting", 200.1),
        Logged(USER, BORIS, 21, "collected", 201.1),
        Logged(USER, BORIS, 22, "collected", 206.1),
        answer(BORIS, 22, 210.0, "вопрос 20\nвопрос 22"),
    ]


def _of_vera() -> list[Line]:
    return [
        asked(VERA, 30, 300.0),
        Logged(USER, VERA, 30, "asked", 300.1),
        Act(USER, "wrote", VERA, 301.0, 31),
        Logged(USER, VERA, 31, "owner_took_over", 301.1),
        Settled(USER, VERA, 30, "owner_took_over", 301.2),
    ]
