"""Convert the server's state into Telegram's types, from one user's point of view."""

from collections.abc import Iterable
from typing import Any

from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.message_box import (
    BotChange,
    BoxEvent,
    Deleted,
    Edited,
    New,
    ReadInbox,
    ReadOutbox,
    Stopped,
    StoredMessage,
)
from edge.sandbox.peers import bare_id, is_channel, is_group, peer
from edge.sandbox.reactions import shown_reactions
from edge.sandbox.render_groups import chats, reply_header
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import Objects, TLObject, types


def user(state: SandboxState, viewer: Account, account: Account) -> types.User:
    newer: Any = {"bot_business": True} if account.business and HAS_BUSINESS else {}
    known = account is viewer or account.id in viewer.contacts
    first_name, last_name = viewer.contacts.get(account.id, (account.first_name, account.last_name))
    return types.User(
        id=account.id,
        is_self=account is viewer or None,
        contact=account.id in viewer.contacts or None,
        mutual_contact=is_mutual_contact(viewer, account) or None,
        bot=account.bot or None,
        **newer,
        bot_info_version=1 if account.bot else None,
        access_hash=state.access_hash(viewer.id, account.id),
        first_name=first_name,
        last_name=last_name or None,
        # Telegram sends either the one username or, if there are collectible ones, all of them in a list.
        username=None if account.usernames else account.username,
        usernames=usernames(account) if account.usernames else None,
        phone=account.phone if known else None,
        lang_code=account.lang_code if viewer.bot or account is viewer else None,
    )


def is_mutual_contact(one: Account, other: Account) -> bool:
    return other.id in one.contacts and one.id in other.contacts


def usernames(account: Account) -> Objects:
    first = [types.Username(username=account.username, editable=True, active=True)] if account.username else []
    return [*first, *(types.Username(username=name, active=True) for name in account.usernames)]


def renamed(account: Account) -> types.UpdateUserName:
    return types.UpdateUserName(
        user_id=account.id,
        first_name=account.first_name,
        last_name=account.last_name,
        usernames=usernames(account),
    )


def users(state: SandboxState, viewer: Account, ids: Iterable[int]) -> Objects:
    """Return the viewer and the users among `ids`, each once."""
    found = [id_ for id_ in dict.fromkeys((viewer.id, *ids)) if not is_group(id_)]
    return [user(state, viewer, state.accounts[id_]) for id_ in found]


def message(viewer: Account, stored: StoredMessage) -> Any:
    """Return a message or a service message as the viewer sees it."""
    if stored.action:
        return types.MessageService(
            peer_id=peer(stored.peer_id), action=stored.action, **_writer(stored), **_header(viewer, stored)
        )
    return types.Message(
        peer_id=peer(stored.peer_id),
        edit_date=stored.edited,
        edit_hide=stored.edit_hidden or None,
        reply_markup=stored.markup,
        reactions=shown_reactions(viewer.id, stored.reactions, names=not is_post(stored)),
        **_writer(stored),
        **_common(viewer, stored),
    )


def is_post(stored: StoredMessage) -> bool:
    """Return whether it is a channel's post, of which nobody is shown as the writer."""
    return stored.from_id is None and is_channel(stored.peer_id)


def _writer(stored: StoredMessage) -> dict[str, Any]:
    """Return the fields that say who wrote it. Private chats leave it out: it is known by the chat."""
    fields: dict[str, Any] = {"post": True} if is_post(stored) else {}
    if stored.from_id and (is_group(stored.peer_id) or stored.out):
        fields["from_id"] = peer(stored.from_id)
    if stored.via_business_bot:
        fields["via_business_bot_id"] = stored.via_business_bot
    return fields


def update(state: SandboxState, viewer: Account, event: BoxEvent) -> TLObject | None:
    """Return the update about an event, None if its message is deleted."""
    if is_channel(event.owner_id):
        return _channel_update(state, viewer, event)
    pts: dict[str, Any] = {"pts": event.pts, "pts_count": event.pts_count}
    match event.change:
        case New(id_) | Edited(id_) if stored := viewer.box.messages.get(id_):
            kind = types.UpdateNewMessage if isinstance(event.change, New) else types.UpdateEditMessage
            return kind(message=message(viewer, stored), **pts)
        case Deleted(ids):
            return types.UpdateDeleteMessages(messages=list(ids), **pts)
        case ReadInbox(peer_id, max_id, unread):
            chat = peer(peer_id)
            return types.UpdateReadHistoryInbox(peer=chat, max_id=max_id, still_unread_count=unread, **pts)
        case ReadOutbox(peer_id, max_id):
            return types.UpdateReadHistoryOutbox(peer=peer(peer_id), max_id=max_id, **pts)
    return None


