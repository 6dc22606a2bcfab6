"""One API call of a client: who calls, whom the caller may address, and which updates to push afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.sandbox import business_updates, render
from edge.sandbox.buttons import Press
from edge.sandbox.faults import Faults, Refusal
from edge.sandbox.groups import Group
from edge.sandbox.message_box import BotChange, BoxEvent, MessageBox
from edge.sandbox.peers import addressed_id, is_channel
from edge.sandbox.render_groups import may_see
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import Result, TLObject, innermost, types


@dataclass(frozen=True, slots=True)
class Push:
    """Updates for a user's sessions. `counted`: they have a place in the user's pts or qts: a lost one leaves a gap.

    `everywhere`: also for the session whose call has caused them. `channel_id`: they are counted by this channel's pts.
    """

    user_id: int
    updates: TLObject
    counted: bool
    everywhere: bool = False
    channel_id: int | None = None


@dataclass(slots=True)
class Call:
    """The context that a handler gets besides the query. Pushes are sent after the result."""

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
        """Return the account of an InputPeer or InputUser, None if the caller may not address it.

        An access hash of 0 is enough for a user's contacts, and for users with whom a bot has had messages.
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

    def peer_id(self, query: TLObject) -> int | None:
        """Return the user or group that a query, or the query in it, is about, None if there is none."""
        query = innermost(query)
        peer = getattr(query, "peer", None) or getattr(query, "channel", None)
        return self.user_id if isinstance(peer, types.InputPeerSelf) else addressed_id(peer)

    def chat(self, peer: TLObject) -> Account | Group:
        """Return the account or the group of an InputPeer. Raises Refusal if the caller may not see it."""
        return self.group(peer) if isinstance(peer, GROUP_PEERS) else self.peer(peer)

    def group(self, peer: TLObject) -> Group:
        """Return the group of an InputPeer or InputChannel. Raises Refusal if the caller may not see its messages."""
        group = self.find_group(peer)
        if group is None:
            raise Refusal(400, "CHANNEL_INVALID" if hasattr(peer, "channel_id") else "CHAT_ID_INVALID")
        if is_channel(group.id) and not may_see(self.me, group):
            raise Refusal(406, "CHANNEL_PRIVATE")
        return group

    def find_group(self, peer: TLObject) -> Group | None:
        """Return the group of an InputPeer or InputChannel, None if the caller may not address it.

        An access hash of 0 is enough for a bot's groups.
        """
        group = self.state.groups.get(addressed_id(peer) or 0) if isinstance(peer, GROUP_PEERS) else None
        if group is None or not is_channel(group.id):
            return group if group and self.me.id in {*group.members, *group.removed} else None
        given = getattr(peer, "access_hash", 0)
        known = given == self.state.access_hash(self.me.id, group.id)
        return group if known or (not given and self.me.bot and self.me.id in group.members) else None

    def box(self, chat: Account | Group) -> MessageBox:
        """Return the box in which the caller finds the messages of a chat."""
        return self.state.chat_box(self.me, chat.id)

    def peer(self, peer: TLObject) -> Account:
        """Return the account as `find` does. Raises Refusal if there is none."""
        if account := self.find(peer):
            return account
        raise Refusal(400, "PEER_ID_INVALID")

    def add_pushes(self, events: list[BoxEvent]) -> None:
        """Queue the updates about `events` for the owners of their boxes, and for the members of a channel."""
        for event in events:
            if is_channel(event.owner_id):
                self.add_channel_pushes(event)
                continue
            self.add_box_push(event)
            for change in business_updates.noticed(self.state, event):
                self.add_business_push(change)

    def add_box_push(self, event: BoxEvent) -> None:
        """Queue the update for the owner of the event's box."""
        owner = self.state.accounts[event.owner_id]
        if updates := render.push(self.state, owner, event, short=self.faults.short_updates):
            self.pushes.append(Push(event.owner_id, updates, counted=True))

    def add_channel_pushes(self, event: BoxEvent) -> None:
        """Queue the update for the members of the channel whose box it is."""
        for member_id in self.state.groups[event.owner_id].members:
            if updates := render.push(self.state, self.state.accounts[member_id], event, short=False):
                self.pushes.append(Push(member_id, updates, counted=True, channel_id=event.owner_id))

    def add_business_push(self, change: BotChange) -> None:
        """Queue what a connected bot is told. Its session that caused it gets it, too."""
        updates = render.updates(self.state, self.state.accounts[change.owner_id], [change.update], change.ids)
        self.pushes.append(Push(change.owner_id, updates, counted=True, everywhere=True))

    def _has_met(self, account: Account) -> bool:
        me = self.me
        return account is me or account.id in me.contacts or (me.bot and account.id in me.met)


GROUP_PEERS = (types.InputPeerChat, types.InputPeerChannel, types.InputChannel)
Handler = Callable[[Call, Any], Result | Press]
