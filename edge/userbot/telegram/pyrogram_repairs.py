"""pyrogram 2.0.106's faults that would cost messages, mended in this process: each repair names its fault."""

import sqlite3
from functools import wraps
from typing import Any

import structlog
from pyrogram import Client
from pyrogram.errors import RPCError

log = structlog.get_logger(__name__)

CLOCK_IS_OFF = {16, 17}
SEQUENCE_IS_OFF = {32, 33}
OTHERS = {18, 19, 20, 34, 35, 48, 64}


class BadMessage(ConnectionError):
    """The server did not take a message for reasons of the protocol; what it asked for was not done."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Telegram's server took no message ({code}, bad_msg_notification)")
        self.code = code
        self.known = code in CLOCK_IS_OFF | SEQUENCE_IS_OFF | OTHERS


def repair() -> None:
    """Mend pyrogram in this process; again changes nothing."""
    _errors_leave_no_file()
    _results_survive_the_session_file()


def _errors_leave_no_file() -> None:
    """An error that is not in its lists was appended to unknown_errors.txt in the working directory.

    Where that can't be written, an OSError took the error's place. The sign of its code was dropped, and a wait of 0 s
    made a loop without a pause.
    """
    init = _original(RPCError.__init__)

    @wraps(init)
    def without_file(
        self: RPCError, value: Any = None, rpc_name: Any = None, is_unknown: bool = False, is_signed: bool = False
    ) -> None:
        init(self, value, rpc_name, is_unknown=False, is_signed=is_signed)
        self.is_signed = is_signed  # type: ignore[attr-defined]
        if self.value == 0:
            self.value = 1

    RPCError.__init__ = without_file  # type: ignore[method-assign]


def _results_survive_the_session_file() -> None:
    """A session file that was locked or on a full disk cost the result of a call that had succeeded."""
    fetch = _original(Client.fetch_peers)

    @wraps(fetch)
    async def fetch_or_warn(self: Client, peers: Any) -> bool:
        try:
            return bool(await fetch(self, peers))
        except sqlite3.Error as error:
            log.warning("telegram.peers_not_remembered", error=str(error))
            return False

    Client.fetch_peers = fetch_or_warn  # type: ignore[method-assign]


def remember_peers(client: Client, peers: Any) -> Any:
    """`fetch_peers` as pyrogram has it. Raises what the session file raises."""
    return _original(Client.fetch_peers)(client, peers)


def _original(method: Any) -> Any:
    return getattr(method, "__wrapped__", method)