def _channel_update(state: SandboxState, viewer: Account, event: BoxEvent) -> TLObject | None:
    messages = state.box(event.owner_id).messages
    pts: dict[str, Any] = {"pts": event.pts, "pts_count": event.pts_count}
    match event.change:
        case New(id_) | Edited(id_) if stored := messages.get(id_):
            kind = types.UpdateNewChannelMessage if isinstance(event.change, New) else types.UpdateEditChannelMessage
            return kind(message=message(viewer, stored), **pts)
        case Deleted(ids):
            return types.UpdateDeleteChannelMessages(channel_id=bare_id(event.owner_id), messages=list(ids), **pts)
    return None


def stopped(stop: Stopped) -> types.UpdateBotStopped:
    return types.UpdateBotStopped(user_id=stop.user_id, date=stop.date, stopped=stop.stopped, qts=stop.qts)


def counted_by_qts(event: Stopped | BotChange) -> tuple[TLObject, list[int]]:
    """Return the update about the event, and the users and groups that it is about."""
    if isinstance(event, Stopped):
        return stopped(event), [event.user_id]
    return event.update, list(event.ids)


def has_update(state: SandboxState, viewer: Account, event: BoxEvent) -> bool:
    """Return whether the viewer gets an update about the event: bots get none about their own messages."""
    sent = state.box(event.owner_id).messages.get(event.change.message_id) if isinstance(event.change, New) else None
    return not (viewer.bot and sent and sent.sender_id == viewer.id)


def peer_ids(state: SandboxState, event: BoxEvent) -> list[int]:
    """Return the users and groups whom the event is about, besides the box's owner."""
    match event.change:
        case New(id_) | Edited(id_) if stored := state.box(event.owner_id).messages.get(id_):
            return message_ids(stored)
        case ReadInbox(peer_id=peer_id) | ReadOutbox(peer_id=peer_id):
            return [peer_id]
    return [event.owner_id] if is_channel(event.owner_id) else []


def message_ids(stored: StoredMessage) -> list[int]:
    """Return the users and groups that come with a message: its chat, its writer, who is named and who reacted."""
    named = [id_ for entity in stored.entities or () if (id_ := getattr(entity, "user_id", None))]
    writer = [stored.from_id] if stored.from_id else []
    return [stored.peer_id, *writer, *named, *stored.reactions]


def updates(state: SandboxState, viewer: Account, parts: Objects, ids: Iterable[int]) -> types.Updates:
    ids = list(ids)
    return types.Updates(
        updates=parts,
        users=users(state, viewer, ids),
        chats=chats(state, viewer, ids),
        date=state.now,
        seq=0,
    )


def push(state: SandboxState, viewer: Account, event: BoxEvent, *, short: bool) -> TLObject | None:
    """Return what to push to the viewer's sessions, None if nothing. `short`: new messages in the short form."""
    if not has_update(state, viewer, event):
        return None
    if short and isinstance(event.change, New) and not is_channel(event.owner_id):
        stored = viewer.box.messages.get(event.change.message_id)
        if stored and not stored.action:
            return _short(viewer, event, stored)
    part = update(state, viewer, event)
    return updates(state, viewer, [part], peer_ids(state, event)) if part else None


def _short(viewer: Account, event: BoxEvent, stored: StoredMessage) -> TLObject:
    fields = {"pts": event.pts, "pts_count": event.pts_count, **_common(viewer, stored)}
    if is_group(stored.peer_id):
        return types.UpdateShortChatMessage(from_id=stored.sender_id, chat_id=bare_id(stored.peer_id), **fields)
    return types.UpdateShortMessage(user_id=stored.peer_id, **fields)


def _common(viewer: Account, stored: StoredMessage) -> dict[str, Any]:
    """Return the fields that both forms of a message have."""
    return {"message": stored.text, "entities": stored.entities or None, **_header(viewer, stored)}


def _header(viewer: Account, stored: StoredMessage) -> dict[str, Any]:
    """Return the fields that service messages have, too. Unset flags are None, as pyrogram writes them.

    What users write to Saved Messages is not `out`: TDLib expects that, and Telethon sets the flag itself.
    """
    return {
        "id": stored.id,
        "date": stored.date,
        "out": (stored.sender_id == viewer.id != stored.peer_id and not is_post(stored)) or None,
        "mentioned": viewer.id in stored.mentioned or None,
        "silent": stored.silent or None,
        "reply_to": reply_header(stored),
    }
