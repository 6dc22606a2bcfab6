"""Classify errors of Telegram and pyrogram, by their name first, then by their code.

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
"""Some of them have code 400, although the request is not at fault."""
REPLY_GONE = {
    "MESSAGE_ID_INVALID",
    "MSG_ID_INVALID",
    "REPLY_MESSAGE_ID_INVALID",
    "REPLY_MESSAGES_ID_INVALID",
    "REPLY_MSG_ID_INVALID",
    "REPLY_TO_INVALID",
    "REPLY_TO_MSG_ID_INVALID",
}
"""The message that is replied to no longer exists."""
MESSAGE_GONE = {"MESSAGE_ID_INVALID", "MSG_ID_INVALID"}
"""The message that is to be deleted no longer exists."""
PEER_FLOOD = "PEER_FLOOD"
"""The account has written to too many strangers; Telegram does not say for how long it is limited."""
SLOW_MODE = "SLOWMODE_WAIT_X"
WRITING_FORBIDDEN = {
    "CHANNEL_INVALID",
    "CHANNEL_PRIVATE",
    "CHAT_ADMIN_REQUIRED",
    "CHAT_FORBIDDEN",
    "CHAT_GUEST_SEND_FORBIDDEN",
    "CHAT_ID_INVALID",
    "CHAT_RESTRICTED",
    "CHAT_SEND_PLAIN_FORBIDDEN",
    "CHAT_WRITE_FORBIDDEN",
    "TOPIC_CLOSED",
    "TOPIC_DELETED",
    "USER_BANNED_IN_CHANNEL",
}
"""The account may not write in the group, or in the topic (https://core.telegram.org/method/messages.sendMessage)."""
FORMATTING_REFUSED = {"ENTITIES_TOO_LONG", "ENTITY_BOUNDS_INVALID", "ENTITY_TYPE_INVALID"}
"""The formatting is invalid, the text is not."""

DEFAULT_WAIT = timedelta(seconds=30)
"""After a flood error that names no time."""
MIN_WAIT, MAX_WAIT = timedelta(seconds=1), timedelta(days=30)

ABOUT_TIME = {16, 17}
BAD_MESSAGES = {16, 17, 18, 19, 20, 32, 33, 34, 35, 48, 64}
KEY_NOT_FOUND, TRANSPORT_FLOOD, NO_SUCH_CENTRE = 404, 429, 444
TRANSPORT_ERRORS = {
    KEY_NOT_FOUND: "it does not know this session's key",
    TRANSPORT_FLOOD: "too many connections",
    NO_SUCH_CENTRE: "it is not the data centre that this session belongs to",
}
TRANSPORT_FAULTS = {
    KEY_NOT_FOUND: Fault.FATAL,  # if repeated: see KEY_ATTEMPTS
    TRANSPORT_FLOOD: Fault.PASSING,
    NO_SUCH_CENTRE: Fault.FATAL,
}

UNAUTHORIZED, FLOOD = 401, 420
REFUSALS = {400, 403, 404, 406}
SERVER_ERRORS = range(500, 600)

_UNLISTED = re.compile(r"\[(-?\d+) (.*)\]", re.DOTALL)
"""The code and name of an error that is not in pyrogram's lists."""
_NUMBER = re.compile(r"_(\d+)")
_WAIT = re.compile(r"(?:\w+_)?WAIT_X")


class BadMessage(ConnectionError):
    """The server rejected a message because of a protocol error and did not process it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Telegram's server did not take a message (bad_msg_notification {code})")
        self.code = code
        self.about_time = code in ABOUT_TIME


class TransportRefused(ConnectionError):
    """The server refused a connection."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Telegram's server took no packet: {TRANSPORT_ERRORS.get(code, 'transport error')} ({code})")
        self.code = code
        self.is_about_key = code == KEY_NOT_FOUND
        self.is_flood = code == TRANSPORT_FLOOD


def classify(error: Exception) -> Fault:
    """Return the fault of the call that `error` has ended."""
    if isinstance(error, RPCError):
        return _classify_answer(code(error), name(error))
    if isinstance(error, BadMessage):
        return Fault.PASSING if error.code in BAD_MESSAGES else Fault.UNKNOWN
    if isinstance(error, TransportRefused):
        return TRANSPORT_FAULTS.get(error.code, Fault.UNKNOWN)
    if isinstance(error, OSError | sqlite3.OperationalError):  # time-outs and closed connections among them
        return Fault.PASSING
    return Fault.UNKNOWN


def _classify_answer(number: int, word: str) -> Fault:
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
    """Return whether the session belongs to a data centre that does not exist."""
    return isinstance(error, TransportRefused) and error.code == NO_SUCH_CENTRE


def name(error: Exception) -> str:
    """Return Telegram's name of an error, with X for numbers (`PEER_FLOOD`, `FLOOD_WAIT_X`), else its class."""
    if isinstance(error, BadMessage | TransportRefused):
        return f"{type(error).__name__}({error.code})"
    if not isinstance(error, RPCError):
        return type(error).__name__
    unlisted = _UNLISTED.fullmatch(str(error.value))
    return _NUMBER.sub("_X", unlisted[2] if unlisted else error.ID or type(error).__name__)


def code(error: RPCError) -> int:
    """Return Telegram's code of an error, negative for internal errors of the server."""
    unlisted = _UNLISTED.fullmatch(str(error.value))
    number = int(unlisted[1]) if unlisted else int(error.CODE or 0)
    return -abs(number) if getattr(error, "is_signed", False) else number


def flood_wait(error: Exception) -> timedelta | None:
    """Return how long Telegram asks to wait, None if the error is not about that."""
    if not isinstance(error, RPCError) or not (code(error) == FLOOD or _WAIT.fullmatch(name(error))):
        return None
    seconds = error.value if isinstance(error.value, int) else _wait_in(str(error.value))
    if seconds is None:
        return DEFAULT_WAIT
    return timedelta(seconds=min(max(seconds, MIN_WAIT.total_seconds()), MAX_WAIT.total_seconds()))


def _wait_in(value: str) -> int | None:
    numbers = _NUMBER.findall(value)
    return int(numbers[-1]) if numbers else None
