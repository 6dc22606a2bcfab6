"""Ask recorded questions again, under new ids and on any transport, and collect the replies."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from cli.replay.cases import Case, Reply
from events.errors import MalformedEvent, TransportError
from events.event import Event
from events.ids import RequestId
from events.runtime.clock import Clock
from events.runtime.tasks import run_all, run_with_helpers
from events.schema import GenerationRequested
from events.transport import MAX_FETCH_WAIT, Channel, Publisher, Subscription
from observability.telemetry import Telemetry

SOURCE = "/timokha/replay"
ACCOUNT = "replay"
BATCH = 64

Speed = Literal["original", "maximal"]


@dataclass
class Player:
    """Plays cases. `run` is the chat of this replay's questions; `replies` delivers only their replies.

    At maximal speed `in_flight` questions are in flight at once; at the original speed, as many as in the recording.
    """

    run: str
    publisher: Publisher
    replies: Subscription
    telemetry: Telemetry
    clock: Clock
    speed: Speed = "maximal"
    in_flight: int = 8
    _waiting: dict[str, "asyncio.Future[Reply]"] = field(default_factory=dict)

    async def play(self, cases: Sequence[Case]) -> list[Reply | None]:
        """Return each case's reply, None if none came before its deadline. Raises TransportError."""
        slots = asyncio.Semaphore(self.in_flight if self.speed == "maximal" else len(cases))
        replies: list[Reply | None] = [None] * len(cases)

        async def ask(number: int, case: Case) -> None:
            replies[number] = await self._ask(number, case, cases[0], slots)

        await run_with_helpers(run_all(*(ask(number, case) for number, case in enumerate(cases))), self._listen())
        return replies

    async def _ask(self, number: int, case: Case, first: Case, slots: asyncio.Semaphore) -> Reply | None:
        if self.speed == "original":
            await self.clock.sleep(case.asked_at - first.asked_at)
        async with slots:
            request = new_request(case, RequestId(ACCOUNT, self.run, str(number)), self.clock.now())
            reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            self._waiting[request.request_id] = reply
            with self.telemetry.spans.send(
                Channel.REQUESTS, Event.of(request, source=SOURCE, time=self.clock.now())
            ) as event:
                await self.publisher.publish(Channel.REQUESTS, event)
            try:
                async with asyncio.timeout(case.time_limit.total_seconds()):
                    return await reply
            except TimeoutError:
                return None

    async def _listen(self) -> None:
        while True:
            for delivery in await self.replies.fetch(BATCH, MAX_FETCH_WAIT):
                self._accept(delivery.event)
                with suppress(TransportError):
                    await delivery.ack()

    def _accept(self, event: Event) -> None:
        waiting = self._waiting.get(event.subject)
        if waiting is None or waiting.done():
            return
        try:
            data = event.data()
        except MalformedEvent:
            return
        if isinstance(data, Reply):
            waiting.set_result(data)


def new_request(case: Case, request_id: RequestId, now: datetime) -> GenerationRequested:
    """Return a request that asks the same question under another id, with the same time limit."""
    ids = {"account_id": request_id.account, "chat_id": request_id.chat, "message_id": request_id.message}
    due = {"deadline": now + case.time_limit, "live": False}
    again = {"request_id": str(request_id), "revision": 0, **due, **ids}
    return case.request.model_copy(update=again)


def run_name(now: datetime) -> str:
    """Return a name that no other replay has: the microseconds since 2026."""
    return f"{(now - datetime(2026, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1):x}"
