"""pyrogram 2.0.106's faults that would cost messages, mended in this process: each repair names its fault."""

import sqlite3
from functools import wraps
from io import BytesIO
from typing import Any

import structlog
from pyrogram import Client
from pyrogram import client as pyrogram_client
from pyrogram.connection import Connection
from pyrogram.crypto import mtproto
from pyrogram.errors import RPCError
from pyrogram.session.internals import MsgId
from pyrogram.storage.sqlite_storage import SQLiteStorage, get_input_peer

from edge.userbot.telegram import pyrogram_session
from edge.userbot.telegram.prompt import ask
from edge.userbot.telegram.server_time import ServerTime, tells_of_new_session
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Retrying

KEPT = 10_000
"""People and chats in memory, those seen last, in case that the session file can't be written."""

log = structlog.get_logger(__name__)


def repair(retrying: Retrying) -> ServerTime:
    """Mend pyrogram in this process, which tries again on the clock of `retrying`. The last call counts.

    Return the server's time, as its connections tell it from then on.
    """
    _errors_leave_no_file()
    _results_survive_the_session_file()
    _people_survive_a_full_disk()
    _connections_may_be_away()
    time = ServerTime(retrying.clock)
    _time_is_the_servers(time)
    pyrogram_session.install(retrying, time)
    # It read in a thread, which kept the process from ending until a line was typed.
    pyrogram_client.ainput = ask
    return time


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
    log_throttle = LogThrottle()

    @wraps(fetch)
    async def fetch_or_warn(self: Client, peers: Any) -> bool:
        try:
            return bool(await fetch(self, peers))
        except sqlite3.Error as error:
            if log_throttle.due(str(error)):
                log.warning("telegram.peers_not_remembered", error=str(error))
            return False

    Client.fetch_peers = fetch_or_warn  # type: ignore[method-assign]


def _people_survive_a_full_disk() -> None:
    """Whom the session file had no room for was unknown at once, and what was for them undeliverable."""
    update, get = _original(SQLiteStorage.update_peers), _original(SQLiteStorage.get_peer_by_id)

    @wraps(update)
    async def update_and_keep(self: SQLiteStorage, peers: list[tuple[int, int, str, str, str]]) -> None:
        kept: dict[int, Any] = vars(self).setdefault("kept", {})
        for id_, access_hash, kind, *_ in peers:
            kept.pop(id_, None)
            kept[id_] = get_input_peer(id_, access_hash, kind)
        for id_ in list(kept)[:-KEPT]:
            del kept[id_]
        await update(self, peers)

    @wraps(get)
    async def get_or_kept(self: SQLiteStorage, peer_id: int) -> Any:
        try:
            return await get(self, peer_id)
        except (KeyError, sqlite3.Error):
            if peer := vars(self).get("kept", {}).get(peer_id):
                return peer
            raise

    SQLiteStorage.update_peers = update_and_keep  # type: ignore[method-assign]
    SQLiteStorage.get_peer_by_id = get_or_kept  # type: ignore[method-assign]


def _connections_may_be_away() -> None:
    """While a connection is not made yet, sending, reading and closing it ended in an AttributeError.

    It was tried three times a second apart, whatever the pause between attempts.
    """
    send, recv, close = (_original(part) for part in (Connection.send, Connection.recv, Connection.close))

    @wraps(send)
    async def send_if_there(self: Connection, data: bytes) -> None:
        if self.protocol is None or self.protocol.writer is None:
            raise ConnectionError("no connection to Telegram")
        await send(self, data)

    @wraps(recv)
    async def recv_if_there(self: Connection) -> Any:
        return await recv(self) if self.protocol and self.protocol.reader else None

    @wraps(close)
    async def close_if_there(self: Connection) -> None:
        if self.protocol:
            await close(self)

    Connection.send = send_if_there  # type: ignore[method-assign]
    Connection.recv = recv_if_there  # type: ignore[method-assign]
    Connection.close = close_if_there  # type: ignore[method-assign]
    Connection.MAX_CONNECTION_ATTEMPTS = 1


def _time_is_the_servers(time: ServerTime) -> None:
    """A wrong clock on this machine made it drop what the server sent, and close every connection."""
    unpack = _original(mtproto.unpack)

    @wraps(unpack)
    def unpack_and_hear(b: BytesIO, session_id: bytes, auth_key: bytes, auth_key_id: bytes) -> Any:
        message = unpack(b, session_id, auth_key, auth_key_id)
        time.hear(message)
        if tells_of_new_session(message):
            pyrogram_session.begun_anew.add(session_id)
        return message

    mtproto.unpack = unpack_and_hear
    MsgId.__new__ = lambda cls: time.message_id()  # type: ignore[method-assign]


def remember_peers(client: Client, peers: Any) -> Any:
    """`fetch_peers` as pyrogram has it. Raises what the session file raises."""
    return _original(Client.fetch_peers)(client, peers)


def _original(method: Any) -> Any:
    return getattr(method, "__wrapped__", method)
