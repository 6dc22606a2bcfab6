"""Carry out the owner's orders: change chat records and the policy, and return the line that answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog

from edge.userbot.chat import policy as policies
from edge.userbot.chat.record import ChatRecord, Order, UnreadableRecord
from edge.userbot.chat.transitions import Decision
from edge.userbot.driving.dropped import report_dropped
from edge.userbot.driving.messenger import MessengerError
from edge.userbot.driving.ports import Departure, Ports
from edge.userbot.owner import changes, phrases, reports
from edge.userbot.owner.orders import (
    ALL,
    Allow,
    Cancel,
    Deny,
    Disconnect,
    Help,
    Limits,
    Misused,
    Pause,
    Queue,
    Resume,
    Status,
    Unknown,
    parse_order,
)
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Transition
from edge.userbot.storage.policy import Transition as PolicyTransition
from events.runtime.tasks import for_each
from events.version import own_version

CONCURRENT_CHANGES = 16
"""Records that one order reads or changes concurrently."""

log = structlog.get_logger(__name__)


class Orders:
    """The part of the owner's chat's `Performer` for their orders. `wake`: have another chat's record looked at.

    An order is carried out again if the process dies before its answer is stored. Every method raises TransportError
    while the store is away.
    """

    def __init__(self, ports: Ports, wake: Callable[[str], None]) -> None:
        self._ports = ports
        self._chats = ports.chats
        self._clock = ports.retrying.clock
        self._wake = wake

    async def carry_out(self, order: Order) -> str:
        """Carry out `order`, and return the line that answers it."""
        rules = replace(self._ports.rules(), policy=await self._chats.policy.load())
        parsed, departure = parse_order(order.text), self._ports.departure
        log.info("order.taken_up", message=order.message_id, order=type(parsed).__name__)
        match parsed:
            case Disconnect() if departure:
                return await self._disconnect(departure, order, rules.locale)
            case Help() | Misused() | Unknown() | Disconnect() | None:
                return phrases.how_to_order(rules.locale, parsed, may_leave=departure is not None)
            case Status() | Queue() | Limits():
                return await self._report(parsed, rules)
            case Allow(who) | Deny(who):
                return await self._change_lists(parsed, order, rules) if who else reports.people(rules)
            case Pause() | Resume() | Cancel() if parsed.chat == ALL:
                return await self._change_all(parsed, order, rules)
            case Pause() | Resume() | Cancel():
                return await self._change_chat(parsed, order, rules)

    async def _disconnect(self, departure: Departure, order: Order, locale: str) -> str:
        if not await departure.leave(order.date):
            return phrases.connected_again(locale)
        # Their thinking lines are withdrawn before the records are gone.
        await self._in_all(lambda chat: self._drop(chat, changes.cancel_everything))
        return phrases.disconnected(locale)

    async def _report(self, parsed: Status | Queue | Limits, rules: Rules) -> str:
        now = self._clock.now()
        match parsed:
            case Status():
                records = await self._noteworthy(rules)
                return reports.status(records, rules, now, version=own_version() or "")
            case Queue():
                return reports.queue(await self._unfinished(), rules)
            case Limits():
                return reports.limits(rules, now)

    async def _change_lists(self, parsed: Allow | Deny, order: Order, rules: Rules) -> str:
        locale, who, by = rules.locale, parsed.who, order.message_id
        change = changes.allow if isinstance(parsed, Allow) else changes.deny
        policy = await self._change_policy(lambda policy: change(policy, who, by))
        if policy is None:
            return phrases.unreadable_policy(locale)
        if any(policies.is_overruled(policy, entry, by) for entry in who):
            return reports.people(replace(rules, policy=policy))
        taken_in = policy.allowed if isinstance(parsed, Allow) else policy.denied
        if not set(who) <= set(taken_in):
            return phrases.full(locale)
        return phrases.allowed(locale, who) if isinstance(parsed, Allow) else phrases.denied(locale, who)

    async def _change_all(self, parsed: Pause | Resume | Cancel, order: Order, rules: Rules) -> str:
        locale, now = rules.locale, self._clock.now()
        match parsed:
            case Pause():
                end = changes.end_of(parsed, order)
                policy = await self._change_policy(lambda policy: policies.pause(policy, order.date, end, now))
                if policy is None:
                    return phrases.unreadable_policy(locale)
                return self._paused(ALL, policy.paused_until, order, rules)
            case Resume():
                await self._chats.policy.start_afresh(lambda policy: changes.resume_all(policy, order, now))
                return phrases.resumed(locale, ALL)
            case Cancel():
                await self._in_all(lambda chat: self._cancel(chat, order))
                return phrases.cancelled(locale, ALL)

    async def _in_all(self, change: Callable[[str], Awaitable[None]]) -> None:
        chats = await self._chats.index.chats()
        await for_each(chats, partial(self._if_readable, change), at_once=CONCURRENT_CHANGES)

    async def _change_policy(self, change: PolicyTransition) -> policies.Policy | None:
        """Return the changed policy, None if it can't be read."""
        try:
            return await self._chats.policy.change(change)
        except UnreadableRecord:
            return None

    async def _if_readable(self, change: Callable[[str], Awaitable[None]], chat: str) -> None:
        try:
            await change(chat)
        except UnreadableRecord as error:
            self._chats.unreadable.note(chat, error)

    async def _change_chat(self, parsed: Pause | Resume | Cancel, order: Order, rules: Rules) -> str:
        """Change the record of the chat that the order names."""
        locale, name = rules.locale, parsed.chat
        try:
            chat = await self._ports.messenger.find_chat(name) if name.startswith("@") else name
            if chat is None:
                return phrases.no_such_chat(locale, name)
            return await self._change_found(parsed, chat, order, rules)
        except MessengerError:
            return phrases.not_now(locale, name)
        except UnreadableRecord:
            return phrases.unreadable_chat(locale, name)

    async def _change_found(self, parsed: Pause | Resume | Cancel, chat: str, order: Order, rules: Rules) -> str:
        locale, now = rules.locale, self._clock.now()
        match parsed:
            case Pause(name):
                end = changes.end_of(parsed, order)
                record = await self._change(chat, lambda record: changes.pause_chat(record, order.date, end, now))
                return self._paused(name, record.paused_until, order, rules)
            case Resume(name):
                await self._change(chat, lambda record: changes.resume_chat(record, order, now))
                is_paused = policies.is_paused(rules.policy, now)
                return phrases.resumed(locale, name, still_paused=is_paused)
            case Cancel(name):
                await self._cancel(chat, order)
                return phrases.cancelled(locale, name)

    def _paused(self, chat: str, until: datetime | None, order: Order, rules: Rules) -> str:
        """Return until when `chat`, or ALL, is paused; None if the owner resumed it after the order."""
        if until is None:
            return phrases.resumed(rules.locale, chat, still_paused=False)
        end = phrases.until(rules.locale, until, since=order.date, zone=rules.time_zone)
        return phrases.paused(rules.locale, chat, end)

    async def _cancel(self, chat: str, order: Order) -> None:
        together = self._ports.are_numbered_together(chat)
        await self._drop(chat, lambda record: changes.cancel(record, order, numbered_together=together))

    async def _drop(self, chat: str, drop: Callable[[ChatRecord], Decision]) -> None:
        decision = await self._chats.change(chat, drop)
        report_dropped(self._ports, chat, decision.dropped, decision.effect)
        self._wake(chat)

    async def _change(self, chat: str, change: Transition[ChatRecord]) -> ChatRecord:
        record = await self._chats.change(chat, change)
        self._wake(chat)
        return record

    async def _unfinished(self) -> Mapping[str, ChatRecord]:
        """Return the records of chats with questions, by chat."""
        found: dict[str, ChatRecord] = {}

        async def look_at(chat: str) -> None:
            try:
                found[chat] = await self._chats.load(chat)
            except UnreadableRecord as error:
                self._chats.unreadable.note(chat, error)

        await for_each(await self._chats.index.chats(), look_at, at_once=CONCURRENT_CHANGES)
        return found

    async def _noteworthy(self, rules: Rules) -> Mapping[str, ChatRecord]:
        """Return the records, without their histories, of which there is something to say."""
        found: dict[str, ChatRecord] = {}

        async def look_at(chat: str, record: ChatRecord) -> None:
            if reports.noteworthy(record, rules, self._clock.now()):
                found[chat] = record.having(history=(), seen=())

        await self._chats.each_record(look_at)
        return found
