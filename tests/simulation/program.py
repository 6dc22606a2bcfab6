"""Another program that asks over RabbitMQ: it posts a message until RabbitMQ confirms it, and reads the replies."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, DeliveryError

from bridge.ids import request_id_for
from events import subjects
from events.errors import MalformedEvent
from events.rabbitmq.client import fix_client
from events.rabbitmq.message import AmqpMessage, decode, encode
from events.runtime.clock import SystemClock
from events.runtime.tasks import finish
from events.schema import GenerationCompleted
from tests.promises.history import Line
from tests.promises.lines.programs import DEAD, DROPPED, Dead, GivenUp, Replied
from tests.promises.lines.programs import Posted as PostedLine
from tests.promises.lines.stored import REQUESTS, Acknowledged
from tests.simulation.addresses import RABBITMQ
from tests.simulation.processes import SimulatedProcess
from tests.simulation.requests import EVENTS, EXPECTED, FAILURES, QUEUES, REPLIES, Posted, message_of, text_of
from tests.simulation.world import World

URL = f"amqp://guest:guest@{RABBITMQ[0]}:{RABBITMQ[1]}/"
AGAIN = 0.5
"""Seconds before it tries again; until it gives up waiting for an answer of RabbitMQ's:"""
PATIENCE = 4.0
CLOSE = timedelta(seconds=1)
TIMES = {"twice": 2}
"""How often a message of a kind is posted though it was confirmed."""
ERRORS = (*CONNECTION_EXCEPTIONS, DeliveryError, TimeoutError, asyncio.InvalidStateError, RuntimeError)


@dataclass
class Request:
    """`message` was posted for the first time at `at`."""

    what: str
    number: int
    message: AmqpMessage
    at: float
    confirmed_at: float | None = None

    @property
    def id(self) -> str:
        return str(request_id_for(self.message))


@dataclass
class Program:
    """`requests`, oldest first; `replies`: their correlation ids, texts and times."""

    world: World
    codec: str
    requests: list[Request] = field(default_factory=list)
    replies: list[tuple[str, str, float]] = field(default_factory=list)
    _channel: AbstractChannel | None = None
    _posted: "asyncio.Queue[Request]" = field(default_factory=asyncio.Queue)
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._process = SimulatedProcess("program", self._run)

    def begin(self, posted: Sequence[Posted]) -> None:
        self._process.start()
        for one in posted:
            self.world.loop.call_later(one.at, self._post, one)

    def end(self) -> None:
        self._process.crash()

    def _post(self, posted: Posted) -> None:
        clock, number = SystemClock(), len(self.requests)
        message = message_of(posted.what, number, self.codec, clock.now())
        request = Request(posted.what, number, message, self.world.loop.time())
        self.requests.append(request)
        self._posted.put_nowait(request)

    # --- RabbitMQ

    async def _run(self, _: asyncio.Event) -> None:
        fix_client()
        self._tasks.append(asyncio.create_task(self._connect()))
        while True:
            request = await self._posted.get()
            self._tasks.append(asyncio.create_task(self._until_confirmed(request)))

    async def _connect(self) -> None:
        while True:
            with suppress(*ERRORS):
                await self._connected()
            await asyncio.sleep(AGAIN)

    async def _connected(self) -> None:
        """Read replies until the connection is lost."""
        async with asyncio.timeout(PATIENCE):
            connection = await aio_pika.connect(URL, client_properties={"connection_name": "program"})
        try:
            async with asyncio.timeout(PATIENCE):
                channel = await connection.channel(on_return_raises=True)
            while not channel.is_closed:
                await self._read(channel)
                self._channel = channel
                await asyncio.sleep(AGAIN)
        finally:
            self._channel = None
            await finish(CLOSE, connection.close())

    async def _read(self, channel: AbstractChannel) -> None:
        """Read replies, also from a queue that was deleted meanwhile."""
        async with asyncio.timeout(PATIENCE):
            queue = await channel.declare_queue(REPLIES, durable=True)
            if not queue.declaration_result.consumer_count:
                await queue.consume(self._take)

    async def _until_confirmed(self, request: Request) -> None:
        for _ in range(TIMES.get(request.what, 1)):
            while not await self._is_confirmed(request):  # noqa: ASYNC110 - it tries again
                await asyncio.sleep(AGAIN)
            request.confirmed_at = request.confirmed_at or self.world.loop.time()

    async def _is_confirmed(self, request: Request) -> bool:
        if self._channel is None:
            return False
        message = encode(request.message, SystemClock().now())
        with suppress(*ERRORS):
            async with asyncio.timeout(PATIENCE):
                await self._channel.default_exchange.publish(message, QUEUES[self.codec], mandatory=True)
                return True
        return False

    async def _take(self, incoming: AbstractIncomingMessage) -> None:
        now = SystemClock().now()
        reply = decode(incoming, now)
        self.replies.append((reply.correlation_id, self._text(reply), self.world.loop.time()))
        with suppress(*ERRORS):
            await incoming.ack()

    def _text(self, reply: AmqpMessage) -> str:
        """Return an answer's text, or none if it is a failure."""
        if self.codec != EVENTS:
            text = reply.body.decode()
            return "" if text in FAILURES else text
        try:
            data = reply.event().data()
        except MalformedEvent as error:
            return f"unreadable: {error}"
        return data.text if isinstance(data, GenerationCompleted) else ""

    # --- what came of it

    def rests(self) -> bool:
        """Whether each request has been confirmed, and has an outcome."""
        replied = {request_id for request_id, _, _ in self._replied()}
        done = replied | {one.request_id for one in (*self._dead(), *self._given_up())}
        needed = [one.id for one in self.requests if EXPECTED[one.what] not in (DEAD, DROPPED)]
        return all(one.confirmed_at and one.id in done for one in self.requests) and replied.issuperset(needed)

    def lines(self) -> Iterator[Line]:
        queue = QUEUES[self.codec]
        for one in self.requests:
            yield PostedLine(one.id, text_of(one.number), EXPECTED[one.what], queue, one.at, one.confirmed_at)
        yield from (Replied(*reply) for reply in self._replied())
        yield from self._dead()
        yield from self._given_up()
        for subject, _ in self.world.stored("REQUESTS", f"timokha.requests.{subjects.RABBITMQ_ACCOUNT}."):
            yield Acknowledged(REQUESTS, subject.removeprefix("timokha.requests."))

    def _replied(self) -> Sequence[tuple[str, str, float]]:
        by_key = {one.message.correlation_id: one.id for one in self.requests if one.message.correlation_id}
        return [(by_key.get(key, ""), text, at) for key, text, at in self.replies]

    def _dead(self) -> Iterator[Dead]:
        prefix = f"timokha.deadletters.{subjects.RABBITMQ_ACCOUNT}."
        for subject, _ in self.world.stored("DEADLETTERS", prefix):
            yield Dead(subject.removeprefix("timokha.deadletters."))

    def _given_up(self) -> Iterator[GivenUp]:
        for line in self.world.log.lines:
            if line["event"] == "answer.dropped":
                yield GivenUp(line["request_id"], line["time"])
