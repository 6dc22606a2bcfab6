"""Convert the server's state into Telegram's types, from one user's point of view."""

from collections.abc import Iterable
from typing import Any

from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.message_box import (
    BoxEvent,
    BusinessChange,
    Deleted,
    Edited,
    New,
    ReadInbox,
    ReadOutbox,
    Stopped,
    StoredMessage,
)
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
    """Return the viewer and the users with `ids`, each once."""
    return [user(state, viewer, state.accounts[id_]) for id_ in dict.fromkeys((viewer.id, *ids))]


def message(owner: Account, stored: StoredMessage) -> types.Message:
    sender: dict[str, Any] = {"from_id": types.PeerUser(user_id=owner.id)} if stored.out else {}
    if stored.via_business_bot:
        sender["via_business_bot_id"] = stored.via_business_bot
    return types.Message(
        peer_id=types.PeerUser(user_id=stored.peer_id),
        edit_date=stored.edited,
        reply_markup=stored.markup,
        **sender,
        **_common(owner, stored),
    )


def update(owner: Account, event: BoxEvent) -> TLObject | None:
    """Return the update about an event, None if its message is deleted."""
    pts = {"pts": event.pts, "pts_count": event.pts_count}
    match event.change:
        case New(id_) if stored := owner.box.messages.get(id_):
            return types.UpdateNewMessage(message=message(owner, stored), **pts)
        case Edited(id_) if stored := owner.box.messages.get(id_):
            return types.UpdateEditMessage(message=message(owner, stored), **pts)
        case Deleted(ids):
            return types.UpdateDeleteMessages(messages=list(ids), **pts)
        case ReadInbox(peer_id, max_id, unread):
            peer = types.PeerUser(user_id=peer_id)
            return types.UpdateReadHistoryInbox(peer=peer, max_id=max_id, still_unread_count=unread, **pts)
        case ReadOutbox(peer_id, max_id):
            return types.UpdateReadHistoryOutbox(peer=types.PeerUser(user_id=peer_id), max_id=max_id, **pts)
    return None


def stopped(stop: Stopped) -> types.UpdateBotStopped:
    return types.UpdateBotStopped(user_id=stop.user_id, date=stop.date, stopped=stop.stopped, qts=stop.qts)


def counted_by_qts(event: Stopped | BusinessChange) -> tuple[TLObject, list[int]]:
    """Return the update about the event, and the users whom it is about."""
    if isinstance(event, Stopped):
        return stopped(event), [event.user_id]
    return event.update, list(event.user_ids)


def has_update(owner: Account, event: BoxEvent) -> bool:
    """Return whether the owner gets an update about the event: bots get none about their own messages."""
    sent = owner.box.messages.get(event.change.message_id) if isinstance(event.change, New) else None
    return not (owner.bot and sent and sent.out)


def peer_ids(owner: Account, event: BoxEvent) -> list[int]:
    """Return the users whom the event is about, besides its owner."""
    match event.change:
        case New(id_) | Edited(id_) if stored := owner.box.messages.get(id_):
            return [stored.peer_id]
        case ReadInbox(peer_id=peer_id) | ReadOutbox(peer_id=peer_id):
            return [peer_id]
    return []


def updates(state: SandboxState, owner: Account, parts: Objects, ids: Iterable[int]) -> types.Updates:
    return types.Updates(updates=parts, users=users(state, owner, ids), chats=[], date=state.now, seq=0)


def push(state: SandboxState, event: BoxEvent, *, short: bool) -> TLObject | None:
    """Return what to push to the owner's sessions, None if nothing. `short`: new messages as UpdateShortMessage."""
    owner = state.accounts[event.owner_id]
    if not has_update(owner, event):
        return None
    if short and isinstance(event.change, New) and (stored := owner.box.messages.get(event.change.message_id)):
        return types.UpdateShortMessage(
            user_id=stored.peer_id, pts=event.pts, pts_count=event.pts_count, **_common(owner, stored)
        )
    part = update(owner, event)
    return updates(state, owner, [part], peer_ids(owner, event)) if part else None


def _common(owner: Account, stored: StoredMessage) -> dict[str, Any]:
    """Return the fields that both forms of a message have. Unset flags are None, as pyrogram writes them.

    What users write to Saved Messages is not `out`: TDLib expects that, and Telethon sets the flag itself.
    """
    return {
        "id": stored.id,
        "message": stored.text,
        "date": stored.date,
        "out": (stored.out and stored.peer_id != owner.id) or None,
        "silent": stored.silent or None,
        "entities": stored.entities or None,
        "reply_to": types.MessageReplyHeader(reply_to_msg_id=stored.reply_to) if stored.reply_to else None,
    }
