"""Handlers: send, edit and delete messages, mark them as read, show typing."""

from typing import Any

from edge.sandbox import buttons, chat_actions, entities, group_messages, live_drafts, mentions, messaging, render
from edge.sandbox.call import Call, Handler
from edge.sandbox.faults import Refusal
from edge.sandbox.group_rights import check_may_delete, check_may_write
from edge.sandbox.groups import Group
from edge.sandbox.live_drafts import LiveDraft
from edge.sandbox.message_box import BoxEvent, New
from edge.sandbox.messaging import Content, Peer
from edge.sandbox.peers import is_group
from edge.sandbox.rpc_users import MESSAGE_LENGTH
from edge.sandbox.tl import Bool, Objects, Result, TLObject, functions, replied_id, top_id, types


def send_message(call: Call, query: functions.messages.SendMessage) -> TLObject:
    """Send a message. If the user has used this random_id before, return that message and send nothing."""
    peer = _addressee(call, query.peer)
    text, formatting = _checked(call, query.message, query.entities)
    if not query.random_id:
        raise Refusal(400, "RANDOM_ID_EMPTY")
    if first := call.state.sent.get((call.me.id, query.random_id)):
        return _repeat(call, peer, query.random_id, first)
    reply_to = replied_id(query)
    _check_reply(call, peer, reply_to)
    content = Content(
        text=text,
        reply_to=reply_to,
        top_id=top_id(query),
        silent=bool(query.silent),
        entities=formatting,
        markup=_markup(call, query.reply_markup),
    )
    if isinstance(peer, Group):
        content = group_messages.placed(call.state, call.me, peer, content)
        group_messages.check(call.state, call.me, peer, content)
    message, events = messaging.send(call.state, call.me, peer, content)
    call.state.sent[call.me.id, query.random_id] = message.id
    call.add_pushes(events)
    return _result(call, events[0], types.UpdateMessageID(id=message.id, random_id=query.random_id))


def edit_message(call: Call, query: functions.messages.EditMessage) -> TLObject:
    """Change the text and the buttons. An edit without buttons takes them away."""
    peer = call.chat(query.peer)
    message = call.box(peer).messages.get(query.id)
    if message is None or message.peer_id != peer.id or message.action:
        raise Refusal(400, "MESSAGE_ID_INVALID")
    if message.sender_id != call.me.id:
        raise Refusal(403, "MESSAGE_AUTHOR_REQUIRED")
    if isinstance(peer, Group):
        check_may_write(call.me, peer)
    if query.message is None and call.me.bot:  # only the buttons change
        text, formatting = message.text, message.entities
    else:
        text, formatting = _checked(call, query.message or "", query.entities)
    if isinstance(peer, Group):
        formatting = mentions.with_usernames(text, formatting)
    markup = _markup(call, query.reply_markup)
    if (text, formatting, markup) == (message.text, message.entities, message.markup):
        raise Refusal(400, "MESSAGE_NOT_MODIFIED")
    events = messaging.edit(call.state, call.me, message, text, entities=formatting, markup=markup)
    call.add_pushes(events)
    return _result(call, events[0])


def delete_messages(call: Call, query: functions.messages.DeleteMessages) -> TLObject:
    messages = [message for id_ in dict.fromkeys(query.id) if (message := call.me.box.messages.get(id_))]
    for message in messages if query.revoke else ():
        if is_group(message.peer_id):
            check_may_delete(call.me, call.state.groups[message.peer_id], {message.sender_id})
    return _affected(call, messaging.delete(call.state, call.me, messages, revoke=bool(query.revoke)))


def read_history(call: Call, query: functions.messages.ReadHistory) -> TLObject:
    return _affected(call, messaging.read(call.state, call.me, call.chat(query.peer).id, query.max_id))


def set_typing(call: Call, query: functions.messages.SetTyping) -> Result:
    peer = _addressee(call, query.peer)
    if type(query.action).__name__ == live_drafts.METHOD:
        call.faults.raise_planned(call.user_id, live_drafts.METHOD, peer.id)
        call.state.live_drafts.show(_live_draft(call, peer, query.action))
    call.pushes += chat_actions.show(call.state, call.me, peer, query.action, query.top_msg_id)
    return Bool(True)


