"""Take messages, live or fetched, into the chat records, each once."""

from collections.abc import Awaitable, Callable, Set
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from edge.userbot import phrases
from edge.userbot.chat.admission import SILENCE
from edge.userbot.chat.commands import Command
from edge.userbot.chat.deletions import take_deletion, take_deletion_from_bursts, take_edit
from edge.userbot.chat.drafts import close_drafts_of
from edge.userbot.chat.incoming import Deleted, Edited, Incoming, Typing
from edge.userbot.chat.record import ChatRecord, UnreadableRecord
from edge.userbot.chat.transitions import (
    ANSWERED,
    ASKING,
    BY_RULE,
    Decision,
    Effect,
    hear,
    receive,
    receive_and_forget,
    refuse,
    refuse_and_forget,
)
from edge.userbot.chat_tokens import ChatToken
from edge.userbot.driving.driver import ReplyTarget
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.dropped import report_dropped
from edge.userbot.driving.owners_record import change_owners_record
from edge.userbot.driving.ports import Ports
from edge.userbot.error_lines import describe_error
from edge.userbot.intake.lookups import Lookups, NotCountedError, check_counted
from edge.userbot.intake.storing import store_with_retries
from edge.userbot.people import Person
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Transition
from edge.userbot.storage.compare_and_set import ATTEMPTS
from events.errors import TransportError
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.runtime.log_throttle import LogThrottle
from observability import names, propagation

LOGGED_EVERY = 3600.0
"""Seconds between two lines about the same rule in the same chat."""
FETCHED_AGE = timedelta(seconds=2)
"""Messages of this age or older may have been fetched. The records can't be newer than a younger message."""
Decide = Callable[[ChatRecord, Incoming, Rules, datetime], Decision]
ChangeRecord = Callable[[str, Transition[Decision]], Awaitable[Decision]]

log = structlog.get_logger(__name__)


