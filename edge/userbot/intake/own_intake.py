"""Take the owner's messages into the chat records: those sent from the account itself, among ours, and their orders."""

from collections.abc import Callable, Set
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from edge.userbot.chat.commands import DeleteHistory, Help, parse
from edge.userbot.chat.drafts import may_answer_draft, may_answer_lost_draft
from edge.userbot.chat.incoming import Incoming, OwnMessage, Press
from edge.userbot.chat.owner_turn import take_own
from edge.userbot.chat.record import ChatRecord, UnreadableRecord
from edge.userbot.chat.transitions import Decision, Effect
from edge.userbot.driving.driver import ReplyTarget
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.dropped import report_dropped
from edge.userbot.driving.ports import Ports
from edge.userbot.error_lines import describe_error
from edge.userbot.intake.storing import store_with_retries
from edge.userbot.owner.orders import parse_order
from edge.userbot.owner.receiving import DATE_STEP, receive_order_to_bot, start_afresh, take_in_own_chat
from edge.userbot.rules import Rules
from events.faults import UNKNOWN_ATTEMPTS

Decide = Callable[[ChatRecord, OwnMessage, Rules, datetime], Decision]

log = structlog.get_logger(__name__)


class OwnIntake:
    """Store the effect of each message: every method returns once it is stored, or can't be stored for good.

    `names`: the account's current usernames. `clock_offset`: how far this machine's clock is ahead of Telegram's.
    """

    def __init__(
        self,
        ports: Ports,
        drivers: Drivers,
        rules: Callable[[], Rules],
        *,
        names: Callable[[], Set[str]] = frozenset,
        clock_offset: Callable[[], timedelta] = timedelta,
    ) -> None:
        self._ports = ports
        self._clock = ports.retrying.clock
        self._drivers = drivers
        self._owner_rules = rules
        self._names = names
        self._clock_offset = clock_offset

    @property
    def _rules(self) -> Rules:
        return replace(self._owner_rules(), names=self._names())

    async def receive(self, message: OwnMessage) -> Effect:
        if self._ports.owner_chat != message.account:
            return Effect.SILENT  # a bot's messages are all ours
        if message.chat == self._ports.owner_chat:
            return await self._receive(message, take_in_own_chat)
        return await self._receive(message, take_own) if self._matters(message) else Effect.SILENT

    def _matters(self, message: OwnMessage) -> bool:
        """Return whether a message may change its chat's record: a group that is not answered gets none."""
        rules = self._rules
        if not rules.answers_in(message.chat) and not self._drivers.has(message.chat):
            return False
        # That one of ours is in the chat matters in any case.
        return message.is_ours or bool(rules.owner_pause)

    async def receive_from_owner(self, message: Incoming) -> Effect:
        """Take in a message to a bot if it is an order or decision of its owner's; if not, return Effect.SILENT."""
        account, chat, rules = message.account, message.chat, self._rules
        if chat != self._ports.owner_chat or account == chat or message.forwarded:
            return Effect.SILENT
        is_for_all = not isinstance(parse(message.text, rules.prefix, rules.names), Help | None)
        if is_for_all and not await self._may_answer_draft(message):
            return Effect.SILENT
        order = OwnMessage(account, chat, message.message_id, message.text, message.date, message.reply_to)
        return await self._receive(order, receive_order_to_bot)

    async def receive_press(self, press: Press) -> Effect:
        """Take in a press of a draft's button as the reply that it stands for, once for each message.

        Any app can press what was never shown: only what the owner presses counts.
        """
        account, chat = self._ports.account, press.chat
        if chat != self._ports.owner_chat or not self._ports.by_bot:
            return Effect.SILENT
        date, shown = self._clock.now() - self._clock_offset(), press.message_id
        order = OwnMessage(account, chat, shown, press.data, date, reply_to=shown)
        return await self._receive(order, receive_order_to_bot)

    async def _may_answer_draft(self, message: Incoming) -> bool:
        if message.reply_to is None:
            return False
        try:
            record = await store_with_retries(
                partial(self._ports.chats.load, message.chat), message, self._ports.retrying, attempts=UNKNOWN_ATTEMPTS
            )
        except Exception as error:  # noqa: BLE001 - the message is then taken as everyone's is
            log.warning("message.not_compared", chat=message.chat, error=describe_error(error))
            return False
        return may_answer_draft(record, message.reply_to) or may_answer_lost_draft(record, message.reply_to)

    async def _receive(self, message: OwnMessage, decide: Decide) -> Effect:
        message = replace(message, date=message.date + self._clock_offset())
        try:
            decision = await store_with_retries(
                partial(self._take, message, decide), message, self._ports.retrying, attempts=UNKNOWN_ATTEMPTS
            )
        except Exception as error:  # noqa: BLE001 - one bad message or record must not hold up the others
            log.error("message.dropped", chat=message.chat, message=message.message_id, error=describe_error(error))
            return Effect.SILENT
        self._report(message, decision)
        return decision.effect

    async def _take(self, message: OwnMessage, decide: Decide) -> Decision:
        chats, rules = self._ports.chats, self._rules
        if await self._is_from_before_the_records(message):
            return Decision(ChatRecord(), Effect.TOO_OLD)
        try:
            decision = await chats.change(
                message.chat, lambda record: decide(record, message, rules, self._clock.now())
            )
        except UnreadableRecord as error:
            chats.unreadable.note(message.chat, error)
            return await self._take_unreadable(message, rules)
        self._drivers.wake(message.chat)
        return decision

    async def _take_unreadable(self, message: OwnMessage, rules: Rules) -> Decision:
        """If it is the owner's chat whose record can't be read, say so; `/delete_history` starts it afresh."""
        decision = Decision(ChatRecord(), Effect.UNREADABLE)
        if message.chat != self._ports.owner_chat or parse_order(message.text, rules.names) is None:
            return decision
        if isinstance(parse(message.text, names=rules.names), DeleteHistory):
            chats = self._ports.chats
            decision = await chats.start_afresh(message.chat, lambda record: start_afresh(record, message, rules))
        self._drivers.wake(message.chat, reply_target=ReplyTarget(message.message_id, rules.locale))
        return decision

    async def _is_from_before_the_records(self, message: OwnMessage) -> bool:
        """Return whether it may be one of ours that the records, lost or restored since, do not know."""
        chats = self._ports.chats
        # In doubt it is ours: an owner's message lost costs one pause. But none of ours could be taken for an order.
        in_doubt = message.chat != self._ports.owner_chat
        latest = message.date if in_doubt else message.date + DATE_STEP
        began = max(await chats.created_at(), await chats.restored_at())
        # If they began in the future, the clock was set back since: nothing can be told from that.
        return latest < began <= self._clock.now()

    def _report(self, message: OwnMessage, decision: Decision) -> None:
        if decision.effect in (Effect.OWN, Effect.TOO_OLD, Effect.SILENT, Effect.DUPLICATE):
            return
        log.info("message.received", chat=message.chat, message=message.message_id, effect=decision.effect)
        report_dropped(self._ports, message.chat, decision.dropped, decision.effect)