def _live_draft(call: Call, peer: Peer, action: Any) -> LiveDraft:
    """Return the draft that an action shows; without a text it is a placeholder. Raises Refusal."""
    if isinstance(peer, Group) or peer is call.me or peer.bot:  # "live drafts can only be sent to users"
        raise Refusal(400, "TEXTDRAFT_PEER_INVALID")
    text = action.text.text
    if len(text.encode("utf-16-le")) > 2 * MESSAGE_LENGTH:
        raise Refusal(400, "MESSAGE_TOO_LONG")
    formatting = entities.checked(text, action.text.entities)
    return LiveDraft(call.me.id, peer.id, action.random_id, text, formatting, call.state.now)


def _addressee(call: Call, peer: TLObject) -> Peer:
    """Return whom to write to. Raises Refusal: bots may write only to users who have written to them."""
    account = call.chat(peer)
    if isinstance(account, Group):
        check_may_write(call.me, account)
        return account
    if call.me.bot and account.bot:
        raise Refusal(400, "USER_IS_BOT")
    if call.me.bot and account.id not in call.me.met:
        raise Refusal(400, "PEER_ID_INVALID")
    if call.me.id in account.blocked:
        raise Refusal(403 if call.me.bot else 400, "USER_IS_BLOCKED")
    if account.id in call.me.blocked:
        raise Refusal(400, "YOU_BLOCKED_USER")
    return account


def _checked(call: Call, text: str, formatting: Objects | None) -> tuple[str, Objects | None]:
    """Return the text and entities as Telegram keeps them: trimmed, at the start only if there are no entities."""
    formatting = entities.checked(text, formatting)
    if formatting and call.faults.rare.refuses_styles(call.me.id):
        raise Refusal(400, "ENTITY_BOUNDS_INVALID")
    text = text.rstrip() if formatting else text.strip()
    if not text:
        raise Refusal(400, "MESSAGE_EMPTY")
    if len(text.encode("utf-16-le")) > 2 * MESSAGE_LENGTH:
        raise Refusal(400, "MESSAGE_TOO_LONG")
    return text, mentions.resolved(call, entities.trimmed(text, formatting))


def _markup(call: Call, markup: TLObject | None) -> TLObject | None:
    """Return the buttons that a message gets: only bots have any."""
    kept: TLObject | None = buttons.checked(markup) if call.me.bot else None
    return kept


def _check_reply(call: Call, peer: Peer, reply_to: int | None) -> None:
    refusal, replied = call.faults.unknown_reply, call.box(peer).messages.get(reply_to or 0)
    if reply_to and refusal and (replied is None or replied.peer_id != peer.id):
        raise Refusal(400, refusal)


def _repeat(call: Call, peer: Peer, random_id: int, message_id: int) -> TLObject:
    if call.faults.refuse_repeats:
        raise Refusal(500, "RANDOM_ID_DUPLICATE")
    parts: Objects = [types.UpdateMessageID(id=message_id, random_id=random_id)]
    box = call.box(peer)
    again = BoxEvent(box.owner_id, box.pts, 0, New(message_id))
    if update := render.update(call.state, call.me, again):
        parts.append(update)
    return render.updates(call.state, call.me, parts, render.peer_ids(call.state, again))


def _result(call: Call, event: BoxEvent, *before: TLObject) -> TLObject:
    update = render.update(call.state, call.me, event)
    parts = [*before, *([update] if update else [])]
    return render.updates(call.state, call.me, parts, render.peer_ids(call.state, event))


def _affected(call: Call, events: list[BoxEvent]) -> TLObject:
    call.add_pushes(events)
    count = sum(event.pts_count for event in events if event.owner_id == call.me.id)
    return types.messages.AffectedMessages(pts=call.me.box.pts, pts_count=count)


HANDLERS: dict[type[TLObject], Handler] = {
    functions.messages.SendMessage: send_message,
    functions.messages.EditMessage: edit_message,
    functions.messages.DeleteMessages: delete_messages,
    functions.messages.ReadHistory: read_history,
    functions.messages.SetTyping: set_typing,
}
