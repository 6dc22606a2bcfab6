"""Replies come in: the first outcome of the current question wins, everything else is erased."""

from functools import partial

import structlog

from edge.userbot import record as records
from edge.userbot.drivers import Drivers
from edge.userbot.record import ChatRecord, UnreadableRecord
from edge.userbot.settling import settled
from edge.userbot.world import World
from events import subjects
from events.errors import MalformedEvent, TransportError
from events.event import Event
from events.ids import RequestId
from events.transport import MAX_FETCH_WAIT, Channel, Delivery, Subscription
from observability import propagation

BATCH = 64

log = structlog.get_logger(__name__)


class Replies:
    """A reply is acknowledged once its text is in the chat record: from there the driver delivers it."""

    def __init__(self, world: World, drivers: Drivers, subscription: Subscription) -> None:
        self._world = world
        self._drivers = drivers
        self._subscription = subscription

    async def run(self) -> None:
        """For ever."""
        while True:
            for delivery in await self._subscription.fetch(BATCH, MAX_FETCH_WAIT):
                try:
                    await self._settle(delivery)
                except TransportError as error:
                    log.warning("reply.again", request_id=delivery.event.subject, error=str(error))

    async def _settle(self, delivery: Delivery) -> None:
        try:
            await self._take(delivery)
        except (MalformedEvent, UnreadableRecord) as error:
            log.error("reply.dropped", request_id=delivery.event.subject, error=str(error))
            await delivery.discard()

    async def _take(self, delivery: Delivery) -> None:
        group = subjects.edge_consumer(self._world.account)
        with self._world.telemetry.spans.process(Channel.REPLIES, delivery, group=group):
            request_id = delivery.event.request_id
            settle = partial(_settled, reply=delivery.event, trace=propagation.inject(), world=self._world)
            record = await self._world.chats.change(request_id.chat, settle)
            if _is_about(record, str(request_id)):
                self._drivers.wake(request_id.chat)
            else:
                await self._erase(request_id, record)
            await delivery.ack()

    async def _erase(self, request_id: RequestId, record: ChatRecord) -> None:
        """Late, cancelled or deleted: nobody waits for it, and its text must not stay.

        What was asked before `/delete_history` must not stay anywhere, a dead letter included.
        """
        deleted = request_id.is_up_to(record.deleted_to)
        for channel in Channel if deleted else (Channel.REPLIES,):
            await self._world.log.erase(channel, request_id)
        log.info("reply.erased", request_id=str(request_id), deleted=deleted)


def _settled(record: ChatRecord, *, reply: Event, trace: dict[str, str], world: World) -> ChatRecord:
    changed = settled(record, reply, world.now())
    return changed if changed is record else records.traced(changed, trace)


def _is_about(record: ChatRecord, request_id: str) -> bool:
    return record.current is not None and record.current.request_id == request_id
