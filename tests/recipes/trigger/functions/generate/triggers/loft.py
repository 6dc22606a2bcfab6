"""The loft trigger: requests from the memory of this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from events.ids import RequestId
from events.memory import MemoryLog
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel, Subscription
from functions.generate.settings import GenerateSettings
from functions.generate.triggers.trigger import Trigger

LOFT = MemoryLog(clock=SystemClock())
LEASE = timedelta(seconds=30)


@asynccontextmanager
async def open_trigger(settings: GenerateSettings, retrying: Retrying) -> AsyncIterator[Trigger]:
    """Serve `LOFT`."""

    async def subscribe() -> Subscription:
        return LOFT.subscribe(Channel.REQUESTS, "generate", lease=LEASE)

    async def is_answered(request_id: RequestId) -> bool:
        return await LOFT.find(Channel.REPLIES, request_id) is not None

    async def upkeep() -> None:
        await retrying.clock.sleep(timedelta(days=365))

    yield Trigger("loft", LOFT, is_answered, subscribe, upkeep, str)
