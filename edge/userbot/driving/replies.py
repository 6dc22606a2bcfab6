"""Replies come in: the first outcome of the current question wins, everything else is erased."""

from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog

from edge.userbot.chat import record as records
from edge.userbot.chat.record import ChatRecord, report, settled
from edge.userbot.chat.versions import UnreadableRecord
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.ports import Ports
from edge.userbot.error_lines import described
from edge.userbot.phrases import INTERNAL
from events import subjects
from events.errors import MalformedEvent, TransportError
from events.event import Event
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.ids import RequestId
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Backoff
from events.transport import MAX_FETCH_WAIT, Channel, Delivery, Subscription
from observability import propagation

BATCH = 64
AGAIN = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=10))
"""Before a reply that could not be taken comes again."""

log = structlog.get_logger(__name__)


class Replies:
    """A reply is acknowledged once its text is in the chat record: from there the driver delivers it."""

    def __init__(self, ports: Ports, drivers: Drivers, subscription: Subscription) -> None:
        self._ports = ports
        self._drivers = drivers
        self._subscription = subscription
        self._log_throttle = LogThrottle()

    async def run(self) -> None:
        """For ever."""
        pauses = self._ports.retrying.pauses(AGAIN)
        while True:
            try:
                deliveries = await self._subscription.fetch(BATCH, MAX_FETCH_WAIT)
            except TransportError as error:
                log.warning("replies.again", error=str(error))
                await self._ports.retrying.clock.sleep(pauses.next(error))
                continue
            pauses.reset()
            for delivery in deliveries:
                await self._settle(delivery)

    async def _settle(self, delivery: Delivery) -> None:
        request_id = delivery.event.subject
        try:
            await self._take(delivery)
        except (MalformedEvent, UnreadableRecord) as error:
            await self._drop(delivery, error)
        except TransportError as error:
            if _is_hopeless(error, delivery.attempt):
                await self._fail(delivery, error)
                return
            log.warning("reply.again", request_id=request_id, error=str(error))
            await self._later(delivery)
        except Exception as error:  # noqa: BLE001 - one bad reply or record must not hold up the others
            log.error("reply.fault", request_id=request_id, attempt=delivery.attempt, error=described(error))
            if delivery.attempt >= UNKNOWN_ATTEMPTS:
                await self._drop(delivery, error)
            else:
                await self._later(delivery)

    async def _fail(self, delivery: Delivery, error: TransportError) -> None:
        """Its question fails at once: with this answer the record will never be stored."""
        now, request_id = self._ports.now(), delivery.event.request_id
        try:
            record = await self._ports.chats.change(
                request_id.chat, lambda record: records.failed(record, str(request_id), INTERNAL, now)
            )
        except Exception:  # noqa: BLE001 - as above; `error` is logged, and the question fails at its deadline
            record = ChatRecord()
        if not _is_about(record, str(request_id)):
            await self._drop(delivery, error)
            return
        log.error("reply.not_stored", request_id=str(request_id), error=described(error))
        self._drivers.wake(request_id.chat)
        with suppress(TransportError):
            await delivery.ack()

    async def _drop(self, delivery: Delivery, error: Exception) -> None:
        """Its question fails at its deadline, if it is still asked. What names no question comes from anybody."""
        if not isinstance(error, MalformedEvent) or self._log_throttle.due("malformed"):
            log.error("reply.dropped", request_id=delivery.event.subject, error=described(error))
        with suppress(TransportError):
            await delivery.discard()

    async def _later(self, delivery: Delivery) -> None:
        """If that can't be told either, it comes again when its lease is over."""
        with suppress(TransportError):
            await delivery.retry(AGAIN.pause(delivery.attempt, self._ports.retrying.random))

    async def _take(self, delivery: Delivery) -> None:
        group = subjects.edge_consumer(self._ports.account)
        with self._ports.telemetry.spans.process(Channel.REPLIES, delivery, group=group):
            request_id = delivery.event.request_id
            settle = partial(_settled, reply=delivery.event, trace=propagation.inject(), ports=self._ports)
            record = await self._ports.chats.change(request_id.chat, settle)
            report(record, delivery.event)
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
            await self._ports.log.erase(channel, request_id)
        log.info("reply.erased", request_id=str(request_id), deleted=deleted)


def _settled(record: ChatRecord, *, reply: Event, trace: dict[str, str], ports: Ports) -> ChatRecord:
    changed = settled(record, reply, ports.now(), formatted=ports.formatted)
    return changed if changed is record else records.traced(changed, trace)


def _is_hopeless(error: TransportError, attempts: int) -> bool:
    return error.fault is Fault.FINAL or (error.fault is Fault.UNKNOWN and attempts >= UNKNOWN_ATTEMPTS)


def _is_about(record: ChatRecord, request_id: str) -> bool:
    return record.current is not None and record.current.request_id == request_id
