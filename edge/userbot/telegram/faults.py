"""What Telegram's and pyrogram's errors mean for a call: judged by their name first, then by their code.

Names and codes: https://core.telegram.org/api/errors and https://core.telegram.org/mtproto/service_messages_about_messages.
"""

import re
import sqlite3
from datetime import timedelta

from pyrogram.errors import RPCError

from edge.userbot.telegram.pyrogram_repairs import BadMessage
from events.faults import Fault

FATAL = {
    "ACTIVE_USER_REQUIRED",
    "AUTH_KEY_DUPLICATED",  # a 406
    "AUTH_KEY_INVALID",
    "AUTH_KEY_PERM_EMPTY",
    "AUTH_KEY_UNREGISTERED",
    "SESSION_EXPIRED",
    "SESSION_REVOKED",
    "USER_DEACTIVATED",
    "USER_DEACTIVATED_BAN",
}
DONE = {"MESSAGE_NOT_MODIFIED", "RANDOM_ID_DUPLICATE"}
PASSING = {
    "CONNECTION_LAYER_INVALID",
    "CONNECTION_NOT_INITED",
    "INPUT_FETCH_FAIL",
    "MSG_WAIT_FAILED",
    "MSG_WAIT_TIMEOUT",
    "RPC_CALL_FAIL",
    "RPC_MCGET_FAIL",
    "TIMEOUT",
}
"""400s among them, though they have nothing to do with what was asked for."""
REPLY_GONE = {
    "MESSAGE_ID_INVALID",
    "MSG_ID_INVALID",
    "REPLY_MESSAGE_ID_INVALID",
    "REPLY_MESSAGES_ID_INVALID",
    "REPLY_MSG_ID_INVALID",
    "REPLY_TO_INVALID",
    "REPLY_TO_MSG_ID_INVALID",
}
"""What a message replies to is not there."""

UNTOLD_WAIT = timedelta(seconds=30)
"""For a flood error that names no time."""
LEAST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(days=30)

UNAUTHORIZED, FLOOD = 401, 420
REFUSALS = {400, 403, 404, 406}
SERVER_ERRORS = range(500, 600)

_UNLISTED = re.compile(r"\[(-?\d+) (.*)\]", re.DOTALL)
"""How pyrogram hands on an error that is not in its lists: its code and its name."""
_NUMBER = re.compile(r"_(\d+)")
_WAIT = re.compile(r"(?:\w+_)?WAIT_X")


def judge(error: Exception) -> Fault:
    """Return what `error` means for the call that it has ended."""
    if isinstance(error, RPCError):
        return _judge_answer(code(error), name(error))
    if isinstance(error, BadMessage):
        return Fault.PASSING if error.known else Fault.UNKNOWN
    if isinstance(error, OSError | sqlite3.OperationalError):  # time-outs and closed connections among them
        return Fault.PASSING
    return Fault.UNKNOWN


def _judge_answer(number: int, word: str) -> Fault:
    if word in FATAL:
        return Fault.FATAL
    if word in DONE:
        return Fault.DONE
    if word in PASSING or _WAIT.fullmatch(word) or number == FLOOD or number < 0 or number in SERVER_ERRORS:
        return Fault.PASSING
    if number == UNAUTHORIZED:
        return Fault.FATAL
    return Fault.FINAL if number in REFUSALS else Fault.UNKNOWN


def name(error: Exception) -> str:
    """Return Telegram's own name of an error, numbers as X: `PEER_FLOOD`, `FLOOD_WAIT_X`; else the class."""
    if not isinstance(error, RPCError):
        return type(error).__name__
    unlisted = _UNLISTED.fullmatch(str(error.value))
    return _NUMBER.sub("_X", unlisted[2] if unlisted else error.ID or type(error).__name__)


def code(error: RPCError) -> int:
    """Return Telegram's code of an error; negative ones are the server's own."""
    unlisted = _UNLISTED.fullmatch(str(error.value))
    number = int(unlisted[1]) if unlisted else int(error.CODE or 0)
    return -abs(number) if getattr(error, "is_signed", False) else number


def flood_wait(error: Exception) -> timedelta | None:
    """Return how long Telegram wants to be left alone; None if the error is about something else."""
    if not isinstance(error, RPCError) or not (code(error) == FLOOD or _WAIT.fullmatch(name(error))):
        return None
    told = error.value if isinstance(error.value, int) else _told(str(error.value))
    if told is None:
        return UNTOLD_WAIT
    return timedelta(seconds=min(max(told, LEAST_WAIT.total_seconds()), LONGEST_WAIT.total_seconds()))


def _told(value: str) -> int | None:
    numbers = _NUMBER.findall(value)
    return int(numbers[-1]) if numbers else None
