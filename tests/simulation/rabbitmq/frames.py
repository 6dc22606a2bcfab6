"""AMQP frames: read from a stream, and written as bytes. Methods by pamqp; contents pass as they are.

Source: https://www.rabbitmq.com/amqp-0-9-1-protocol, section 4.2.
"""

import asyncio
import struct
from dataclasses import dataclass

from pamqp import commands, frame
from pamqp.base import Frame
from pamqp.constants import FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD

from tests.simulation.rabbitmq.errors import ConnectionFault

PREFIX = struct.Struct(">BHI")
"""Of a frame: type, channel, bytes of payload."""
OVERHEAD = PREFIX.size + 1

FRAME_MAX = 131_072
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
HEARTBEAT = frame.marshal(frame.heartbeat.Heartbeat(), 0)


@dataclass(frozen=True, slots=True)
class Received:
    """One frame; `kind` is FRAME_METHOD, FRAME_HEADER, FRAME_BODY or FRAME_HEARTBEAT."""

    kind: int
    channel: int
    payload: bytes

    def method(self) -> Frame:
        """Raises ConnectionFault."""
        if self.kind != FRAME_METHOD:
            raise ConnectionFault(505, "expected a method frame")
        index = int.from_bytes(self.payload[:4], "big")
        try:
            method: Frame = commands.INDEX_MAPPING[index]()
            method.unmarshal(self.payload[4:])
        except (KeyError, ValueError, struct.error) as error:
            raise ConnectionFault(502, f"method {index:#x} can't be read") from error
        return method


async def read_frame(reader: asyncio.StreamReader) -> Received:
    """Return the next frame. Raises ConnectionFault, and IncompleteReadError at the end."""
    kind, channel, size = PREFIX.unpack(await reader.readexactly(PREFIX.size))
    if kind not in (FRAME_METHOD, FRAME_HEADER, FRAME_BODY, FRAME_HEARTBEAT) or size + OVERHEAD > FRAME_MAX:
        raise ConnectionFault(501, f"type {kind}, {size} bytes")
    payload = await reader.readexactly(size + 1)
    if payload[size] != FRAME_END:
        raise ConnectionFault(501, "a frame does not end where it should")
    return Received(kind, channel, payload[:size])


def method_frame(channel: int, method: Frame) -> bytes:
    return frame.marshal(method, channel)


def content_frames(channel: int, method: Frame, header: bytes, body: bytes) -> bytes:
    """Return a method that carries a content, with the content's header and body."""
    most = FRAME_MAX - OVERHEAD
    parts = [frame.marshal(method, channel), _frame(FRAME_HEADER, channel, header)]
    parts += [_frame(FRAME_BODY, channel, body[start : start + most]) for start in range(0, len(body), most)]
    return b"".join(parts)


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return b"%b%b\xce" % (PREFIX.pack(kind, channel, len(payload)), payload)
