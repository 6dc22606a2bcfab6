"""Handlers: dialogs, i.e. the list of chats, each with its last message."""

from typing import Any

from edge.sandbox import render, render_groups
from edge.sandbox.call import Call, Handler
from edge.sandbox.groups import Group
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.messaging import Peer
from edge.sandbox.peers import addressed_id, peer
from edge.sandbox.rpc_history import PAGE
from edge.sandbox.rpc_updates import state_of
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import TLObject, build, functions, objects, types


def get_dialogs(call: Call, query: functions.messages.GetDialogs) -> TLObject:
    """Return dialogs, the most recent first, those before the offset (https://core.telegram.org/api/offsets)."""
    latest = _latest(call.state, call.me)
    peers = [peer for peer, message in latest.items() if _is_before(call, query, message)]
    page = peers[: query.limit or PAGE]
    parts = _dialogs(call, page)
    if len(page) == len(latest):
        return types.messages.Dialogs(**parts)
    return types.messages.DialogsSlice(count=len(latest), **parts)


def get_peer_dialogs(call: Call, query: functions.messages.GetPeerDialogs) -> TLObject:
    peers = [call.chat(wanted.peer).id for wanted in objects(query.peers) if isinstance(wanted, types.InputDialogPeer)]
    return types.messages.PeerDialogs(state=state_of(call), **_dialogs(call, peers))


def dialog(call: Call, chat: Peer, last: StoredMessage | None) -> Any:
    """Return a chat as it stands in the list; that of a channel has the channel's pts."""
    top, own = last.id if last else 0, chat is call.me  # in Saved Messages everything is read
    return build(
        types.Dialog,
        peer=peer(chat.id),
        top_message=top,
        read_outbox_max_id=top if own else call.me.box.read_outbox.get(chat.id, 0),
        unread_mentions_count=0,
        unread_reactions_count=0,
        notify_settings=types.PeerNotifySettings(),
        **({"read_inbox_max_id": top, "unread_count": 0} if own else _reading(call.me, chat)),
    )


def _reading(user: Account, chat: Peer) -> dict[str, int]:
    """Return how far the user has read the chat, and the pts of a channel."""
    if isinstance(chat, Group) and chat.box:
        read = chat.read_inbox.get(user.id, 0)
        return {"read_inbox_max_id": read, "unread_count": chat.unread(user.id), "pts": chat.box.pts}
    return {
        "read_inbox_max_id": user.box.read_inbox.get(chat.id, 0),
        "unread_count": user.box.unread()[chat.id],
    }


def _is_before(call: Call, query: functions.messages.GetDialogs, message: StoredMessage) -> bool:
    """Return whether the dialog with this last message comes after the page that ended with the offset.

    Keys rise with time, whatever the box; a message that is deleted meanwhile is replaced by its date.
    """
    if not query.offset_id:
        return True
    box = call.state.chat_box(call.me, addressed_id(query.offset_peer) or 0)
    last = box.messages.get(query.offset_id)
    return message.key < last.key if last else message.date <= query.offset_date


def _latest(state: SandboxState, user: Account) -> dict[int, StoredMessage]:
    """Return the last message of each chat, the most recent first."""
    found = user.box.latest()
    for group in state.groups.values():
        if group.box and group.box.messages and user.id in group.members:
            found |= group.box.latest()
    return dict(sorted(found.items(), key=lambda one: -one[1].key))


def _dialogs(call: Call, peers: list[int]) -> dict[str, Any]:
    chats = [call.state.groups.get(id_) or call.state.accounts[id_] for id_ in peers]
    last = [call.box(chat).latest().get(chat.id) for chat in chats]
    ids = [*peers, *(id_ for message in last if message for id_ in render.message_ids(message))]
    return {
        "dialogs": [dialog(call, chat, message) for chat, message in zip(chats, last, strict=True)],
        "messages": [render.message(call.me, message) for message in last if message],
        "chats": render_groups.chats(call.state, call.me, ids),
        "users": render.users(call.state, call.me, ids),
    }


HANDLERS: dict[type[TLObject], Handler] = {
    functions.messages.GetDialogs: get_dialogs,
    functions.messages.GetPeerDialogs: get_peer_dialogs,
}
