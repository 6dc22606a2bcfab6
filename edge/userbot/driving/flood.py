"""Pause everything once Telegram considers the account a spammer, and tell the owner."""

from collections.abc import Callable
from datetime import datetime

import structlog

from edge.userbot import phrases
from edge.userbot.chat.policy import Policy, pause_for_flood, tell_owner, untold_flood
from edge.userbot.chat.record import NO_MESSAGE, Notice, UnreadableRecord
from edge.userbot.driving.notices import add_own_notice
from edge.userbot.driving.ports import Ports

log = structlog.get_logger(__name__)


class FloodGuard:
    """`wake`: have another chat's record looked at. Every method raises TransportError while the store is away.

    The pause is stored before the owner's notice and states whether the owner was told, so that a process that dies in
    between leaves that to the next. The notice has the same key and text each time, so it is sent once.
    """

    def __init__(self, ports: Ports, wake: Callable[[str], None]) -> None:
        self._ports = ports
        self._wake = wake

    async def pause_everything(self) -> None:
        """Pause all chats, unless they are paused for a flood already, and tell the owner."""
        now = self._ports.retrying.clock.now()
        try:
            policy = await self._ports.chats.policy.change(lambda policy: pause_for_flood(policy, now))
        except UnreadableRecord:
            return  # all chats are paused for that
        await self.tell_owner(policy)

    async def tell_owner(self, policy: Policy) -> None:
        """Tell the owner of a pause for a flood, unless they know."""
        until = untold_flood(policy)
        if until is None:
            return
        log.error("telegram.flooded", paused_until=until.isoformat(), error="PEER_FLOOD: all chats are paused")
        if self._ports.owner_chat:
            await self._add_notice(self._ports.owner_chat, until)
        try:
            await self._ports.chats.policy.change(lambda policy: tell_owner(policy, until))
        except UnreadableRecord:
            return

    async def _add_notice(self, chat: str, until: datetime) -> None:
        rules = self._ports.rules()
        text = phrases.flooded(rules.locale, until.astimezone(rules.time_zone))
        notice = Notice(message_id=NO_MESSAGE, text=text, key=f"flood-{until:%Y%m%dT%H%M%S}")
        await add_own_notice(self._ports, self._wake, chat, notice)
