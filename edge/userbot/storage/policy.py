"""The policy record of one account, in the bucket of the chat records, changed only by compare-and-set."""

from collections.abc import Callable

import structlog

from edge.userbot.chat.policy import PAUSED_AS_UNREADABLE, Policy, from_json
from edge.userbot.chat.record import UnreadableRecord
from edge.userbot.storage.compare_and_set import ATTEMPTS, compare_and_set
from events.records import Records, Stored
from events.runtime.retrying import Retrying

Transition = Callable[[Policy], Policy]
"""Pure; returns the very same object if it changes nothing."""

log = structlog.get_logger(__name__)


class PolicyStore:
    """Every method raises TransportError while the store is away.

    The record's key, `ACCOUNT.policy`, names no chat, so `Chats.each` leaves it out.
    """

    def __init__(self, records: Records, account: str, *, retrying: Retrying) -> None:
        self._records = records
        self._key = f"{account}.policy"
        self._retrying = retrying
        self._noted = False

    async def load(self) -> Policy:
        """Return the policy. One that can't be read pauses all chats, and is logged once."""
        stored = await self._records.load(self._key)
        try:
            return _read(stored)
        except UnreadableRecord as error:
            self._note(error)
            return PAUSED_AS_UNREADABLE

    async def change(self, transition: Transition) -> Policy:
        """Apply `transition` and return its result. Raises UnreadableRecord."""
        return await compare_and_set(lambda: self._change(transition), self._retrying, attempts=ATTEMPTS)

    async def start_afresh(self, transition: Transition) -> Policy:
        """Apply `transition` as `change` does, but treat a policy that can't be read as empty, and overwrite it."""
        policy = await compare_and_set(lambda: self._change(transition, afresh=True), self._retrying, attempts=ATTEMPTS)
        self._noted = False
        return policy

    async def _change(self, transition: Transition, *, afresh: bool = False) -> Policy:
        stored = await self._records.load(self._key)
        policy: Policy | None
        try:
            policy = _read(stored)
        except UnreadableRecord:
            if not afresh:
                raise
            policy = None
        changed = transition(policy or Policy())
        if changed is not policy:
            await self._records.save(self._key, changed.to_json(), stored.version if stored else None)
        return changed

    def _note(self, error: UnreadableRecord) -> None:
        if not self._noted:
            self._noted = True
            log.error("policy.unreadable", error=f"{error}; all chats are paused until the owner sends /resume")


def _read(stored: Stored | None) -> Policy:
    return from_json(stored.value) if stored else Policy()
