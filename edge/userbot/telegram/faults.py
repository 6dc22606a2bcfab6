"""What Telegram's and pyrogram's errors mean for a call: judged by their name first, then by their code.

Names and codes: https://core.telegram.org/api/errors and https://core.telegram.org/mtproto/service_messages_about_messages.
"""

import re
import sqlite3
from datetime import timedelta

from pyrogram.errors import RPCError

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
FORMATTING_REFUSED = {"ENTITIES_TOO_LONG", "ENTITY_BOUNDS_INVALID", "ENTITY_TYPE_INVALID"}
"""The text is right, its formatting is not."""

UNTOLD_WAIT = timedelta(seconds=30)
"""For a flood error that names no time."""
LEAST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(days=30)

ABOUT_TIME = {16, 17}
BAD_MESSAGES = {16, 17, 18, 19, 20, 32, 33, 34, 35, 48, 64}
KEY_NOT_FOUND, TRANSPORT_FLOOD, NO_SUCH_CENTRE = 404, 429, 444
TRANSPORT_ERRORS = {
    KEY_NOT_FOUND: "it does not know this session's key",
    TRANSPORT_FLOOD: "too many connections",
    NO_SUCH_CENTRE: "it is not the data centre that this session belongs to",
}
TRANSPORT_FAULTS = {
    KEY_NOT_FOUND: Fault.FATAL,  # once it has been said often enough
    TRANSPORT_FLOOD: Fault.PASSING,
    NO_SUCH_CENTRE: Fault.FATAL,
}

UNAUTHORIZED, FLOOD = 401, 420
REFUSALS = {400, 403, 404, 406}
SERVER_ERRORS = range(500, 600)

_UNLISTED = re.compile(r"\[(-?\d+) (.*)\]", re.DOTALL)
"""How pyrogram hands on an error that is not in its lists: its code and its name."""
_NUMBER = re.compile(r"_(\d+)")
_WAIT = re.compile(r"(?:\w+_)?WAIT_X")


class BadMessage(ConnectionError):
    """The server did not take a message for reasons of the protocol; what it asked for was not done."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Telegram's server did not take a message (bad_msg_notification {code})")
        self.code = code
        self.about_time = code in ABOUT_TIME


class TransportRefused(ConnectionError):
    """The server did not take a connection."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Telegram's server took no packet: {TRANSPORT_ERRORS.get(code, 'transport error')} ({code})")
        self.code = code
        self.is_about_key = code == KEY_NOT_FOUND
        self.is_flood = code == TRANSPORT_FLOOD


def classify(error: Exception) -> Fault:
    """Return what `error` means for the call that it has ended."""
    if isinstance(error, RPCError):
        return _judge_answer(code(error), name(error))
    if isinstance(error, BadMessage):
        return Fault.PASSING if error.code in BAD_MESSAGES else Fault.UNKNOWN
    if isinstance(error, TransportRefused):
        return TRANSPORT_FAULTS.get(error.code, Fault.UNKNOWN)
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


def is_wrong_centre(error: Exception) -> bool:
    """Whether the session belongs to a data centre that is not there."""
    return isinstance(error, TransportRefused) and error.code == NO_SUCH_CENTRE


def name(error: Exception) -> str:
    """Return Telegram's own name of an error, numbers as X: `PEER_FLOOD`, `FLOOD_WAIT_X`; else the class."""
    if isinstance(error, BadMessage | TransportRefused):
        return f"{type(error).__name__}({error.code})"
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
