"""Groups, and what people who have no client here do in them: for tests and the demo."""

from collections.abc import Iterable

from edge.sandbox import chat_actions, group_messages, membership, messaging, reacting, render
from edge.sandbox.call import Call, Push
from edge.sandbox.chat_actions import ACTIONS
from edge.sandbox.connections import Connections
from edge.sandbox.faults import Faults
from edge.sandbox.groups import Group, Topic
from edge.sandbox.message_box import BoxEvent, StoredMessage
from edge.sandbox.messaging import Content
from edge.sandbox.peers import bare_id
from edge.sandbox.state import SandboxState
from edge.sandbox.tl import Objects, types


class GroupsByHand:
    """The part of `Sandbox` that has groups. Groups are named by their ids: negative, as in the Bot API."""

    state: SandboxState
    faults: Faults
    _connections: Connections

    def add_group(
        self,
        title: str,
        members: Iterable[int],
        *,
        supergroup: bool = True,
        forum: bool = False,
        username: str | None = None,
    ) -> Group:
        """Add a basic group or a supergroup. The first of its members is its creator, who may do everything there."""
        return self._add_group(title, [*members], channel=supergroup, forum=forum, username=username)

    def add_channel(self, title: str, members: Iterable[int], *, username: str | None = None) -> Group:
        """Add a channel. Only the first of its members posts."""
        return self._add_group(title, [*members], channel=True, broadcast=True, username=username)

    def join(self, user_id: int, group_id: int) -> None:
        """Add a user to the group."""
        user, group = self.state.accounts[user_id], self.state.groups[group_id]
        self._announce(*membership.join(self.state, user, group))

    def remove(self, user_id: int, group_id: int) -> None:
        """Remove a user from the group, who from then on is refused there."""
        user, group = self.state.accounts[user_id], self.state.groups[group_id]
        self._announce(*membership.remove(self.state, user, group))

    def send_to_group(
        self,
        user_id: int,
        group_id: int,
        text: str,
        *,
        reply_to: int | None = None,
        topic_id: int | None = None,
        anonymous: bool = False,
        entities: Objects | None = None,
    ) -> StoredMessage:
        """Write as a member who has no client here; return the member's own copy, or that of the supergroup.

        `reply_to`: an id in the member's box, or in the supergroup. `anonymous`: as the group itself. Nothing is
        refused.
        """
        user, group = self.state.accounts[user_id], self.state.groups[group_id]
        content = Content(text=text, reply_to=reply_to, top_id=topic_id, anonymous=anonymous, entities=entities)
        placed = group_messages.placed(self.state, user, group, content)
        message, events = messaging.send(self.state, user, group, placed)
        self._deliver(events)
        return message

    def add_topic(self, user_id: int, group_id: int, title: str) -> Topic:
        """Create a topic in a forum. Its id is that of the message that tells of it."""
        user, group = self.state.accounts[user_id], self.state.groups[group_id]
        topic, events = membership.add_topic(self.state, user, group, title)
        self._deliver(events)
        return topic

    def close_topic(self, group_id: int, topic_id: int, *, closed: bool = True) -> None:
        """Close a topic, or open it again: only the creator writes in a closed one."""
        group = self.state.groups[group_id]
        group.topics[topic_id].closed = closed
        content = Content(
            action=types.MessageActionTopicEdit(closed=closed), reply_to=topic_id, top_id=topic_id, in_topic=True
        )
        _, events = messaging.send(self.state, self.state.accounts[group.creator_id], group, content)
        self._deliver(events)

    def react(self, user_id: int, message: StoredMessage, emoji: str | None) -> None:
        """React to a message, anyone's copy of it, as a user who has no client here. None: take the reaction away.

        Raises Refusal, e.g. if there is no such reaction.
        """
        user = self.state.accounts[user_id]
        copy = self.state.chat_box(user, message.peer_id).copy_of(message)
        if copy is None:
            raise LookupError(f"user {user_id} has no such message; react as somebody in its chat")
        self._announce(*reacting.react(self.state, self.faults, user, copy, emoji))

    def set_reactions(self, group_id: int, *, allowed: bool) -> None:
        """Allow or forbid reactions in the group."""
        self.state.groups[group_id].reactions = allowed
        self._tell_of_group(group_id)

    def type(self, user_id: int, peer_id: int, action: str = "typing", *, topic_id: int | None = None) -> None:
        """Show an action of a user who has no client here, one of `ACTIONS`, to the others of the chat."""
        user = self.state.accounts[user_id]
        chat = self.state.groups.get(peer_id) or self.state.accounts[peer_id]
        self._connections.deliver(chat_actions.show(self.state, user, chat, ACTIONS[action](), topic_id))

    def set_slow_mode(self, group_id: int, seconds: int) -> None:
        """Let each member but the creator write only so often in a supergroup. 0: as often as they like."""
        self.state.groups[group_id].slow_mode = seconds
        self._tell_of_group(group_id)

    def mute(self, user_id: int, group_id: int, *, muted: bool = True) -> None:
        """Forbid a member to write, or allow it again."""
        muted_ids = self.state.groups[group_id].muted
        (muted_ids.add if muted else muted_ids.discard)(user_id)
        self._tell_of_group(group_id)

    def set_writable(self, group_id: int, *, writable: bool = True, plain: bool = True) -> None:
        """Say whether members may write at all, and whether they may write text."""
        group = self.state.groups[group_id]
        group.writable, group.plain = writable, plain
        self._tell_of_group(group_id)

    def push_channel_too_long(self, user_id: int, group_id: int, *, with_pts: bool = False) -> None:
        """Tell the user's sessions that there were too many changes in the supergroup to push them."""
        pts = self.state.box(group_id).pts if with_pts else None
        update = types.UpdateChannelTooLong(channel_id=bare_id(group_id), pts=pts)
        updates = render.updates(self.state, self.state.accounts[user_id], [update], [group_id])
        self._connections.deliver([Push(user_id, updates, counted=False)])

    def _add_group(self, title: str, members: list[int], *, channel: bool, **kind: object) -> Group:
        accounts = [self.state.accounts[id_] for id_ in members]
        group, events = membership.create(self.state, title, accounts, channel=channel, **kind)
        self._deliver(events)
        return group

    def _tell_of_group(self, group_id: int) -> None:
        group = self.state.groups[group_id]
        self._announce([], [membership.changed(self.state, self.state.accounts[id_], group) for id_ in group.members])

    def _announce(self, events: list[BoxEvent], pushes: list[Push]) -> None:
        self._deliver(events)
        self._connections.deliver(pushes)

    def _deliver(self, events: list[BoxEvent]) -> None:
        call = Call(self.state, self.faults, auth_key_id=0)
        call.add_pushes(events)
        self._connections.deliver(call.pushes)
