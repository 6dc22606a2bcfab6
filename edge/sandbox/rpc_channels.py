"""Handlers: supergroups and channels, their messages, and the changes in them since an older state.

Source: https://core.telegram.org/api/channel, and for the changes
https://core.telegram.org/method/updates.getChannelDifference.
"""

from typing import Any

from edge.sandbox import messaging, render, render_groups
from edge.sandbox.call import Call, Handler, Push
from edge.sandbox.faults import Refusal
from edge.sandbox.group_rights import check_may_delete
from edge.sandbox.groups import Group
from edge.sandbox.message_box import BoxEvent, MessageBox
from edge.sandbox.peers import bare_id
from edge.sandbox.rpc_dialogs import dialog
from edge.sandbox.rpc_history import found_messages
from edge.sandbox.tl import Bool, Result, TLObject, build, functions, objects, types

TIMEOUT = 30
"""Seconds after which a client that shows the channel is to ask again."""
NEWEST = 10
"""The messages that come with a difference that is too long."""


def get_channel_difference(call: Call, query: functions.updates.GetChannelDifference) -> TLObject:
    """Return the changes after `pts`, at most `limit` of them. `final`: there are no more."""
    group, box = _channel(call, query.channel)
    if not query.pts:
        raise Refusal(400, "PERSISTENT_TIMESTAMP_EMPTY")
    if not 0 < query.pts <= box.pts:
        raise Refusal(400, "PERSISTENT_TIMESTAMP_INVALID")
    if (pts := call.faults.too_long(call.me.id, box.pts, group.id)) is not None:
        return _too_long(call, group, box, pts)
    if call.faults.is_stuck(call.me.id, group.id):
        return types.updates.ChannelDifference(pts=query.pts, timeout=TIMEOUT, **_parts(call, []))
    missed = box.since(query.pts)
    if len(missed) > call.faults.longest_difference:
        return _too_long(call, group, box, box.pts)
    if not missed:
        return types.updates.ChannelDifferenceEmpty(pts=box.pts, final=True, timeout=TIMEOUT)
    page = missed[: max(1, min(query.limit, call.faults.slice_size))]
    final = len(page) == len(missed) or None
    return types.updates.ChannelDifference(pts=page[-1].pts, final=final, timeout=TIMEOUT, **_parts(call, page))


def _parts(call: Call, events: list[BoxEvent]) -> dict[str, Any]:
    events = [event for event in events if render.has_update(call.state, call.me, event)]
    updates = [render.update(call.state, call.me, event) for event in events]
    new = [update.message for update in updates if isinstance(update, types.UpdateNewChannelMessage)]
    ids = [id_ for event in events for id_ in render.peer_ids(call.state, event)]
    return {
        "new_messages": new,
        "other_updates": [one for one in updates if one and not isinstance(one, types.UpdateNewChannelMessage)],
        "chats": render_groups.chats(call.state, call.me, ids),
        "users": render.users(call.state, call.me, ids),
    }


def _too_long(call: Call, group: Group, box: MessageBox, pts: int) -> TLObject:
    newest = [*reversed(box.messages.values())][:NEWEST]
    ids = [group.id, *(id_ for message in newest for id_ in render.message_ids(message))]
    told = dialog(call, group, newest[0] if newest else None)
    told.pts = pts
    return types.updates.ChannelDifferenceTooLong(
        dialog=told,
        messages=[render.message(call.me, message) for message in newest],
        chats=render_groups.chats(call.state, call.me, ids),
        users=render.users(call.state, call.me, ids),
        final=True,
        timeout=TIMEOUT,
    )


def get_messages(call: Call, query: functions.channels.GetMessages) -> TLObject:
    _, box = _channel(call, query.channel)
    return found_messages(call, box, query.id)


def delete_messages(call: Call, query: functions.channels.DeleteMessages) -> TLObject:
    group, box = _channel(call, query.channel)
    found = [message for id_ in dict.fromkeys(query.id) if (message := box.messages.get(id_))]
    check_may_delete(call.me, group, {message.sender_id for message in found})
    call.add_pushes(messaging.delete(call.state, call.me, found, revoke=True))
    return types.messages.AffectedMessages(pts=box.pts, pts_count=len(found))


def read_history(call: Call, query: functions.channels.ReadHistory) -> Result:
    """Mark messages as read, up to `max_id` (0: all), and tell the user's other sessions."""
    group, box = _channel(call, query.channel)
    last = max((id_ for id_ in box.messages if not query.max_id or id_ <= query.max_id), default=0)
    if last > group.read_inbox.get(call.me.id, 0):
        group.read_inbox[call.me.id] = last
        left = group.unread(call.me.id)
        update = types.UpdateReadChannelInbox(
            channel_id=bare_id(group.id), max_id=last, still_unread_count=left, pts=box.pts
        )
        updates = render.updates(call.state, call.me, [update], [group.id])
        call.pushes.append(Push(call.me.id, updates, counted=False))
    return Bool(True)


def get_channels(call: Call, query: functions.channels.GetChannels) -> TLObject:
    """Return channels, also those that are closed to the caller."""
    found = [call.find_group(wanted) for wanted in objects(query.id)]
    if None in found:
        raise Refusal(400, "CHANNEL_INVALID")
    return types.messages.Chats(chats=[render_groups.chat(call.state, call.me, group) for group in found if group])


def get_full_channel(call: Call, query: functions.channels.GetFullChannel) -> TLObject:
    group, box = _channel(call, query.channel)
    last = group.last_sent.get(call.me.id, 0) + group.slow_mode
    full = build(
        types.ChannelFull,
        id=bare_id(group.id),
        read_inbox_max_id=group.read_inbox.get(call.me.id, 0),
        unread_count=group.unread(call.me.id),
        chat_photo=types.PhotoEmpty(id=0),
        notify_settings=types.PeerNotifySettings(),
        pts=box.pts,
        about="",
        participants_count=len(group.members),
        slowmode_seconds=group.slow_mode or None,
        slowmode_next_send_date=last if group.slow_mode and last > call.state.now else None,
        available_reactions=_reactions(group),
    )
    return types.messages.ChatFull(
        full_chat=full,
        chats=render_groups.chats(call.state, call.me, [group.id]),
        users=render.users(call.state, call.me, []),
    )


def _reactions(group: Group) -> Any:
    return types.ChatReactionsAll() if group.reactions else types.ChatReactionsNone()


def _channel(call: Call, channel: TLObject) -> tuple[Group, MessageBox]:
    """Return a channel and its box. Raises Refusal if it is closed to the caller, or not a channel."""
    group = call.group(channel)
    if group.box is None:
        raise Refusal(400, "CHANNEL_INVALID")
    return group, group.box


HANDLERS: dict[type[TLObject], Handler] = {
    functions.updates.GetChannelDifference: get_channel_difference,
    functions.channels.GetMessages: get_messages,
    functions.channels.DeleteMessages: delete_messages,
    functions.channels.ReadHistory: read_history,
    functions.channels.GetChannels: get_channels,
    functions.channels.GetFullChannel: get_full_channel,
}
