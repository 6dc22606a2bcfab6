"""Handlers for catching up (https://core.telegram.org/api/updates): the state, and the changes since an older one."""

from collections.abc import Sequence
from typing import Any

from edge.sandbox import render, render_groups
from edge.sandbox.call import Call, Handler
from edge.sandbox.faults import Refusal
from edge.sandbox.groups import Group
from edge.sandbox.message_box import BotChange, BoxEvent, New, Stopped
from edge.sandbox.peers import bare_id
from edge.sandbox.tl import TLObject, functions, types


def get_state(call: Call, _query: functions.updates.GetState) -> TLObject:
    return state_of(call)


def get_difference(call: Call, query: functions.updates.GetDifference) -> TLObject:
    if not query.pts:
        raise Refusal(400, "PERSISTENT_TIMESTAMP_EMPTY")
    box = call.me.box
    if not 0 < query.pts <= box.pts:
        raise Refusal(400, "PERSISTENT_TIMESTAMP_INVALID")
    if (pts := call.faults.too_long(call.me.id, box.pts)) is not None:
        return types.updates.DifferenceTooLong(pts=pts)
    if call.faults.is_stuck(call.me.id):
        return types.updates.DifferenceSlice(
            **_parts(call, []), intermediate_state=state_of(call, query.pts, query.qts)
        )
    if behind := call.faults.rare.changes_behind(call.me.id, missed=box.pts - query.pts):
        return _difference_from_behind(call, query, max(1, box.pts - behind))
    missed, by_qts = box.since(query.pts), box.since_qts(query.qts)
    channels = _changed_channels(call, query.date) if call.faults.names_channels else []
    if not missed and not by_qts and not channels:
        return types.updates.DifferenceEmpty(date=call.state.now, seq=1)
    page = missed[: call.faults.slice_size]
    rest = by_qts[: min(call.faults.slice_size - len(page), getattr(query, "qts_limit", None) or len(by_qts))]
    parts = _parts(call, page, rest)
    if len(page) + len(rest) < len(missed) + len(by_qts):
        pts, qts = page[-1].pts if page else query.pts, rest[-1].qts if rest else query.qts
        return types.updates.DifferenceSlice(**parts, intermediate_state=state_of(call, pts, qts))
    parts["other_updates"] += [types.UpdateChannelTooLong(channel_id=bare_id(group.id)) for group in channels]
    parts["chats"] += render_groups.chats(call.state, call.me, [group.id for group in channels])
    return types.updates.Difference(**parts, state=state_of(call))


def _difference_from_behind(call: Call, query: functions.updates.GetDifference, pts: int) -> TLObject:
    """Return what the answer was when the account was at `pts`, which may be before the query's."""
    missed = [event for event in call.me.box.since(query.pts) if event.pts <= pts]
    return types.updates.Difference(**_parts(call, missed), state=state_of(call, pts, query.qts))


def state_of(call: Call, pts: int | None = None, qts: int | None = None) -> types.updates.State:
    """Return the account's state now, or when its pts and qts were these."""
    box = call.me.box
    unread = 0 if call.me.bot else box.unread().total()
    qts = box.qts if qts is None else qts
    return types.updates.State(pts=pts or box.pts, qts=qts, date=call.state.now, seq=1, unread_count=unread)


def _changed_channels(call: Call, date: int) -> list[Group]:
    """Return the user's channels in which something was written from `date` on."""
    own = [group for group in call.state.groups.values() if call.me.id in group.members]
    return [group for group in own if group.box and any(one.date >= date for one in group.box.messages.values())]


def _parts(call: Call, events: list[BoxEvent], by_qts: Sequence[Stopped | BotChange] = ()) -> dict[str, Any]:
    events = [event for event in events if render.has_update(call.state, call.me, event)]
    new = [call.me.box.messages.get(event.change.message_id) for event in events if isinstance(event.change, New)]
    other = [render.update(call.state, call.me, event) for event in events if not isinstance(event.change, New)]
    ids = [id_ for event in events for id_ in render.peer_ids(call.state, event)]
    for update, named in map(render.counted_by_qts, by_qts):
        other.append(update)
        ids += named
    return {
        "new_messages": [render.message(call.me, message) for message in new if message],
        "new_encrypted_messages": [],
        "other_updates": [update for update in other if update],
        "chats": render_groups.chats(call.state, call.me, ids),
        "users": render.users(call.state, call.me, ids),
    }


HANDLERS: dict[type[TLObject], Handler] = {
    functions.updates.GetState: get_state,
    functions.updates.GetDifference: get_difference,
}