class Intake:
    """Store the effect of each message: `receive` returns once it is stored, or can't be stored for good.

    `rules`: the owner's, as they are now. `names`: the account's current usernames. `clock_offset`: how far this
    machine's clock is ahead of Telegram's.
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
        self._lookups = Lookups(ports, drivers.wake)
        self._log_throttle = LogThrottle(LOGGED_EVERY)

    def _rules_for(self, sender: Person) -> Rules:
        rules = replace(self._owner_rules().for_person(sender), names=self._names())
        # The owner approves nothing for themselves.
        return replace(rules, approve="off") if sender.id == self._ports.owner_chat else rules

    def parse(self, message: Incoming) -> Command | None:
        """Return what a message asks of the account, if its chat's record does not say otherwise."""
        return hear(message, self._rules_for(message.sender), goes_on=self._may_go_on(message))

    def _may_go_on(self, message: Incoming) -> bool:
        """Return whether a message may be one more piece of a burst: its chat has unfinished work then."""
        rules = self._owner_rules()
        return self._drivers.has(message.chat) and bool(rules.triggers or rules.overrides)

    async def receive(self, message: Incoming) -> Effect:
        effect = await self._receive(message)
        # Telegram does not say so, but whoever has sent a message is no longer typing it. TDLib takes it so, too. Only
        # now, as their burst must not be closed while the message is on its way into it.
        self._drivers.note_typing(Typing(message.chat, message.author, stops=True))
        return effect

    async def _receive(self, message: Incoming) -> Effect:
        rules, command = self._rules_for(message.sender), self.parse(message)
        if command is None:
            return Effect.SILENT
        request_id = message.request_id
        with self._ports.telemetry.spans.receive_telegram(request_id):
            locale = rules.only_locale or message.locale
            message = replace(message, command=command, locale=locale, trace=propagation.inject())
            spans = self._ports.telemetry.spans
            with spans.step(names.STORE_QUESTION, request_id, trace=message.trace, since=self._clock.now()):
                effect = await self._store(message)
            write_log = log.info if self._is_worth_a_line(effect, message.chat) else log.debug
            write_log("message.received", chat=message.chat, message=message.message_id, effect=effect)
        self._count(effect, message)
        return effect

    async def receive_edit(self, edit: Edited) -> None:
        """Take a message's new text into the burst of which it is a piece; any other edit changes nothing."""
        if self._drivers.has(edit.chat):
            rules = replace(self._owner_rules(), names=self._names())
            await self._change_burst(edit.chat, lambda record: take_edit(record, edit.message_id, edit.text, rules))

    async def receive_deletion_from_bursts(self, deleted: Deleted) -> None:
        """Leave deleted messages out of the bursts of which they are pieces."""
        for chat in self._drivers.chats():
            token = ChatToken.parse(chat)
            numbers_them = token.without_topic if token.is_supergroup else None
            if numbers_them == deleted.group:
                await self._change_burst(chat, lambda record: take_deletion_from_bursts(record, deleted.message_ids))

    async def _change_burst(self, chat: str, transition: Transition[Decision]) -> None:
        try:
            decision = await self._ports.retrying(
                partial(self._ports.chats.change, chat, transition),
                passing=lambda error: isinstance(error, TransportError) and error.fault is Fault.PASSING,
            )
        except Exception as error:  # noqa: BLE001 - the burst is then asked as it was
            log.warning("message.change_dropped", chat=chat, error=describe_error(error))
            return
        report_dropped(self._ports, chat, decision.dropped, decision.effect)
        self._drivers.wake(chat)

    async def receive_deletion(self, chat: str, message_ids: Set[int]) -> None:
        """Drop the questions among these messages, which were deleted. Raises TransportError."""
        try:
            decision = await self._ports.chats.change(chat, lambda record: take_deletion(record, message_ids))
        except UnreadableRecord as error:
            self._ports.chats.unreadable.note(chat, error)
            return
        report_dropped(self._ports, chat, decision.dropped, decision.effect)
        self._drivers.wake(chat)

    def _is_worth_a_line(self, effect: Effect, chat: str) -> bool:
        """Return whether to log an effect. Somebody who gets no answer may write as much as they like."""
        if effect in BY_RULE - {Effect.TOO_MANY, Effect.SILENCED}:
            return self._log_throttle.due(f"{chat} {effect}")
        return effect not in (Effect.SILENCED, Effect.SILENT)

    def _count(self, effect: Effect, message: Incoming) -> None:
        metrics = self._ports.telemetry.metrics
        if effect is Effect.IGNORED_BUSY:
            metrics.count_busy_ignored()
        elif effect in BY_RULE:
            metrics.count_silenced(effect)
        if effect is Effect.TOO_MANY:
            seconds = SILENCE.total_seconds()
            limit = self._rules_for(message.sender).max_answers
            log.warning("chat.too_many", chat=message.chat, limit=limit, silent_for=seconds)

    async def _store(self, message: Incoming) -> Effect:
        """Store the effect. If the record gets too large, drop its history; as a last resort refuse the question."""
        fallbacks: list[Decide] = [partial(refuse, reason=phrases.INTERNAL), refuse_and_forget]
        try:
            return await self._take(message)
        except Exception as error:  # noqa: BLE001 - one bad message or record must not hold up the others
            log.error("message.not_stored", chat=message.chat, message=message.message_id, error=describe_error(error))
            if _is_final(error):
                fallbacks[:1] = [receive_and_forget, partial(refuse, reason=phrases.TOO_LARGE)]
        for decide in fallbacks:
            try:
                return await self._decide_with_retries(decide, message, attempts=1)
            except Exception as error:  # noqa: BLE001 - as above
                last = describe_error(error)
        log.error("message.dropped", chat=message.chat, message=message.message_id, error=last)
        return Effect.SILENT

    async def _take(self, message: Incoming) -> Effect:
        try:
            return await self._decide_with_retries(receive, message, attempts=UNKNOWN_ATTEMPTS)
        except UnreadableRecord as error:
            return await self._take_unreadable(message, error)

    async def _take_unreadable(self, message: Incoming, error: UnreadableRecord) -> Effect:
        """Take a message of a chat whose record can't be read, which `/delete_history` alone changes."""
        chats = self._ports.chats
        chats.unreadable.note(message.chat, error)
        effect = await self._decide_with_retries(receive, message, attempts=UNKNOWN_ATTEMPTS, change=_change_nothing)
        if effect in (Effect.DELETED, Effect.DELETED_SILENTLY):
            return await self._decide_with_retries(
                receive, message, attempts=UNKNOWN_ATTEMPTS, change=self._start_afresh
            )
        if effect in {Effect.TOO_OLD, Effect.SILENT, Effect.DOUBTFUL, *BY_RULE}:
            return effect
        rules = self._rules_for(message.sender)
        reply_target = ReplyTarget(message.message_id, phrases.language(message.locale, rules.locale))
        self._drivers.wake(message.chat, reply_target=reply_target)
        return Effect.UNREADABLE

    async def _start_afresh(self, chat: str, transition: Transition[Decision]) -> Decision:
        """Start a chat afresh. First close its drafts, as its new record knows of none."""
        await change_owners_record(self._ports, self._drivers.wake, partial(close_drafts_of, chat=chat))
        return await self._ports.chats.start_afresh(chat, transition)

    async def _decide_with_retries(
        self, decide: Decide, message: Incoming, *, attempts: int, change: ChangeRecord | None = None
    ) -> Effect:
        """Store what `decide` returns. Retry while the store is away; after unknown faults, up to `attempts` times."""
        change = change or self._ports.chats.change
        decision = await store_with_retries(
            partial(self._change, decide, message, change), message, self._ports.retrying, attempts=attempts
        )
        self._drivers.wake(message.chat)
        return decision.effect

    async def _change(self, decide: Decide, message: Incoming, change: ChangeRecord) -> Decision:
        rules = await self._lookups.with_policy(self._rules_for(message.sender))
        message = await self._lookups.with_first_writer(self._in_local_time(message), rules)
        message = await self._marked_if_answered(message, rules)
        if change is _change_nothing:
            return await change(message.chat, lambda record: decide(record, message, rules, self._clock.now()))
        for _ in range(ATTEMPTS):
            rules = await self._lookups.with_place(message, rules)
            # Once a place is taken, `rules` has it. If not, the record, or the day, is another one by now.
            with suppress(NotCountedError):
                return await change(message.chat, partial(self._decide_counted, decide, message, rules))
        changed = f"record of chat {message.chat} was changed by somebody else"
        raise TransportError(f"{changed}, {ATTEMPTS} times in a row; is there another userbot?")

    def _decide_counted(self, decide: Decide, message: Incoming, rules: Rules, record: ChatRecord) -> Decision:
        decision = decide(record, message, rules, self._clock.now())
        check_counted(decision.effect, message, rules)
        return decision

    def _in_local_time(self, message: Incoming) -> Incoming:
        """Return `message` with its date by this machine's clock, by which its age is measured."""
        return replace(message, date=message.date + self._clock_offset())

    async def _marked_if_answered(self, message: Incoming, rules: Rules) -> Incoming:
        """Return `message` with whether it was answered or may have been. Telegram's dates are in whole seconds."""
        if self._clock.now() - message.date < FETCHED_AGE:
            return message
        chats = self._ports.chats
        if message.date < (await chats.created_at()).replace(microsecond=0):
            return replace(message, doubtful=True)
        restored_at = await chats.restored_at()
        if message.date >= restored_at.replace(microsecond=0):
            return message
        message = replace(message, before_restore=True)
        if self._ports.is_asked_again(message.chat, message.date, restored_at):
            return message
        record = await self._lookups.record(message.chat)
        known = receive(record, message, rules, self._clock.now()).effect if record else None
        if known not in ANSWERED | ASKING | {Effect.IGNORED_BUSY}:
            return message
        answered = await self._lookups.was_answered(message)
        return replace(message, answered=bool(answered), doubtful=answered is None)


async def _change_nothing(chat: str, transition: Transition[Decision]) -> Decision:
    """Return what `transition` would do in a chat that never wrote."""
    return transition(ChatRecord())


def _is_final(error: Exception) -> bool:
    return isinstance(error, TransportError) and error.fault is Fault.FINAL
