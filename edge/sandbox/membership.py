"""Create groups and topics, add members and remove them. All of it leaves a service message."""

from typing import Any

from edge.sandbox import messaging, render
from edge.sandbox.call import Push
from edge.sandbox.groups import Group, Topic
from edge.sandbox.message_box import BoxEvent
from edge.sandbox.messaging import Content
from edge.sandbox.peers import bare_id, is_channel
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import build, types

ICON_COLOR = 0x6FB9F0


def create(
    state: SandboxState, title: str, members: list[Account], *, channel: bool, **kind: Any
) -> tuple[Group, list[BoxEvent]]:
    """Create a group. The first of its members is its creator."""
    group = state.add_group(title, members[0], channel=channel, **kind)
    group.members |= {account.id: state.now for account in members}
    action = types.MessageActionChannelCreate(title=title) if channel else _chat_created(group)
    return group, _tell(state, members[0], group, action)


def join(state: SandboxState, user: Account, group: Group) -> tuple[list[BoxEvent], list[Push]]:
    """Add a member; return the events, and what the user's sessions learn besides."""
    group.members[user.id] = state.now
    group.removed.discard(user.id)
    events = _tell(state, user, group, types.MessageActionChatAddUser(users=[user.id]))
    return events, [changed(state, user, group)]


def remove(state: SandboxState, user: Account, group: Group) -> tuple[list[BoxEvent], list[Push]]:
    """Remove a member for good; return the events, and what the user's sessions learn besides.

    In a basic group the message about it still reaches who is removed.
    """
    action = types.MessageActionChatDeleteUser(user_id=user.id)
    if is_channel(group.id):
        group.members.pop(user.id)
    events = _tell(state, state.accounts[group.creator_id], group, action)
    group.members.pop(user.id, None)
    group.removed.add(user.id)
    return events, [changed(state, user, group)]


def changed(state: SandboxState, viewer: Account, group: Group) -> Push:
    """Tell a user's sessions that the group, or the user's place in it, has changed."""
    id_ = bare_id(group.id)
    update = types.UpdateChannel(channel_id=id_) if is_channel(group.id) else build(types.UpdateChat, chat_id=id_)
    return Push(viewer.id, render.updates(state, viewer, [update], [group.id]), counted=False)


def add_topic(state: SandboxState, user: Account, group: Group, title: str) -> tuple[Topic, list[BoxEvent]]:
    """Create a topic in a forum. Its id is that of the message that tells of it."""
    content = Content(action=types.MessageActionTopicCreate(title=title, icon_color=ICON_COLOR))
    message, events = messaging.send(state, user, group, content)
    topic = Topic(message.id, title, user.id, message.date)
    group.topics[topic.id] = topic
    return topic, events


def _chat_created(group: Group) -> Any:
    return types.MessageActionChatCreate(title=group.title, users=[*group.members])


def _tell(state: SandboxState, user: Account, group: Group, action: Any) -> list[BoxEvent]:
    return messaging.send(state, user, group, Content(action=action))[1]
