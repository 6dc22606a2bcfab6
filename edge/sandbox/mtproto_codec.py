"""Decode and encode the MTProto messages of one connection (https://core.telegram.org/mtproto/description)."""

from collections.abc import Iterator
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from mtproto.crypto.aes import ige256_decrypt, kdf
from mtproto.enums import ConnectionRole, TransportEvent
from mtproto.transport.connection import Connection
from mtproto.transport.packets.base_packet import BasePacket
from mtproto.transport.packets.error_packet import ErrorPacket
from mtproto.transport.packets.message_packet import (
    DecryptedMessagePacket,
    EncryptedMessagePacket,
    UnencryptedMessagePacket,
)

from edge.sandbox.keys import AuthKey
from events.runtime.clock import Clock

Encrypted = EncryptedMessagePacket
Message = DecryptedMessagePacket
Plain = UnencryptedMessagePacket

REPLY, PUSH = 1, 3
"""The low bits of the server's message ids: a reply to a request, or a push."""


class MessageIds:
    """Issues ids for the server's messages: the time in units of 2⁻³² s, rising, unique over all connections."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def take(self, kind: int) -> int:
        self._last = max(int(self._clock.now().timestamp() * 2**32) & ~3, self._last + 4)
        return self._last | kind


class MtprotoCodec:
    """Framing and encryption of one connection; the client's first bytes choose the transport."""

    def __init__(self) -> None:
        self._transport: Connection[Any] = Connection(ConnectionRole.SERVER)

    def decode(self, data: bytes) -> Iterator[BasePacket]:
        """Yield the packets that `data` completes. Raises ValueError if it is not MTProto."""
        self._transport.data_received(data)
        while (packet := self._transport.next_event()) is not None:
            if isinstance(packet, TransportEvent):
                raise ValueError("the packet is longer than the transport takes")
            yield packet

    def encode_plain(self, message_id: int, body: bytes) -> bytes:
        return self._transport.send(UnencryptedMessagePacket(message_id, body))

    def encode_encrypted(self, message: Message, key: AuthKey) -> bytes:
        return self._transport.send(message.encrypt(key.key, ConnectionRole.SERVER))

    def encode_error(self, code: int) -> bytes:
        return self._transport.send(ErrorPacket(code))


def decrypt(packet: Encrypted, key: AuthKey) -> Message:
    """Decrypt a client's packet. Raises ValueError unless msg_key proves that the client holds the key."""
    plaintext = ige256_decrypt(packet.encrypted_data, *kdf(key.key, packet.message_key, from_client=True))
    expected = sha256(key.key[88:120] + plaintext).digest()[8:24]
    if not compare_digest(expected, bytes(packet.message_key)):
        raise ValueError("msg_key does not fit the message")
    return DecryptedMessagePacket.parse(plaintext)
