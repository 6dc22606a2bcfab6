"""What JetStream checks before it stores a message, and what it answers."""

import json

from tests.simulation.nats import errors
from tests.simulation.nats.errors import Refusal, Refused
from tests.simulation.nats.protocol import header_values
from tests.simulation.nats.streams import Stream

MOST_HEADERS = 65_535
"""Bytes."""


def publish(stream: Stream, subject: str, headers: bytes, payload: bytes, stamp: int) -> tuple[int, bool]:
    """Store a message; return its sequence number, and whether it was there already. Raises Refused."""
    orders = header_values(headers) if b"Nats-" in headers else {}
    _check(stream, headers, payload, orders)
    message_id = orders.get("Nats-Msg-Id")
    if message_id and (known := stream.remembered(message_id)) is not None:
        return known, True
    stream.expire()
    _check_expected(stream, subject, orders)
    stored = stream.append(subject, headers, payload, stamp)
    stream.last_id = message_id or ""
    if message_id:
        stream.ids[message_id] = (stored.sequence, stamp)
    if "Nats-Rollup" in orders:
        stream.purge(subject if orders["Nats-Rollup"] == "sub" else ">", keep=1)
    return stored.sequence, False


def stored_answer(stream: Stream, sequence: int, *, duplicate: bool) -> bytes:
    repeated = ',"duplicate": true' if duplicate else ""
    return f'{{"stream":"{stream.name}","seq":{sequence}{repeated}}}'.encode()


def refused_answer(stream: Stream, refusal: Refusal) -> bytes:
    return json.dumps({"error": refusal.as_dict(), "stream": stream.name, "seq": 0}).encode()


def _check(stream: Stream, headers: bytes, payload: bytes, orders: dict[str, str]) -> None:
    config = stream.config
    if config["sealed"]:
        raise Refused(errors.SEALED)
    if 0 <= config["max_msg_size"] < len(headers) + len(payload):
        raise Refused(errors.MESSAGE_TOO_LARGE)
    if len(headers) > MOST_HEADERS:
        raise Refused(errors.HEADERS_TOO_LARGE)
    if "Nats-TTL" in orders:
        raise Refused(errors.not_simulated("TTL of a message") if config["allow_msg_ttl"] else errors.NO_TTL)
    if "Nats-Rollup" in orders:
        _check_rollup(orders["Nats-Rollup"], allowed=config["allow_rollup_hdrs"])


def _check_rollup(value: str, *, allowed: bool) -> None:
    if not allowed:
        raise Refused(errors.rollup("not permitted"))
    if value not in ("sub", "all"):
        raise Refused(errors.rollup(f'value invalid: "{value}"'))


def _check_expected(stream: Stream, subject: str, orders: dict[str, str]) -> None:
    if orders.get("Nats-Expected-Stream", stream.name) != stream.name:
        raise Refused(errors.OTHER_STREAM)
    for header, last in (
        ("Nats-Expected-Last-Sequence", stream.last_sequence),
        ("Nats-Expected-Last-Subject-Sequence", stream.last_sequence_of(subject)),
    ):
        if orders.get(header, str(last)) != str(last):
            raise Refused(errors.wrong_last_sequence(last))
    if orders.get("Nats-Expected-Last-Msg-Id", stream.last_id) != stream.last_id:
        raise Refused(errors.wrong_last_id(stream.last_id))
