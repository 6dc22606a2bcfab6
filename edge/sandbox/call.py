"""One call of a client: who asks, what it may see, and whom to tell afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.sandbox import render
from edge.sandbox.boxes import BoxEvent
from edge.sandbox.faults import Faults, Refusal
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import Result, TLObject, types


@dataclass(frozen=True, slots=True)
class Push:
    """`counted`: it has a place in the user's pts, so that a gap shows."""

    user_id: int
    updates: TLObject
    counted: bool


@dataclass(slots=True)
class Call:
    """What a handler gets besides the query. Pushes go out after the result."""

    state: SandboxState
    faults: Faults
    auth_key_id: int
    pushes: list[Push] = field(default_factory=list)

    @property
    def user_id(self) -> int | None:
        """None before sign-in."""
        return self.state.logins.get(self.auth_key_id)

    @property
    def me(self) -> Account:
        """The signed-in user. Raises Refusal before sign-in."""
        if self.user_id is None:
            raise Refusal(401, "AUTH_KEY_UNREGISTERED")
        return self.state.accounts[self.user_id]

    @property
    def is_bot(self) -> bool:
        return self.user_id is not None and self.me.bot

    def find(self, peer: TLObject) -> Account | None:
        """The account behind an InputPeer or InputUser, None when the caller may not address it.

        An access hash of 0 does for a user's contacts, and for those whom a bot has met.
        """
        if isinstance(peer, types.InputPeerSelf | types.InputUserSelf):
            return self.me
        if not isinstance(peer, types.InputPeerUser | types.InputUser):
            return None
        account = self.state.accounts.get(peer.user_id)
        if account is None:
            return None
        known = peer.access_hash == self.state.access_hash(self.me.id, account.id)
        return account if known or (not peer.access_hash and self._has_met(account)) else None

    def peer(self, peer: TLObject) -> Account:
        """Raises Refusal where `find` gives None."""
        if account := self.find(peer):
            return account
        raise Refusal(400, "PEER_ID_INVALID")

    def tell(self, events: list[BoxEvent]) -> None:
        for event in events:
            if updates := render.push(self.state, event, short=self.faults.short_updates):
                self.pushes.append(Push(event.owner_id, updates, counted=True))

    def _has_met(self, account: Account) -> bool:
        me = self.me
        return account is me or account.id in me.contacts or (me.bot and account.id in me.met)


Handler = Callable[[Call, Any], Result]
