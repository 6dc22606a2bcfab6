"""Handlers: read history, search, single messages and dialogs."""

from typing import Any

from edge.sandbox import render
from edge.sandbox.call import Call, Handler
from edge.sandbox.message_box import MessageBox, StoredMessage
from edge.sandbox.rpc_updates import state_of
from edge.sandbox.tl import Objects, TLObject, build, functions, objects, types

PAGE = 100


def get_history(call: Call, query: functions.messages.GetHistory) -> TLObject:
    """Return messages, the newest first (https://core.telegram.org/api/offsets)."""
    found = call.me.box.chat(call.peer(query.peer).id)
    return _page(call, query, _within(found, query, query.offset_date))


def search(call: Call, query: functions.messages.Search) -> TLObject:
    """Search by text and sender. There is no media here, so a filter for media finds nothing."""
    finds_text = isinstance(query.filter, types.InputMessagesFilterEmpty)
    found = call.me.box.chat(call.peer(query.peer).id) if finds_text else []
    if query.from_id:
        mine = call.peer(query.from_id) is call.me
        found = [message for message in found if message.out is mine]
    found = [message for message in found if query.q.casefold() in message.text.casefold()]
    return _page(call, query, _within(found, query, query.max_date))


def get_messages(call: Call, query: functions.messages.GetMessages) -> TLObject:
    """Return messages by id, or those that they reply to. A message that does not exist comes back empty."""
    box, found = call.me.box, list[StoredMessage]()
    answer: Objects = []
    for wanted in objects(query.id):
        stored = box.messages.get(wanted.id)
        if isinstance(wanted, types.InputMessageReplyTo):
            stored = box.messages.get(stored.reply_to or 0) if stored else None
        found += [stored] if stored else []
        answer.append(render.message(call.me, stored) if stored else types.MessageEmpty(id=wanted.id))
    return build(types.messages.Messages, messages=answer, chats=[], users=_people(call, found))


def get_dialogs(call: Call, query: functions.messages.GetDialogs) -> TLObject:
    """Return dialogs, the most recent first. Message ids rise with time, so the offset's id is enough."""
    latest = call.me.box.latest()
    peers = [peer for peer, message in latest.items() if not query.offset_id or message.id < query.offset_id]
    page = peers[: query.limit or PAGE]
    parts = _dialogs(call, page)
    if len(page) == len(latest):
        return types.messages.Dialogs(**parts)
    return types.messages.DialogsSlice(count=len(latest), **parts)


def get_peer_dialogs(call: Call, query: functions.messages.GetPeerDialogs) -> TLObject:
    peers = [call.peer(wanted.peer).id for wanted in objects(query.peers) if isinstance(wanted, types.InputDialogPeer)]
    return types.messages.PeerDialogs(state=state_of(call), **_dialogs(call, peers))


def _dialogs(call: Call, peers: list[int]) -> dict[str, Any]:
    latest, unread = call.me.box.latest(), call.me.box.unread()
    return {
        "dialogs": [_dialog(call.me.box, peer, latest.get(peer), unread[peer]) for peer in peers],
        "messages": [render.message(call.me, latest[peer]) for peer in peers if peer in latest],
        "chats": [],
        "users": [*render.users(call.state, call.me, peers)],
    }


def _dialog(box: MessageBox, peer: int, last: StoredMessage | None, unread: int) -> TLObject:
    top = last.id if last else 0
    own = peer == box.owner_id  # there, everything is read
    return build(
        types.Dialog,
        peer=types.PeerUser(user_id=peer),
        top_message=top,
        read_inbox_max_id=top if own else box.read_inbox.get(peer, 0),
        read_outbox_max_id=top if own else box.read_outbox.get(peer, 0),
        unread_count=unread,
        unread_mentions_count=0,
        unread_reactions_count=0,
        notify_settings=types.PeerNotifySettings(),
    )


def _within(
    found: list[StoredMessage], query: functions.messages.GetHistory | functions.messages.Search, before: int
) -> list[StoredMessage]:
    return [
        message
        for message in reversed(found)
        if message.id > query.min_id
        and (not query.max_id or message.id < query.max_id)
        and (not before or message.date < before)
    ]


def _page(
    call: Call, query: functions.messages.GetHistory | functions.messages.Search, found: list[StoredMessage]
) -> TLObject:
    """Return `limit` messages, from `add_offset` places after the first one that is older than `offset_id`."""
    older = sum(bool(query.offset_id) and message.id >= query.offset_id for message in found)
    start = max(0, older + query.add_offset)
    page = found[start : start + min(query.limit or PAGE, PAGE)]
    answer: Objects = [render.message(call.me, message) for message in page]
    users = _people(call, page)
    if len(page) == len(found):
        return build(types.messages.Messages, messages=answer, chats=[], users=users)
    return build(types.messages.MessagesSlice, count=len(found), messages=answer, chats=[], users=users)


def _people(call: Call, messages: list[StoredMessage]) -> Objects:
    return render.users(call.state, call.me, [message.peer_id for message in messages])


HANDLERS: dict[type[TLObject], Handler] = {
    functions.messages.GetHistory: get_history,
    functions.messages.Search: search,
    functions.messages.GetMessages: get_messages,
    functions.messages.GetDialogs: get_dialogs,
    functions.messages.GetPeerDialogs: get_peer_dialogs,
}
