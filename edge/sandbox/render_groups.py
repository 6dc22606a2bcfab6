"""Convert groups into Telegram's types, from one user's point of view."""

from collections.abc import Iterable
from typing import Any

from edge.sandbox.groups import Group
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.peers import bare_id, is_channel, is_group
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import Objects, types


def chats(state: SandboxState, viewer: Account, ids: Iterable[int]) -> Objects:
    """Return the groups among `ids`, each once."""
    return [chat(state, viewer, state.groups[id_]) for id_ in dict.fromkeys(ids) if is_group(id_)]


def chat(state: SandboxState, viewer: Account, group: Group) -> Any:
    """Return a group. To whom it is closed, hardly anything but its title is shown."""
    return _channel(state, viewer, group) if is_channel(group.id) else _basic(viewer, group)


def may_see(viewer: Account, group: Group) -> bool:
    """Return whether the user may see the group's messages: as a member, or because it is public."""
    return viewer.id in group.members or (group.username is not None and viewer.id not in group.removed)


def _channel(state: SandboxState, viewer: Account, group: Group) -> Any:
    id_, access_hash = bare_id(group.id), state.access_hash(viewer.id, group.id)
    kind: dict[str, Any] = {"broadcast": group.broadcast or None, "megagroup": not group.broadcast or None}
    if not may_see(viewer, group):
        return types.ChannelForbidden(id=id_, access_hash=access_hash, title=group.title, **kind)
    return types.Channel(
        id=id_,
        access_hash=access_hash,
        title=group.title,
        username=group.username,
        photo=types.ChatPhotoEmpty(),
        date=group.members.get(viewer.id, group.date),
        creator=viewer.id == group.creator_id or None,
        left=viewer.id not in group.members or None,
        forum=group.forum or None,
        slowmode_enabled=group.slow_mode > 0 or None,
        participants_count=len(group.members),
        default_banned_rights=_default_rights(group),
        **kind,
    )


def _basic(viewer: Account, group: Group) -> Any:
    if viewer.id in group.removed:
        return types.ChatForbidden(id=bare_id(group.id), title=group.title)
    return types.Chat(
        id=bare_id(group.id),
        title=group.title,
        photo=types.ChatPhotoEmpty(),
        participants_count=len(group.members),
        date=group.date,
        version=1,
        creator=viewer.id == group.creator_id or None,
        left=viewer.id not in group.members or None,
        default_banned_rights=_default_rights(group),
    )


def _default_rights(group: Group) -> Any:
    return types.ChatBannedRights(
        until_date=0, send_messages=not group.writable or None, send_plain=not group.plain or None
    )


def reply_header(stored: StoredMessage) -> Any:
    """Return what a message replies to (https://core.telegram.org/constructor/messageReplyHeader), None if nothing.

    In a topic everything replies, if to nothing else, to the message that created it. A thread's first message is not
    named again where it is the one that is replied to.
    """
    replied = stored.reply_to or (stored.top_id if stored.in_topic else None)
    if replied is None:
        return None
    top = stored.top_id if stored.top_id != replied else None
    return types.MessageReplyHeader(reply_to_msg_id=replied, reply_to_top_id=top, forum_topic=stored.in_topic or None)
