"""Look up what the owner's rules ask of a message besides its chat's record."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from edge.userbot import phrases
from edge.userbot.chat.admission import day_of
from edge.userbot.chat.commands import Ask, AskHint, Collect
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.policy import count_answer
from edge.userbot.chat.record import ChatRecord, UnreadableRecord
from edge.userbot.chat.transitions import Effect, receive
from edge.userbot.chat_tokens import is_group
from edge.userbot.driving.flood import FloodGuard
from edge.userbot.driving.messenger import MessengerError, Undeliverable
from edge.userbot.driving.ports import Ports
from edge.userbot.people import WROTE_FIRST
from edge.userbot.rules import Rules

LOOK_PAUSE = timedelta(seconds=30)
"""Pause after a look into a chat has failed."""
COUNTED = {Effect.ASKED, Effect.QUEUED, Effect.JOINED, Effect.COLLECTING, Effect.HINTED}

log = structlog.get_logger(__name__)


class NotCountedError(Exception):
    """A record has changed since it was looked at: now the answer is one of the day's in all chats."""


class Lookups:
    """`wake`: have a chat's record looked at. Every method raises TransportError while the store is away."""

    def __init__(self, ports: Ports, wake: Callable[[str], None]) -> None:
        self._ports = ports
        self._flood_guard = FloodGuard(ports, wake)
        self._clock = ports.retrying.clock
        self._look_again_at = float("-inf")

    async def record(self, chat: str) -> ChatRecord | None:
        """Return the record of a chat, None if it can't be read."""
        try:
            return await self._ports.chats.load(chat)
        except UnreadableRecord:
            return None

    async def with_policy(self, rules: Rules) -> Rules:
        """Return `rules` with what the owner has decided by commands.

        If a process has died after it had paused everything for a flood and before it told the owner, that is done now.
        """
        policy = await self._ports.chats.policy.load()
        await self._flood_guard.tell_owner(policy)
        return replace(rules, policy=policy)

    async def with_first_writer(self, message: Incoming, rules: Rules) -> Incoming:
        """Return `message` with whether its sender wrote first, if a list asks for that and the record lacks it."""
        if message.sender.wrote_first is not None or not _asks_who_wrote_first(rules):
            return message
        record = await self.record(message.chat)
        if record and record.wrote_first is not None:
            return message
        wrote_first = await self._wrote_first(message.chat)
        return replace(message, sender=replace(message.sender, wrote_first=wrote_first))

    async def _wrote_first(self, chat: str) -> bool | None:
        """Return whether the other person wrote first, None if that can't be found out now."""
        if is_group(chat):
            return False  # in a group nobody has written to the owner
        return await self._look(chat, lambda: self._ports.messenger.wrote_first(chat))

    async def was_answered(self, message: Incoming) -> bool | None:
        """Return whether the chat shows that `message` was answered, None if that can't be found out now."""
        lines = phrases.thinking_lines()
        return await self._look(
            message.chat,
            lambda: self._ports.messenger.has_outcome(message.chat, message.message_id, thinking=lines),
        )

    async def _look(self, chat: str, look: Callable[[], Awaitable[bool | None]]) -> bool | None:
        """Return what `look` finds in the chat, None if it fails, or one has failed a moment ago."""
        if self._clock.monotonic() < self._look_again_at:
            return None
        try:
            return await look()
        except MessengerError as error:
            # The next messages need not wait.
            self._look_again_at = self._clock.monotonic() + LOOK_PAUSE.total_seconds()
            log.warning("chat.not_looked_into", chat=chat, error=str(error))
        except Undeliverable as error:
            log.warning("chat.not_looked_into", chat=chat, error=str(error))
        return None

    async def with_place(self, message: Incoming, rules: Rules) -> Rules:
        """Return `rules` with the answer to `message` counted in the day of all chats, if that is limited.

        It is counted before the question is stored, and once for each request, so that a crash in between neither
        loses nor repeats it.
        """
        limit = rules.max_answers_per_day_for_all
        if not limit or not isinstance(message.command, Ask | AskHint | Collect):
            return rules
        now, record = self._clock.now(), await self.record(message.chat)
        if record is None or receive(record, message, rules, now).effect not in COUNTED:
            return rules
        day, request_id, store = day_of(rules, now), str(message.request_id), self._ports.chats.policy
        try:
            policy = await store.change(lambda policy: count_answer(policy, request_id, day, limit))
        except UnreadableRecord:
            policy = await store.load()
        return replace(rules, policy=policy)


def check_counted(effect: Effect, message: Incoming, rules: Rules) -> None:
    """Raise NotCountedError if `effect` takes one of the day's answers in all chats, and `message` has none of them."""
    counts = rules.max_answers_per_day_for_all and effect in COUNTED
    if counts and str(message.request_id) not in rules.policy.counted:
        raise NotCountedError


def _asks_who_wrote_first(rules: Rules) -> bool:
    lists = (rules.allow.entries, rules.deny.entries, rules.policy.allowed, rules.policy.denied)
    approve = rules.approve == "listed" and WROTE_FIRST in rules.approve_list.entries
    return approve or any(WROTE_FIRST in entries for entries in lists)
