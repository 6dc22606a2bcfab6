"""Handlers: what Telegram tells of basic groups."""

from edge.sandbox import render, render_groups
from edge.sandbox.call import Call, Handler
from edge.sandbox.faults import Refusal
from edge.sandbox.groups import Group
from edge.sandbox.peers import bare_id
from edge.sandbox.tl import Objects, TLObject, functions, types


def get_chats(call: Call, query: functions.messages.GetChats) -> TLObject:
    found = [_chat(call, chat_id) for chat_id in query.id]
    return types.messages.Chats(chats=[render_groups.chat(call.state, call.me, group) for group in found])


def get_full_chat(call: Call, query: functions.messages.GetFullChat) -> TLObject:
    group = _chat(call, query.chat_id)
    participants: Objects = [
        types.ChatParticipant(user_id=id_, inviter_id=group.creator_id, date=date)
        for id_, date in group.members.items()
    ]
    full = types.ChatFull(
        id=bare_id(group.id),
        about="",
        participants=types.ChatParticipants(chat_id=bare_id(group.id), participants=participants, version=1),
        notify_settings=types.PeerNotifySettings(),
    )
    return types.messages.ChatFull(
        full_chat=full,
        chats=render_groups.chats(call.state, call.me, [group.id]),
        users=render.users(call.state, call.me, group.members),
    )


def _chat(call: Call, chat_id: int) -> Group:
    group = call.find_group(types.InputPeerChat(chat_id=chat_id))
    if group is None:
        raise Refusal(400, "CHAT_ID_INVALID")
    return group


HANDLERS: dict[type[TLObject], Handler] = {
    functions.messages.GetChats: get_chats,
    functions.messages.GetFullChat: get_full_chat,
}
