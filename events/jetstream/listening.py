"""Receive messages and answers as they are read: nats-py passes each through a queue and a task of its subscription.

It also awaits an answer with `asyncio.wait_for`, which costs as much again, and until Python 3.12 may lose a
cancellation (see `events.runtime.tasks`).
"""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import structlog
from nats.aio.client import NO_RESPONDERS_STATUS
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import Header

log = structlog.get_logger(__name__)


class Listening:
    """What a client receives without nats-py's queues."""

    def __init__(self, nats: NatsClient) -> None:
        self._nats = nats
        self._receivers: dict[int, Callable[[Msg], None]] = {}
        self._inbox = ""
        """The beginning of every reply subject."""
        self._opening = asyncio.Lock()
        self._numbers = count(1)
        self._awaited: dict[str, asyncio.Future[Msg | None]] = {}

    async def listen(self, subject: str, receive: Callable[[Msg], None]) -> None:
        """From now on call `receive` with each message under `subject`, as it is read: it must be quick."""
        subscription = await self._nats.subscribe(subject)
        self._receivers[subscription._id] = receive

    def pass_on(self, message: Msg) -> bool:
        """Pass a message to its receiver; return whether there is one."""
        if not (receive := self._receivers.get(message.sid)):
            return False
        try:
            receive(message)
        except Exception as error:  # noqa: BLE001 - the client would read nothing any more
            log.error("nats.not_received", error=type(error).__name__)
        return True

    async def ask(self, subject: str, payload: bytes, headers: Mapping[str, Any] | None, *, timeout: float) -> Msg:
        """Return the answer to a request. Raises NatsTimeoutError after `timeout` seconds, and NoRespondersError."""
        inbox, number = self._inbox or await self._open_inbox(), str(next(self._numbers))
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Msg | None] = loop.create_future()
        self._awaited[number] = answer
        timer = loop.call_later(timeout, _answer, answer, None)
        try:
            await self._nats.publish(subject, payload, inbox + number, dict(headers) if headers else None)
            message = await answer
        finally:
            timer.cancel()
            del self._awaited[number]
        if message is None:
            raise NatsTimeoutError
        if message.headers and message.headers.get(Header.STATUS) == NO_RESPONDERS_STATUS:
            raise NoRespondersError
        return message

    async def _open_inbox(self) -> str:
        async with self._opening:
            if not self._inbox:
                inbox = f"{self._nats.new_inbox()}."
                await self.listen(f"{inbox}*", self._take_answer)
                self._inbox = inbox
        return self._inbox

    def _take_answer(self, message: Msg) -> None:
        if answer := self._awaited.get(message.subject.rpartition(".")[2]):
            _answer(answer, message)


def _answer(answer: "asyncio.Future[Msg | None]", message: Msg | None) -> None:
    if not answer.done():
        answer.set_result(message)
