"""Send, edit, delete and read messages: change the users' message boxes, and return the changes as events."""

from edge.sandbox.message_box import BoxEvent, Deleted, Edited, New, ReadInbox, ReadOutbox, Stopped, StoredMessage
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import Objects, TLObject


def send(
    state: SandboxState,
    sender: Account,
    peer: Account,
    text: str,
    *,
    reply_to: int | None = None,
    silent: bool = False,
    entities: Objects | None = None,
    markup: TLObject | None = None,
) -> tuple[StoredMessage, list[BoxEvent]]:
    """Put a copy into both boxes (one, if the user writes to itself); return the sender's copy and the events."""
    key, date = next(state.message_keys), state.now
    state.live_drafts.end(sender.id, peer.id)
    sender.met.add(peer.id)
    peer.met.add(sender.id)
    answered = _in_chat(sender, peer.id, reply_to)
    copies, events = [], []
    for owner in _both(sender, peer):
        other = peer if owner is sender else sender
        message = owner.box.add(key=key, peer_id=other.id, text=text, out=owner is sender, date=date)
        copy = owner.box.copy_of(answered)
        message.reply_to, message.silent = copy.id if copy else None, silent
        message.entities, message.markup = entities, markup
        copies.append(message)
        events.append(owner.box.record(New(message.id)))
    return copies[0], events


def edit(
    state: SandboxState,
    author: Account,
    message: StoredMessage,
    text: str,
    *,
    entities: Objects | None = None,
    markup: TLObject | None = None,
) -> list[BoxEvent]:
    """Change every copy that still exists; return the events, the author's first."""
    events, date = [], state.now
    for owner in _both(author, state.accounts[message.peer_id]):
        if copy := owner.box.copy_of(message):
            copy.text, copy.edited, copy.entities, copy.markup = text, date, entities, markup
            events.append(owner.box.record(Edited(copy.id)))
    return events


def delete(state: SandboxState, owner: Account, messages: list[StoredMessage], *, revoke: bool) -> list[BoxEvent]:
    """Delete the owner's copies, with `revoke` the peers' too; return an event for each box that has lost messages."""
    lost: dict[int, dict[int, int]] = {}
    for message in messages:
        peer = state.accounts[message.peer_id]
        for holder in _both(owner, peer) if revoke else [owner]:
            if copy := holder.box.copy_of(message):
                del holder.box.messages[copy.id]
                lost.setdefault(holder.id, {})[copy.id] = copy.peer_id
    return [
        state.accounts[id_].box.record(Deleted(tuple(found), tuple(found.values())), len(found))
        for id_, found in lost.items()
    ]


def block(state: SandboxState, user: Account, peer: Account, blocked: bool) -> Stopped | None:
    """Block or unblock the peer; return the event for the peer if it is a bot."""
    (user.blocked.add if blocked else user.blocked.discard)(peer.id)
    if not peer.bot:
        return None
    stopped = Stopped(user.id, blocked, state.now, peer.box.qts + 1)
    peer.box.counted_by_qts.append(stopped)
    return stopped


def read(reader: Account, peer: Account, max_id: int) -> list[BoxEvent]:
    """Mark the peer's messages as read, up to `max_id` (0: all). Returns no events if nothing was unread."""
    incoming = [m for m in reader.box.chat(peer.id) if not m.out and (not max_id or m.id <= max_id)]
    if not incoming or incoming[-1].id <= reader.box.read_inbox.get(peer.id, 0):
        return []
    last = incoming[-1]
    reader.box.read_inbox[peer.id] = last.id
    events = [reader.box.record(ReadInbox(peer.id, last.id, reader.box.unread()[peer.id]))]
    if (copy := peer.box.copy_of(last)) and not peer.bot:  # bots get no read receipts
        peer.box.read_outbox[reader.id] = copy.id
        events.append(peer.box.record(ReadOutbox(reader.id, copy.id)))
    return events


def _in_chat(owner: Account, peer_id: int, message_id: int | None) -> StoredMessage | None:
    message = owner.box.messages.get(message_id or 0)
    return message if message and message.peer_id == peer_id else None


def _both(first: Account, second: Account) -> list[Account]:
    return [first] if first is second else [first, second]
