"""Handlers: react to messages, and read who reacted (https://core.telegram.org/api/reactions)."""

from typing import Any

from edge.sandbox import reacting, render, render_groups
from edge.sandbox.call import Call, Handler
from edge.sandbox.faults import Refusal
from edge.sandbox.group_rights import check_is_member
from edge.sandbox.groups import Group
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.peers import is_channel
from edge.sandbox.reactions import recent
from edge.sandbox.tl import Objects, TLObject, functions, types


def send_reaction(call: Call, query: functions.messages.SendReaction) -> TLObject:
    """Set the caller's one reaction, or take it away. The result has what the others are pushed, too."""
    message = _message(call, query.peer, query.msg_id)
    events, pushes = reacting.react(call.state, call.faults, call.me, message, _emoji(query.reaction))
    call.add_pushes(events)
    call.pushes += pushes
    mine = [event for event in events if event.owner_id == call.me.id or is_channel(event.owner_id)]
    told = [render.update(call.state, call.me, event) for event in mine]
    parts = [reacting.update(call.state, call.me, message), *told]
    return render.updates(call.state, call.me, parts, render.message_ids(message))


def get_messages_reactions(call: Call, query: functions.messages.GetMessagesReactions) -> TLObject:
    found = [_message(call, query.peer, id_) for id_ in query.id]
    parts = [reacting.update(call.state, call.me, message) for message in found]
    return render.updates(call.state, call.me, parts, [id_ for one in found for id_ in render.message_ids(one)])


def get_message_reactions_list(call: Call, query: functions.messages.GetMessageReactionsList) -> TLObject:
    """Return who reacted how, the latest first, all of them at once."""
    message = _message(call, query.peer, query.id)
    found = [one for one in recent(call.me.id, message.reactions) if query.reaction in (None, one.reaction)]
    return types.messages.MessageReactionsList(
        count=len(found),
        reactions=found,
        chats=render_groups.chats(call.state, call.me, [message.peer_id]),
        users=render.users(call.state, call.me, message.reactions),
    )


def _message(call: Call, input_peer: TLObject, message_id: int) -> StoredMessage:
    chat = call.chat(input_peer)
    if isinstance(chat, Group):
        check_is_member(call.me, chat)
    message = call.box(chat).messages.get(message_id)
    if message is None or message.peer_id != chat.id or message.action:
        raise Refusal(400, "MESSAGE_ID_INVALID")
    return message


def _emoji(reactions: Objects | None) -> str | None:
    """Return the one reaction that a call sets, None if it takes it away. Raises Refusal for any other."""
    given: Any = [one for one in reactions or () if not isinstance(one, types.ReactionEmpty)]
    if len(given) > 1:
        raise Refusal(400, "REACTIONS_TOO_MANY")
    if given and not isinstance(given[0], types.ReactionEmoji):
        raise Refusal(400, "REACTION_INVALID")
    return given[0].emoticon if given else None


HANDLERS: dict[type[TLObject], Handler] = {
    functions.messages.SendReaction: send_reaction,
    functions.messages.GetMessagesReactions: get_messages_reactions,
    functions.messages.GetMessageReactionsList: get_message_reactions_list,
}
