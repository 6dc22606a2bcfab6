"""Take replies into the chat records: keep the first outcome of a current question, erase all others."""

from contextlib import suppress
from datetime import timedelta

import structlog

from edge.userbot.chat.question_progress import (
    MALFORMED,
    apply_reply,
    continue_trace,
    current_question,
    record_failure,
)
from edge.userbot.chat.record import ChatRecord, UnreadableRecord
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.performer import log_malformed
from edge.userbot.driving.ports import Ports
from edge.userbot.error_lines import describe_error
from edge.userbot.phrases import INTERNAL
from events import subjects
from events.errors import MalformedEvent, TransportError
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.ids import RequestId
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Backoff
from events.transport import MAX_FETCH_WAIT, Channel, Delivery, Subscription
from observability import propagation

BATCH = 64
RETRY_PAUSES = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=10))
"""Pauses before a reply that could not be stored is delivered again."""

log = structlog.get_logger(__name__)


class Replies:
    """Acknowledges each reply once its text is in the chat record, from which the driver sends it."""

    def __init__(self, ports: Ports, drivers: Drivers, subscription: Subscription) -> None:
        self._ports = ports
        self._clock = ports.retrying.clock
        self._drivers = drivers
        self._subscription = subscription
        self._group = subjects.edge_consumer(ports.account)
        self._log_throttle = LogThrottle()

    async def run(self) -> None:
        """Run until cancelled."""
        pauses = self._ports.retrying.pauses(RETRY_PAUSES)
        while True:
            try:
                deliveries = await self._subscription.fetch(BATCH, MAX_FETCH_WAIT)
            except TransportError as error:
                log.warning("replies.again", error=str(error))
                await self._clock.sleep(pauses.next(error))
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
            if _is_final(error, delivery.attempt):
                await self._fail(delivery, error)
                return
            log.warning("reply.again", request_id=request_id, error=str(error))
            await self._retry_later(delivery)
        except Exception as error:  # noqa: BLE001 - one bad reply or record must not hold up the others
            log.error("reply.fault", request_id=request_id, attempt=delivery.attempt, error=describe_error(error))
            if delivery.attempt >= UNKNOWN_ATTEMPTS:
                await self._drop(delivery, error)
            else:
                await self._retry_later(delivery)

    async def _fail(self, delivery: Delivery, error: TransportError) -> None:
        """Fail the question at once: the store refuses its record with this answer for good."""
        now, request_id = self._clock.now(), delivery.event.request_id
        try:
            record = await self._ports.chats.change(
                request_id.chat, lambda record: record_failure(record, str(request_id), INTERNAL, now)
            )
        except Exception:  # noqa: BLE001 - as above; `error` is logged, and the question fails at its deadline
            record = ChatRecord()
        if not current_question(record, str(request_id)):
            await self._drop(delivery, error)
            return
        log.error("reply.not_stored", request_id=str(request_id), error=describe_error(error))
        self._drivers.wake(request_id.chat)
        with suppress(TransportError):
            await delivery.ack()

    async def _drop(self, delivery: Delivery, error: Exception) -> None:
        """Discard the reply. If its question is current, it fails at its deadline.

        Malformed replies, which anyone may publish, are logged only from time to time.
        """
        if not isinstance(error, MalformedEvent) or self._log_throttle.due("malformed"):
            log.error("reply.dropped", request_id=delivery.event.subject, error=describe_error(error))
        with suppress(TransportError):
            await delivery.discard()

    async def _retry_later(self, delivery: Delivery) -> None:
        """Ask for another delivery. If that fails too, there is one when the lease ends."""
        with suppress(TransportError):
            await delivery.retry(RETRY_PAUSES.pause(delivery.attempt, self._ports.retrying.random))

    async def _take(self, delivery: Delivery) -> None:
        with self._ports.telemetry.spans.process(Channel.REPLIES, delivery, group=self._group):
            request_id = delivery.event.request_id
            trace = propagation.inject()

            def transition(record: ChatRecord) -> ChatRecord:
                changed = apply_reply(record, delivery.event, self._clock.now(), formatted=self._ports.formatted)
                return changed if changed is record else continue_trace(changed, trace)

            record = await self._ports.chats.change(request_id.chat, transition)
            if current := current_question(record, str(request_id)):
                if current.outcome == MALFORMED:
                    log_malformed(delivery.event)
                self._drivers.wake(request_id.chat)
            else:
                await self._erase(request_id, record)
            await delivery.ack()

    async def _erase(self, request_id: RequestId, record: ChatRecord) -> None:
        """Erase a reply that is late, cancelled or deleted: its text must not stay.

        After `/delete_history` erase the earlier questions' events from all channels, dead letters included, and those
        of all questions to a person who has left.
        """
        departure = self._ports.departure
        deleted = request_id.is_up_to(record.deleted_to) or (departure is not None and departure.has_left)
        for channel in Channel if deleted else (Channel.REPLIES,):
            await self._ports.log.erase(channel, request_id)
        log.info("reply.erased", request_id=str(request_id), deleted=deleted)


def _is_final(error: TransportError, attempts: int) -> bool:
    return error.fault is Fault.FINAL or (error.fault is Fault.UNKNOWN and attempts >= UNKNOWN_ATTEMPTS)
