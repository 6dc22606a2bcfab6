"""One TCP connection: the key exchange, or one client session's messages in and out."""

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from edge.sandbox import rpc
from edge.sandbox.buttons import Press
from edge.sandbox.call import Call
from edge.sandbox.faults import KEY_NOT_FOUND, Refusal
from edge.sandbox.handshake import Handshake
from edge.sandbox.keys import AuthKey
from edge.sandbox.mtproto_codec import PUSH, REPLY, Encrypted, Message, MtprotoCodec, Plain, decrypt
from edge.sandbox.tl import (
    MsgContainer,
    Result,
    TLObject,
    UnknownConstructor,
    container,
    functions,
    method_name,
    packed,
    read,
    rpc_result,
    types,
)

if TYPE_CHECKING:
    from edge.sandbox.connections import Connections

log = logging.getLogger(__name__)

CHUNK = 65536
WRONG_SALT = 48
TICKS = 2**32
"""Units of a message id in a second."""


class ClientConnection:
    """Serves one client until it disconnects or `drop` is called. A malformed packet closes this connection only."""

    def __init__(self, connections: "Connections", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections = connections
        self._reader = reader
        self._writer = writer
        self._codec = MtprotoCodec()
        self._handshake = Handshake(connections.state.key, connections.state.clock)
        self._key: AuthKey | None = None
        self._session_id = 0
        self._sequence = 0
        self._opened = False

    @property
    def session(self) -> tuple[int, int] | None:
        """(auth key id, session id) from the client's InitConnection until the connection ends."""
        if self._key is None or not self._opened or self._writer.is_closing():
            return None
        return self._key.id, self._session_id

    @property
    def user_id(self) -> int | None:
        return self._connections.state.logins.get(self._key.id) if self._key else None

    def drop(self) -> None:
        """Abort the connection without an answer."""
        self._writer.transport.abort()

    async def run(self) -> None:
        try:
            while data := await self._reader.read(CHUNK):
                self._receive(data)
                await self._writer.drain()
        except ConnectionError:
            pass
        except Exception as error:  # parsers may raise anything on a malformed packet; other clients go on
            log.warning("connection closed on a malformed packet: %s", type(error).__name__)
            log.debug("the malformed packet", exc_info=True)
        finally:
            self._writer.close()

    def push(self, updates: Result, *, age: int = 0) -> None:
        """Send updates, as if in a message that was made `age` seconds ago."""
        body = updates if isinstance(updates, bytes) else updates.write()
        self._send(packed(body) if self._connections.faults.packs else body, PUSH, age=age)

    def _receive(self, data: bytes) -> None:
        for packet in self._codec.decode(data):
            if isinstance(packet, Plain):
                self._exchange(packet)
            elif isinstance(packet, Encrypted):
                self._decrypt(packet)
            else:
                raise ValueError("not a packet that clients send")
            if self._writer.is_closing():
                return

    def _exchange(self, packet: Plain) -> None:
        answer = self._handshake.answer(packet.message_data).write()
        if key := self._handshake.agreed_key:
            self._connections.state.auth_keys[key.id] = key
        self._writer.write(self._codec.encode_plain(self._connections.message_ids.take(REPLY), answer))

    def _decrypt(self, packet: Encrypted) -> None:
        self._key = self._connections.state.auth_keys.get(packet.auth_key_id)
        error = KEY_NOT_FOUND if self._key is None else self._connections.faults.transport_error_of(self.user_id)
        if self._key is None or error:
            self._writer.write(self._codec.encode_error(error))
            self._writer.close()
            return
        message = decrypt(packet, self._key)
        self._session_id = message.session_id
        if message.salt != self._key.salt:
            self._refuse_salt(message, self._key)
        else:
            self._handle(message.message_id, message.seq_no, message.data)

    def _refuse_salt(self, message: Message, key: AuthKey) -> None:
        salt = int.from_bytes(key.salt, "little", signed=True)
        answer = types.BadServerSalt(
            bad_msg_id=message.message_id, bad_msg_seqno=message.seq_no, error_code=WRONG_SALT, new_server_salt=salt
        )
        self._send(answer.write(), REPLY, counts=False)

    def _handle(self, message_id: int, sequence: int, data: bytes) -> None:
        try:
            body = read(data)
        except UnknownConstructor as error:
            log.warning("a client called a method that this layer doesn't have: %s", error)
            self._reply(message_id, types.RpcError(error_code=400, error_message="INPUT_METHOD_INVALID"))
            return
        match body:
            case MsgContainer(messages=messages):
                for inner in messages:
                    self._act(inner.msg_id, inner.seq_no, inner.body)
            case _:
                self._act(message_id, sequence, body)

    def _act(self, message_id: int, sequence: int, body: TLObject) -> None:
        if code := self._connections.faults.bad_message(self.user_id, method_name(rpc.unwrap(body).query), message_id):
            bad = types.BadMsgNotification(bad_msg_id=message_id, bad_msg_seqno=sequence, error_code=code)
            self._send(bad.write(), REPLY, counts=False)
            return
        match body:
            case types.MsgsAck():
                pass
            case functions.Ping(ping_id=ping_id) | functions.PingDelayDisconnect(ping_id=ping_id):
                self._send(types.Pong(msg_id=message_id, ping_id=ping_id).write(), REPLY, counts=False)
            case _:
                self._call(message_id, body)

    def _call(self, message_id: int, body: TLObject) -> None:
        assert self._key
        unwrapped = rpc.unwrap(body)
        self._opened = self._opened or unwrapped.opens
        if unwrapped.quiet:
            self._connections.state.quiet.add((self._key.id, self._session_id))
        call = Call(self._connections.state, self._connections.faults, self._key.id)
        result = self._answer(call, unwrapped.query)
        if self._connections.faults.loses_answer(call.user_id, method_name(unwrapped.query)):
            self.drop()
        elif isinstance(result, Press):
            self._reply_later(message_id, result)
        elif late := self._connections.faults.rare.lateness(call.user_id, method_name(unwrapped.query)):
            asyncio.get_running_loop().call_later(late, self._reply_if_there, message_id, result)
        else:
            self._reply(message_id, result)
        self._connections.deliver(call.pushes, origin=self)

    def _answer(self, call: Call, query: TLObject) -> Result | Press:
        try:
            return rpc.answer(call, query)
        except Refusal as refusal:
            return types.RpcError(error_code=refusal.code, error_message=refusal.message)
        except Exception:
            log.exception("the sandbox failed at %s; it answers DATA_INVALID", method_name(query))
            return types.RpcError(error_code=400, error_message="DATA_INVALID")

    def _reply_later(self, message_id: int, press: Press) -> None:
        """Reply when the bot has answered, or did not in time."""
        press.on_answer = partial(self._reply_if_there, message_id)
        too_late = types.RpcError(error_code=400, error_message="BOT_RESPONSE_TIMEOUT")
        asyncio.get_running_loop().call_later(self._connections.faults.bot_patience, press.settle, too_late)

    def _reply_if_there(self, message_id: int, result: Result) -> None:
        if not self._writer.is_closing():
            self._reply(message_id, result)

    def _reply(self, message_id: int, result: Result) -> None:
        self._send(rpc_result(message_id, result, gzip=self._connections.faults.packs), REPLY)

    def _send(self, body: bytes, kind: int, *, counts: bool = True, age: int = 0) -> None:
        """Send a message. `counts`: the client must acknowledge it, which an odd sequence number says."""
        assert self._key
        sequence = self._sequence * 2 + counts
        self._sequence += counts
        message_id = self._connections.message_ids.take(kind) - age * TICKS
        if self._connections.faults.packs:
            acknowledgement = types.MsgsAck(msg_ids=[0]).write()
            second = self._connections.message_ids.take(kind)
            body = container((message_id, self._sequence * 2, acknowledgement), (second, sequence, body))
            message_id, sequence = self._connections.message_ids.take(kind), self._sequence * 2
        message = Message(self._key.salt, self._session_id, message_id, sequence, body)
        self._writer.write(self._codec.encode_encrypted(message, self._key))
