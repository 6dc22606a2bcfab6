"""Repair bugs of pyrogram 2.0.106 and kurigram 2.2.26 that would lose messages. Each repair describes its bug."""

import socket
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
from pyrogram.storage.sqlite_storage import SQLiteStorage, get_input_peer

from edge.userbot.telegram import client_differences, pyrogram_session
from edge.userbot.telegram.quick_storage import quicken_storage
from edge.userbot.telegram.server_time import ServerTime, tells_of_new_session
from edge.userbot.telegram.terminal_input import read_line
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Retrying

MAX_CACHED_PEERS = 10_000
"""Users and chats kept in memory, the last seen ones, in case the session file can't be written."""

log = structlog.get_logger(__name__)


class UnreadablePacket(Exception):
    """A packet from the server can't be decrypted or parsed."""


def repair(retrying: Retrying) -> ServerTime:
    """Repair pyrogram in this process; it then retries with `retrying`. If called again, the last call counts.

    Return an estimate of the server's time, which is corrected by every connection.
    """
    quicken_storage()
    _write_no_error_file()
    _ignore_session_file_errors()
    _cache_peers()
    _report_missing_connections()
    _send_without_delay()
    time = ServerTime(retrying.clock)
    _use_server_time(time)
    pyrogram_session.install(retrying, time)
    pyrogram_client.ainput = _ask
    return time


async def _ask(prompt: str = "", *, hide: bool = False, **_loop: Any) -> str:
    """Read a line. pyrogram reads in a thread, which keeps the process from ending until a line is typed."""
    return await read_line(prompt, hide=hide)


def _write_no_error_file() -> None:
    """pyrogram appends errors that it does not know to unknown_errors.txt in the working directory.

    If that can't be written, it raises OSError instead. It drops the sign of the code, and a wait of 0 s makes it loop
    without a pause.
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


def _ignore_session_file_errors() -> None:
    """If the session file is locked or the disk is full, pyrogram loses the result of a successful call."""
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


def _cache_peers() -> None:
    """If the disk is full, pyrogram forgets users at once, so that messages to them are undeliverable."""
    update, get = _original(SQLiteStorage.update_peers), _original(SQLiteStorage.get_peer_by_id)

    @wraps(update)
    async def update_and_cache(self: SQLiteStorage, peers: list[tuple[int, int, str, str, str]]) -> None:
        cached: dict[int, Any] = vars(self).setdefault("cached", {})
        for id_, access_hash, kind, *_ in peers:
            cached.pop(id_, None)
            cached[id_] = get_input_peer(id_, access_hash, kind)
        for id_ in list(cached)[:-MAX_CACHED_PEERS]:
            del cached[id_]
        await update(self, peers)

    @wraps(get)
    async def get_or_cached(self: SQLiteStorage, peer_id: int) -> Any:
        try:
            return await get(self, peer_id)
        except (KeyError, sqlite3.Error):
            if peer := vars(self).get("cached", {}).get(peer_id):
                return peer
            raise

    SQLiteStorage.update_peers = update_and_cache  # type: ignore[method-assign]
    SQLiteStorage.get_peer_by_id = get_or_cached  # type: ignore[method-assign]


def _report_missing_connections() -> None:
    """Before a connection is made, pyrogram's send, recv and close raise AttributeError.

    kurigram's send does nothing then, and after the connection has been closed, so that a call waits in vain. pyrogram
    also tries to connect three times, a second apart, in addition to our own retries.
    """
    send, recv, close = (_original(part) for part in (Connection.send, Connection.recv, Connection.close))

    @wraps(send)
    async def send_if_there(self: Connection, data: bytes) -> None:
        writer: Any = self.protocol and self.protocol.writer
        if writer is None or writer.is_closing():
            raise ConnectionError("no connection to Telegram")
        await send(self, data)

    @wraps(recv)
    async def recv_if_there(self: Connection) -> Any:
        return await recv(self) if self.protocol and self.protocol.reader else None

    @wraps(close)
    async def close_if_there(self: Connection) -> None:
        if self.protocol:
            if self.protocol.lock.locked() and self.protocol.writer:
                # kurigram waits for a packet that is being sent, which nobody may ever read.
                self.protocol.writer.transport.abort()
            await close(self)

    Connection.send = send_if_there  # type: ignore[method-assign]
    Connection.recv = recv_if_there  # type: ignore[method-assign]
    Connection.close = close_if_there  # type: ignore[method-assign]
    Connection.MAX_CONNECTION_ATTEMPTS = 1


def _send_without_delay() -> None:
    """A call that follows an acknowledgement at once waits until the server has acknowledged that packet, e.g. 40 ms.

    asyncio sets TCP_NODELAY only on sockets that name their protocol, and pyrogram's do not.
    """
    connect = _original(Connection.connect)

    @wraps(connect)
    async def connect_without_delay(self: Connection) -> None:
        await connect(self)
        writer: Any = self.protocol.writer  # none behind kurigram's proxies over HTTP
        if found := writer and writer.get_extra_info("socket"):
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    Connection.connect = connect_without_delay  # type: ignore[method-assign]


def _use_server_time(time: ServerTime) -> None:
    """If this machine's clock is wrong, pyrogram drops the server's messages and closes every connection."""
    unpack = _original(mtproto.unpack)

    @wraps(unpack)
    def unpack_and_learn(b: BytesIO, session_id: bytes, auth_key: bytes, auth_key_id: bytes) -> Any:
        try:
            message = unpack(b, session_id, auth_key, auth_key_id)
        except ValueError as error:  # kurigram reconnects on one of these, and does not say so
            raise UnreadablePacket from error
        time.learn_from(message)
        if tells_of_new_session(message):
            pyrogram_session.renewed_sessions.add(session_id)
        return message

    mtproto.unpack = unpack_and_learn
    client_differences.use_server_time(time.message_id, time.now)


def remember_peers(client: Client, peers: Any) -> Any:
    """Call pyrogram's own `fetch_peers`. Raises the errors of the session file."""
    return _original(Client.fetch_peers)(client, peers)


def _original(method: Any) -> Any:
    return getattr(method, "__wrapped__", method)
