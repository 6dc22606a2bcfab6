"""What no program of ours writes: records, replies and hints that can't be read."""

import random
from collections.abc import Callable

from events.event import NATS_PREFIX, SPEC_VERSION
from events.ids import RequestId
from events.schema import FinishReason, GenerationCompleted

RECORDS = (
    b"{nonsense",
    b"",
    b"[]",
    b'{"history": 5}',
    b'{"schema": 1000000, "seen": []}',
    b"\xff\xfe",
    b'{"stream": "REPLIES", "seq": 1}',
)
HINTS = (b"", b" ", b"*", b">", b"a.b", b"\xff\xfe", b"\n\n", b"0", b"-1", b"123456789", b"x" * 100_000, "чат".encode())
"""In the place of a chat."""
OTHERS = "это ответ на чужой вопрос"

Made = tuple[dict[str, str], bytes]
"""Headers and body."""


def reply(asked: RequestId, other: RequestId, chance: random.Random) -> Made:
    """In the place of the answer to `asked`; `other` has been asked as well."""
    make: Callable[[RequestId, RequestId], Made] = chance.choice(
        (_no_event, _no_data, _of_another, _says_another, _of_no_one)
    )
    return make(asked, other)


def _no_event(_asked: RequestId, _other: RequestId) -> Made:
    return {}, b"{nonsense"


def _no_data(asked: RequestId, _other: RequestId) -> Made:
    return _headers(str(asked)), b'{"text": 5}'


def _of_another(_asked: RequestId, other: RequestId) -> Made:
    """All of it is right, but for its place."""
    return _headers(str(other)), _completed(other)


def _says_another(asked: RequestId, other: RequestId) -> Made:
    return _headers(str(other)), _completed(asked)


def _of_no_one(asked: RequestId, _other: RequestId) -> Made:
    return _headers("timokha.replies.> .."), _completed(asked)


def _headers(subject: str) -> dict[str, str]:
    attributes = {
        "specversion": SPEC_VERSION,
        "id": f"{subject}:completed",
        "type": GenerationCompleted.TYPE,
        "source": "/chaos",
        "subject": subject,
    }
    return {NATS_PREFIX + name: value for name, value in attributes.items()}


def _completed(about: RequestId) -> bytes:
    data = GenerationCompleted(request_id=str(about), text=OTHERS, finish_reason=FinishReason.STOP, model="chaos")
    return data.model_dump_json().encode()
