"""The client protocol of NATS in bytes: what clients say, read, and what the server says, written.

Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

PING, PONG = b"PING\r\n", b"PONG\r\n"

MOST_CONTROL = 4096
"""Bytes of a line; a server's default."""


class Connect(NamedTuple):
    options: dict[str, Any]


class Publish(NamedTuple):
    """A message from a client; `headers` is the whole block, empty without one."""

    subject: str
    reply: str
    headers: bytes
    payload: bytes


class Subscribe(NamedTuple):
    subject: str
    queue: str
    sid: bytes


class Unsubscribe(NamedTuple):
    """`most`: messages in all after which the subscription ends, 0 for at once."""

    sid: bytes
    most: int


class Ping(NamedTuple):
    pass


class Pong(NamedTuple):
    pass


Operation = Connect | Publish | Subscribe | Unsubscribe | Ping | Pong


class Violation(Exception):
    """The server says this and ends the connection."""


class Parser:
    """Splits the bytes of one client into operations."""

    def __init__(self, max_payload: int) -> None:
        self.max_payload = max_payload
        self._buffer = b""
        self._at = 0

    def feed(self, data: bytes) -> Iterator[Operation]:
        """Yield what is complete, and keep the rest. Raises Violation."""
        self._buffer, self._at = self._buffer[self._at :] + data, 0
        while (end := self._buffer.find(b"\r\n", self._at)) >= 0:
            name, *words = self._buffer[self._at : end].split()
            operation = self._operation(name.upper(), words, end + 2)
            if operation is None:
                return
            yield operation
        if len(self._buffer) - self._at > MOST_CONTROL:
            raise Violation("Maximum Control Line Exceeded")

    def _operation(self, name: bytes, words: list[bytes], end: int) -> Operation | None:
        if name in (b"PUB", b"HPUB"):
            return self._publish(words, end, with_headers=name == b"HPUB")
        begun, self._at = self._at, end
        match name, words:
            case b"PING", []:
                return Ping()
            case b"PONG", []:
                return Pong()
            case b"SUB", [subject, *queue, sid]:
                return Subscribe(subject.decode(), b"".join(queue).decode(), sid)
            case b"UNSUB", [sid, *most]:
                return Unsubscribe(sid, int(b"".join(most) or 0))
            case b"CONNECT", [_, *_]:
                return Connect(json.loads(self._buffer[begun + len(name) : end]))
        raise Violation("Unknown Protocol Operation")

    def _publish(self, words: list[bytes], start: int, *, with_headers: bool) -> Publish | None:
        subject, size = words[0], int(words[-1])
        if size > self.max_payload:
            raise Violation("Maximum Payload Violation")
        end = start + size
        if len(self._buffer) < end + 2:
            return None
        body = start + (int(words[-2]) if with_headers else 0)
        reply = words[1] if len(words) > 2 + with_headers else b""
        self._at = end + 2
        return Publish(subject.decode(), reply.decode(), self._buffer[start:body], self._buffer[body:end])


def message(subject: str, sid: bytes, reply: str, headers: bytes, payload: bytes) -> bytes:
    """Return a MSG, or an HMSG if there are headers."""
    to = f" {reply}" if reply else ""
    if headers:
        return b"HMSG %b %b%b %d %d\r\n%b%b\r\n" % (
            subject.encode(),
            sid,
            to.encode(),
            len(headers),
            len(headers) + len(payload),
            headers,
            payload,
        )
    return b"MSG %b %b%b %d\r\n%b\r\n" % (subject.encode(), sid, to.encode(), len(payload), payload)


def status(line: str, **values: object) -> bytes:
    """Return the header block of a message without a body, e.g. `404 No Messages`."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in values.items())
    return f"NATS/1.0 {line}\r\n{lines}\r\n".encode()


def header_values(block: bytes) -> dict[str, str]:
    """Return the values of a header block; of several under one name the first."""
    found: dict[str, str] = {}
    for line in block.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            found.setdefault(name.decode(), value.strip().decode(errors="replace"))
    return found


def info(**values: object) -> bytes:
    return b"INFO " + json.dumps(values).encode() + b" \r\n"


def error(text: str) -> bytes:
    return f"-ERR '{text}'\r\n".encode()
