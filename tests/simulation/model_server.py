"""The original's model servers, which know our requests by their wire format alone: they answer with the last turn."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from bridge.ids import correlation_id_for
from bridge.original_format import SEPARATOR
from events.rabbitmq.client import fix_client
from events.runtime.tasks import finish
from tests.promises.lines.disturbances import Spoilt
from tests.promises.spoiling import DELAYED, EMPTY, GIVEN_UP
from tests.simulation.addresses import MODELS
from tests.simulation.processes import SimulatedProcess
from tests.simulation.program import AGAIN, ERRORS, PATIENCE, URL
from tests.simulation.world import World

CLOSE = timedelta(seconds=1)
AT_ONCE = 8
"""Requests in flight at once."""
TAKES = 0.3
"""Seconds for an answer; for a late one:"""
LATE = 7.0
HUGE = 800 * 1024
"""Bytes of an answer that JetStream does not take."""
SPOILT = {
    "empty": EMPTY,
    "huge": GIVEN_UP,
    "huge_late": GIVEN_UP,
    "not_utf8": DELAYED,
    "dropped": DELAYED,
    "late": DELAYED,
}
"""What becomes of a request, by what is done wrong with it."""
REQUESTS = "timokha.requests."


@dataclass
class ModelServer:
    """`next`: what it does wrong with the next requests. `spoilt`: with which it did."""

    world: World
    next: deque[str] = field(default_factory=deque)
    spoilt: list[Spoilt] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _passive: bool = False
    _tasks: "dict[asyncio.Task[None], None]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._process = SimulatedProcess("models", self._run)

    def begin(self) -> None:
        self._process = SimulatedProcess("models", self._run)
        self._process.start()

    def end(self) -> None:
        self._process.crash()

    def lines(self) -> Iterator[Spoilt]:
        yield from self.spoilt

    async def _run(self, _: asyncio.Event) -> None:
        fix_client()
        while True:
            with suppress(*ERRORS):
                await self._connected()
            await asyncio.sleep(AGAIN)

    async def _connected(self) -> None:
        async with asyncio.timeout(PATIENCE):
            connection = await aio_pika.connect(URL, client_properties={"connection_name": "models"})
        try:
            async with asyncio.timeout(PATIENCE):
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=AT_ONCE)
            while not channel.is_closed:
                await self._consume(channel)
                await asyncio.sleep(AGAIN)
        finally:
            await finish(CLOSE, connection.close())

    async def _consume(self, channel: AbstractChannel) -> None:
        """Declare its queue as the original does, or use it as it is, also anew after it was deleted."""
        try:
            async with asyncio.timeout(PATIENCE):
                queue = await channel.declare_queue(MODELS, passive=self._passive)
                if not queue.declaration_result.consumer_count:
                    await queue.consume(self._take)
        except ChannelPreconditionFailed:
            self._passive = True
        except ChannelNotFoundEntity:
            self._passive = False

    async def _take(self, request: AbstractIncomingMessage) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(request))
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _answer(self, request: AbstractIncomingMessage) -> None:
        key = request.correlation_id or ""
        wrong = self.next.popleft() if self.next and key not in self._seen else ""
        if wrong:
            self._seen.add(key)
            self._note(key, wrong)
        with suppress(*ERRORS):
            await asyncio.sleep(LATE if wrong.endswith("late") else TAKES)
            text = request.body.decode().split(SEPARATOR)[-1]
            for body, correlation_id in _replies(wrong, text, key):
                answer = aio_pika.Message(body, correlation_id=correlation_id)
                await request.channel.basic_publish(
                    answer.body, routing_key=request.reply_to or "", properties=answer.properties
                )
            await request.ack()

    def _note(self, key: str, wrong: str) -> None:
        """By the requests that JetStream has: only their correlation ids are known here."""
        if wrong in SPOILT:
            ids = (subject.removeprefix(REQUESTS) for subject, _ in self.world.stored("REQUESTS", REQUESTS))
            self.spoilt += [Spoilt(one, SPOILT[wrong]) for one in ids if correlation_id_for(one) == key]


def _replies(wrong: str, text: str, key: str) -> list[tuple[bytes, str]]:
    """Return what it sends: bodies and correlation ids."""
    good = (text.encode(), key)
    known = {
        "empty": [(b" ", key)],
        "huge": [(text.encode() + b" " * HUGE, key)],
        "huge_late": [(text.encode() + b" " * HUGE, key)],
        "not_utf8": [(b"\xff" + text.encode(), key)],
        "dropped": [],
        "twice": [good, good],
        "stranger": [(text.encode(), str(uuid4())), (text.encode(), "nobody"), good],
    }
    return known.get(wrong, [good])
