"""Handlers: read history, threads, search and single messages."""

from collections.abc import Iterable
from typing import Any

from edge.sandbox import render, render_groups, topics
from edge.sandbox.call import Call, Handler
from edge.sandbox.faults import Refusal
from edge.sandbox.groups import Group
from edge.sandbox.message_box import MessageBox, StoredMessage
from edge.sandbox.messaging import Peer
from edge.sandbox.tl import Objects, TLObject, build, functions, objects, types

PAGE = 100
Paged = functions.messages.GetHistory | functions.messages.GetReplies | functions.messages.Search


def get_history(call: Call, query: functions.messages.GetHistory) -> TLObject:
    """Return messages, the newest first (https://core.telegram.org/api/offsets)."""
    found = _messages(call, call.chat(query.peer))
    return _page(call, query, _within(found, query, query.offset_date))


def get_replies(call: Call, query: functions.messages.GetReplies) -> TLObject:
    """Return the messages of a thread or a topic, the newest first (https://core.telegram.org/api/threads)."""
    group = call.group(query.peer)
    if group.box is None:
        raise Refusal(400, "PEER_ID_INVALID")
    found = topics.in_thread(_messages(call, group), group, query.msg_id)
    return _page(call, query, _within(found, query, query.offset_date))


def search(call: Call, query: functions.messages.Search) -> TLObject:
    """Search by text, sender and topic. There is no media here, so a filter for media finds nothing."""
    chat, finds_text = call.chat(query.peer), isinstance(query.filter, types.InputMessagesFilterEmpty)
    found = _messages(call, chat) if finds_text else []
    if query.from_id:
        writer = call.chat(query.from_id).id
        found = [message for message in found if message.from_id == writer]
    if query.top_msg_id and isinstance(chat, Group):
        found = topics.in_thread(found, chat, query.top_msg_id)
    found = [message for message in found if query.q.casefold() in message.text.casefold()]
    return _page(call, query, _within(found, query, query.max_date))


def get_messages(call: Call, query: functions.messages.GetMessages) -> TLObject:
    """Return messages by id, or those that they reply to. A message that does not exist comes back empty."""
    return found_messages(call, call.me.box, query.id)


def found_messages(call: Call, box: MessageBox, ids: Iterable[Any]) -> TLObject:
    """Return the messages that are named by InputMessage."""
    found = list[StoredMessage]()
    answer: Objects = []
    for wanted in objects(ids):
        stored = box.messages.get(wanted.id)
        if isinstance(wanted, types.InputMessageReplyTo):
            stored = box.messages.get(stored.reply_to or 0) if stored else None
        found += [stored] if stored else []
        answer.append(render.message(call.me, stored) if stored else types.MessageEmpty(id=wanted.id))
    return _answer(call, box, answer, _peers(found), count=len(answer), whole=True)


def _messages(call: Call, chat: Peer) -> list[StoredMessage]:
    return call.box(chat).chat(chat.id)


def _within(found: list[StoredMessage], query: Paged, before: int) -> list[StoredMessage]:
    return [
        message
        for message in reversed(found)
        if message.id > query.min_id
        and (not query.max_id or message.id < query.max_id)
        and (not before or message.date < before)
    ]


def _page(call: Call, query: Paged, found: list[StoredMessage]) -> TLObject:
    """Return `limit` messages, from `add_offset` places after the first one that is older than `offset_id`."""
    older = sum(bool(query.offset_id) and message.id >= query.offset_id for message in found)
    start = max(0, older + query.add_offset)
    page = found[start : start + min(query.limit or PAGE, PAGE)]
    box = call.box(call.chat(query.peer))
    answer: Objects = [render.message(call.me, message) for message in page]
    return _answer(call, box, answer, _peers(page), count=len(found), whole=len(page) == len(found))


def _answer(call: Call, box: MessageBox, messages: Objects, ids: list[int], *, count: int, whole: bool) -> TLObject:
    """Return messages in the type that tells of what they are a part: `whole` is all of the `count` messages."""
    parts: dict[str, Any] = {
        "messages": messages,
        "chats": render_groups.chats(call.state, call.me, ids),
        "users": render.users(call.state, call.me, ids),
    }
    if box is not call.me.box:
        return build(types.messages.ChannelMessages, pts=box.pts, count=count, **parts)
    if whole:
        return build(types.messages.Messages, **parts)
    return build(types.messages.MessagesSlice, count=count, **parts)


def _peers(messages: list[StoredMessage]) -> list[int]:
    return [id_ for message in messages for id_ in render.message_ids(message)]


HANDLERS: dict[type[TLObject], Handler] = {
    functions.messages.GetHistory: get_history,
    functions.messages.GetReplies: get_replies,
    functions.messages.Search: search,
    functions.messages.GetMessages: get_messages,
}
