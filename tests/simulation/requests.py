"""What another program asks over RabbitMQ in a seed, good and bad, and what becomes of each by the bridge's rules."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from bridge.codecs import NO_ANSWER, NO_QUESTION
from bridge.headers import MARK
from bridge.settings import CodecName
from events.event import AMQP_PREFIX, Event
from events.rabbitmq.message import AmqpMessage
from events.schema import GenerationRequested, Role, Turn
from tests.promises.lines.programs import ANSWERED, DEAD, DROPPED, FAILED, REFUSED

EVENTS, ORIGINAL = CodecName.EVENTS.value, CodecName.ORIGINAL.value
CODECS = (EVENTS, EVENTS, ORIGINAL)
QUEUES = {EVENTS: "programs.requests", ORIGINAL: "rpc_queue"}
"""Where the program asks, by the codec that it speaks."""
REPLIES, NOWHERE = "program.replies", "program.gone"
"""Where it wants its replies, and a queue that nobody declares."""
FAILURES = (NO_ANSWER, NO_QUESTION)
"""What stands for one where replies are text."""
DEADLINE = timedelta(seconds=120)
TOO_BIG = 600 * 1024
"""Bytes; the bridge takes 512 KiB."""
MANY = (8, 14)

KINDS = {"question": 10, "dialogue": 3, "strange_headers": 2, "twice": 2}
BAD = {"no_reply_to": 1, "no_correlation_id": 1, "of_a_bridge": 1, "too_big": 1, "nowhere": 1, "not_utf8": 1}
OF_CODEC = {
    EVENTS: {"not_json": 1, "unknown_type": 1, "no_request": 1, "too_old": 2},
    ORIGINAL: {"empty": 2},
}
EXPECTED = {
    **dict.fromkeys(("question", "dialogue", "strange_headers", "twice"), ANSWERED),
    **dict.fromkeys(("too_big", "not_utf8", "not_json", "unknown_type", "no_request", "too_old"), REFUSED),
    **dict.fromkeys(("no_reply_to", "no_correlation_id", "of_a_bridge"), DEAD),
    "empty": FAILED,
    "nowhere": DROPPED,
}


@dataclass(frozen=True, slots=True)
class Posted:
    """The program posts a message of the kind `what`, `at` seconds from the beginning."""

    at: float
    what: str


def drawn_requests(chance: Random, codec: str, until: float) -> tuple[Posted, ...]:
    weights = KINDS | BAD | OF_CODEC[codec]
    kinds = chance.choices(list(weights), list(weights.values()), k=chance.randint(*MANY))
    return tuple(sorted((Posted(round(chance.uniform(0, until), 3), what) for what in kinds), key=lambda one: one.at))


def message_of(what: str, number: int, codec: str, now: datetime) -> AmqpMessage:
    """Return the program's message of that number."""
    key = f"program-{number}"
    make = _event if codec == EVENTS else _text
    message = make(what, key, text_of(number), now)
    return CHANGES.get(what, lambda it: it)(message)


def text_of(number: int) -> str:
    """Return a text that no other question has."""
    return f"просьба {number}"


def _text(what: str, key: str, text: str, _: datetime) -> AmqpMessage:
    text = {"dialogue": f"кто ты<:>я Тимоха<:>{text}", "empty": " "}.get(what, text)
    # Without a message id the client would make up another one each time.
    return AmqpMessage(text.encode(), content_type="text/plain", correlation_id=key, reply_to=REPLIES, message_id=key)


def _event(what: str, key: str, text: str, now: datetime) -> AmqpMessage:
    turns = [Turn(role=Role.USER, text="кто ты"), Turn(role=Role.ASSISTANT, text="я Тимоха")]
    asked = GenerationRequested(
        request_id=f"program.1.{key}.0",
        account_id="program",
        chat_id="1",
        message_id=key,
        turns=(*(turns if what == "dialogue" else ()), Turn(role=Role.USER, text=text)),
        deadline=now - DEADLINE if what == "too_old" else now + DEADLINE,
    )
    event = Event.of(asked, source="/program", time=now - 2 * DEADLINE if what == "too_old" else now)
    message = AmqpMessage.of(event, reply_to=REPLIES)
    return _having(message, correlation_id=key)


def _having(message: AmqpMessage, **values: object) -> AmqpMessage:
    known = {name: getattr(message, name) for name in AmqpMessage.__dataclass_fields__}
    return AmqpMessage(**known | values)  # type: ignore[arg-type]


def _with_headers(message: AmqpMessage, **headers: str) -> AmqpMessage:
    return _having(message, headers={**message.headers, **headers})


CHANGES: dict[str, Callable[[AmqpMessage], AmqpMessage]] = {
    "no_reply_to": lambda it: _having(it, reply_to=""),
    "no_correlation_id": lambda it: _having(it, correlation_id=""),
    "of_a_bridge": lambda it: _with_headers(it, **{MARK: "out"}),
    "too_big": lambda it: _having(it, body=it.body + b" " * TOO_BIG),
    "nowhere": lambda it: _having(it, reply_to=NOWHERE),
    "not_utf8": lambda it: _having(it, body=b"\xff" + it.body),
    "not_json": lambda it: _having(it, body=it.body[:-1]),
    "unknown_type": lambda it: _with_headers(it, **{f"{AMQP_PREFIX}type": "timokha.generation.requested.v9"}),
    "no_request": lambda it: _with_headers(it, **{f"{AMQP_PREFIX}type": "timokha.generation.progressed.v1"}),
    "strange_headers": lambda it: _with_headers(it, **{"Nats-Rollup": "sub", "Nats-Expected-Last-Msg-Id": "x"}),
}
"""How a message differs from one that is as it should be."""
