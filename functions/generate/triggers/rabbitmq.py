"""The rabbitmq trigger: requests from a queue of RabbitMQ."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from events.ids import RequestId
from events.rabbitmq import topology
from events.rabbitmq.connection import connect
from events.rabbitmq.sender import RabbitMQPublisher
from events.rabbitmq.subscription import RabbitMQSubscription
from events.runtime.retrying import Retrying
from events.transport import Subscription
from functions.generate.settings import GenerateSettings
from functions.generate.triggers.trigger import Trigger
from observability import names


@asynccontextmanager
async def open_trigger(settings: GenerateSettings, retrying: Retrying) -> AsyncIterator[Trigger]:
    """Connect, and create the queues if they are missing. Raises TransportError."""

    async def subscribe() -> Subscription:
        return await RabbitMQSubscription.open(broker, slots=settings.slots)

    async with connect(settings.rabbitmq_url, name="generate", clock=retrying.clock) as broker:
        await topology.ensure_patiently(broker.consuming, retrying=retrying)
        yield Trigger(
            names.RABBITMQ,
            RabbitMQPublisher(broker.sender),
            _is_answered,
            subscribe,
            broker.upkeep.failure,
            broker.problem,
        )


async def _is_answered(request_id: RequestId) -> bool:
    """Return False: a queue keeps no history. A second answer is dropped where replies are stored."""
    return False
