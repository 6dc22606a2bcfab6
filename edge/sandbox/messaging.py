"""Send, edit, delete and read messages: change the message boxes, and return the changes as events."""

from dataclasses import dataclass, replace

from edge.sandbox.groups import Group
from edge.sandbox.message_box import (
    BoxEvent,
    Deleted,
    Edited,
    MessageBox,
    New,
    ReadInbox,
    ReadOutbox,
    Stopped,
    StoredMessage,
)
from edge.sandbox.peers import is_group
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import Objects, TLObject

Peer = Account | Group


@dataclass(frozen=True, slots=True)
class Content:
    """What a new message has besides the chat: `reply_to` and `top_id` are ids in the sender's box.

    `anonymous`: it is shown as written by the group. `action`: it is a service message.
    """

    text: str = ""
    reply_to: int | None = None
    silent: bool = False
    entities: Objects | None = None
    markup: TLObject | None = None
    action: TLObject | None = None
    anonymous: bool = False
    top_id: int | None = None
    in_topic: bool = False
    mentioned: frozenset[int] = frozenset()


def send(state: SandboxState, sender: Account, peer: Peer, content: Content) -> tuple[StoredMessage, list[BoxEvent]]:
    """Put a copy into every box of the chat (one, if the user writes to itself); return the first one and the events.

    The first copy is the sender's own, or that of the channel.
    """
    key, date = next(state.message_keys), state.now
    state.live_drafts.end(sender.id, peer.id)
    if isinstance(peer, Account):
        sender.met.add(peer.id)
        peer.met.add(sender.id)
    answered = _in_chat(state.chat_box(sender, peer.id), peer.id, content.reply_to)
    copies, events = list[StoredMessage](), list[BoxEvent]()
    for box in _boxes(state, sender, peer.id):
        copy = box.copy_of(answered)
        message = _add(box, sender, peer, replace(content, reply_to=copy.id if copy else None), key=key, date=date)
        message.reactions = copies[0].reactions if copies else message.reactions
        copies.append(message)
        events.append(box.record(New(message.id)))
    return copies[0], events


def _add(box: MessageBox, sender: Account, peer: Peer, content: Content, *, key: int, date: int) -> StoredMessage:
    chat = peer.id if isinstance(peer, Group) or box.owner_id == sender.id else sender.id
    own = box.owner_id == sender.id
    message = box.add(key=key, peer_id=chat, text=content.text, out=own, date=date, sender_id=sender.id)
    message.from_id = _shown_writer(sender, peer, content)
    for name in ("reply_to", "silent", "entities", "markup", "action", "top_id", "in_topic", "mentioned"):
        setattr(message, name, getattr(content, name))
    return message


def _shown_writer(sender: Account, peer: Peer, content: Content) -> int | None:
    if isinstance(peer, Group) and peer.broadcast:
        return None
    return peer.id if content.anonymous else sender.id


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
    for box in _boxes(state, author, message.peer_id):
        if copy := box.copy_of(message):
            copy.text, copy.entities, copy.markup = text, entities, markup
            copy.edited, copy.edit_hidden = date, False
            events.append(box.record(Edited(copy.id)))
    return events


def delete(state: SandboxState, owner: Account, messages: list[StoredMessage], *, revoke: bool) -> list[BoxEvent]:
    """Delete the owner's copies, with `revoke` the others' too; return an event for each box that has lost messages."""
    lost: dict[int, dict[int, int]] = {}
    for message in messages:
        boxes = _boxes(state, owner, message.peer_id)
        for box in boxes if revoke else boxes[:1]:
            if copy := box.copy_of(message):
                del box.messages[copy.id]
                lost.setdefault(box.owner_id, {})[copy.id] = copy.peer_id
    return [
        state.box(id_).record(Deleted(tuple(found), tuple(found.values())), len(found)) for id_, found in lost.items()
    ]


def block(state: SandboxState, user: Account, peer: Account, blocked: bool) -> Stopped | None:
    """Block or unblock the peer; return the event for the peer if it is a bot."""
    (user.blocked.add if blocked else user.blocked.discard)(peer.id)
    if not peer.bot:
        return None
    stopped = Stopped(user.id, blocked, state.now, peer.box.qts + 1)
    peer.box.counted_by_qts.append(stopped)
    return stopped


def read(state: SandboxState, reader: Account, peer_id: int, max_id: int) -> list[BoxEvent]:
    """Mark others' messages in the reader's box as read, up to `max_id` (0: all). No events if nothing was unread."""
    incoming = [m for m in reader.box.chat(peer_id) if not m.out and (not max_id or m.id <= max_id)]
    if not incoming or incoming[-1].id <= reader.box.read_inbox.get(peer_id, 0):
        return []
    last = incoming[-1]
    reader.box.read_inbox[peer_id] = last.id
    events = [reader.box.record(ReadInbox(peer_id, last.id, reader.box.unread()[peer_id]))]
    writer = state.accounts[last.sender_id]
    if (copy := writer.box.copy_of(last)) and not writer.bot:  # bots get no read receipts
        writer.box.read_outbox[copy.peer_id] = copy.id
        events.append(writer.box.record(ReadOutbox(copy.peer_id, copy.id)))
    return events


def _in_chat(box: MessageBox, peer_id: int, message_id: int | None) -> StoredMessage | None:
    message = box.messages.get(message_id or 0)
    return message if message and message.peer_id == peer_id else None


def _boxes(state: SandboxState, user: Account, peer_id: int) -> list[MessageBox]:
    """Return the boxes that have the messages of a chat, the first is that in which the user finds them."""
    first = state.chat_box(user, peer_id)
    if first is not user.box:
        return [first]
    others = state.groups[peer_id].members if is_group(peer_id) else [peer_id]
    return [first, *(state.accounts[id_].box for id_ in others if id_ != user.id)]
