"""Every message of a stream under some subjects: reading on is cheaper than listing the subjects and reading each.

The server makes and sorts the list of all subjects for every page of it, and `subject` asks for places all over the
files; the next message lies beside the last one.
"""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from math import inf

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg, StreamState
from nats.js.errors import NotFoundError

from events.jetstream.faults import is_lost_stream
from events.jetstream.patience import patiently
from events.runtime.retrying import Retrying
from events.runtime.tasks import together

READERS = 32

Take = Callable[[RawStreamMsg], Awaitable[None]]


async def walk(
    js: JetStreamContext, stream: str, filter_subject: str, take: Take, *, retrying: Retrying, readers: int = READERS
) -> None:
    """Hand every message that matches to `take`, several at once, in no order. Raises NatsError.

    One that is replaced meanwhile comes as it was, or as it is, or both.
    """

    async def read(first: int, last: float) -> None:
        sequence = first
        while found := await patiently(partial(next_message, js, stream, filter_subject, sequence), retrying=retrying):
            assert found.seq is not None
            if found.seq > last:
                return
            await take(found)
            sequence = found.seq + 1

    state = (await patiently(lambda: js.stream_info(stream), retrying=retrying)).state
    await together(*(read(first, last) for first, last in _shares(state, readers)))
    # What was replaced before its reader came to it lies behind all of them by now.
    await read(state.last_seq + 1, inf)


def _shares(state: StreamState, readers: int) -> Iterator[tuple[int, int]]:
    """As many ranges of sequence numbers, the first and the last one of each."""
    size = -(-(state.last_seq + 1 - state.first_seq) // readers)
    for first in range(state.first_seq, state.last_seq + 1, size or 1):
        yield first, min(first + size - 1, state.last_seq)


async def next_message(js: JetStreamContext, stream: str, filter_subject: str, sequence: int) -> RawStreamMsg | None:
    """The first message that matches at `sequence` or after it. Raises NatsError."""
    try:
        return await js.get_msg(stream, seq=sequence, subject=filter_subject, next=True)
    except NotFoundError as error:
        if is_lost_stream(error):
            raise
        return None
