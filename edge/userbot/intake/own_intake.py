"""Take the messages that were sent from the account itself into the chat records: the owner's, and ours."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import structlog

from edge.userbot.chat.incoming import OwnMessage
from edge.userbot.chat.owner_turn import take_own
from edge.userbot.chat.record import Question, UnreadableRecord
from edge.userbot.chat.transitions import Decision, Effect
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.ports import Ports
from edge.userbot.error_lines import describe_error
from edge.userbot.intake.storing import store_with_retries
from edge.userbot.rules import Rules
from events.faults import UNKNOWN_ATTEMPTS
from events.ids import RequestId
from observability import names

log = structlog.get_logger(__name__)


class OwnIntake:
    """Store the effect of each message: `receive` returns once it is stored, or can't be stored for good.

    `clock_offset`: how far this machine's clock is ahead of Telegram's.
    """

    def __init__(
        self,
        ports: Ports,
        drivers: Drivers,
        rules: Callable[[], Rules],
        *,
        clock_offset: Callable[[], timedelta] = timedelta,
    ) -> None:
        self._ports = ports
        self._clock = ports.retrying.clock
        self._drivers = drivers
        self._rules = rules
        self._clock_offset = clock_offset

    async def receive(self, message: OwnMessage) -> Effect:
        if not self._rules().owner_pause or self._ports.owner_chat != message.account:
            return Effect.SILENT  # a bot's messages are all ours
        message = replace(message, date=message.date + self._clock_offset())
        try:
            decision = await store_with_retries(
                partial(self._take, message), message, self._ports.retrying, attempts=UNKNOWN_ATTEMPTS
            )
        except UnreadableRecord as error:
            self._ports.chats.unreadable.note(message.chat, error)
            return Effect.UNREADABLE
        except Exception as error:  # noqa: BLE001 - one bad message or record must not hold up the others
            log.error("message.dropped", chat=message.chat, message=message.message_id, error=describe_error(error))
            return Effect.SILENT
        self._report(message, decision)
        return decision.effect

    async def _take(self, message: OwnMessage) -> Decision:
        chats, rules = self._ports.chats, self._rules()
        if await self._is_from_before_the_records(message):
            return Decision(await chats.load(message.chat), Effect.TOO_OLD)
        decision = await chats.change(message.chat, lambda record: take_own(record, message, rules, self._clock.now()))
        self._drivers.wake(message.chat)
        return decision

    async def _is_from_before_the_records(self, message: OwnMessage) -> bool:
        """Return whether it may be one of ours that the records, lost or restored since, do not know."""
        chats = self._ports.chats
        # Telegram's dates are in whole seconds. In doubt it is ours: an owner's message lost costs one pause.
        return message.date < max(await chats.created_at(), await chats.restored_at())

    def _report(self, message: OwnMessage, decision: Decision) -> None:
        if decision.effect in (Effect.OWN, Effect.TOO_OLD):
            return
        log.info("message.received", chat=message.chat, message=message.message_id, effect=decision.effect)
        for question in decision.dropped:
            self._report_dropped(message, question, decision.effect)

    def _report_dropped(self, message: OwnMessage, question: Question, effect: Effect) -> None:
        """End the question's trace, and count it."""
        now, telemetry = self._clock.now(), self._ports.telemetry
        request_id = RequestId(message.account, message.chat, str(question.message_id), question.revision)
        with telemetry.spans.step(names.DROP_QUESTION, request_id, trace=question.trace, since=now):
            telemetry.metrics.record_finished(now - question.asked_at, str(effect))
        log.info("question.settled", request_id=str(request_id), outcome=str(effect))
