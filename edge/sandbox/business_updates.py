"""What a connected bot is told: its connections, and the changes in the chats that they cover. All of it has a qts."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from edge.sandbox import render
from edge.sandbox.business import Connection
from edge.sandbox.business_types import types
from edge.sandbox.message_box import BotChange, BoxEvent, Deleted, Edited, New, StoredMessage
from edge.sandbox.peers import is_group
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import TLObject

Build = Callable[[int], TLObject]
"""Makes an update with this qts."""


def connection_changed(state: SandboxState, connection: Connection) -> BotChange:
    """Tell the bot that the connection is new, or disabled."""
    return _change(state, connection, lambda qts: connected(connection, qts), [connection.person_id])


def connected(connection: Connection, qts: int) -> TLObject:
    rights = types.BusinessBotRights(**dict.fromkeys(connection.rights, True)) if connection.rights else None
    told: TLObject = types.UpdateBotBusinessConnect(
        connection=types.BotBusinessConnection(
            connection_id=connection.id,
            user_id=connection.person_id,
            dc_id=connection.dc_id,
            date=connection.date,
            disabled=connection.disabled or None,
            rights=rights,
        ),
        qts=qts,
    )
    return told


def covers(state: SandboxState, connection: Connection, peer_id: int) -> bool:
    """Return whether the connection is for the chat with this user. It never is for chats with bots, and groups."""
    if is_group(peer_id):
        return False
    contacts = state.accounts[connection.person_id].contacts
    return not state.accounts[peer_id].bot and connection.covers(peer_id, contact=peer_id in contacts)


def noticed(state: SandboxState, event: BoxEvent, *, counted: bool = True) -> list[BotChange]:
    """Tell the bot that the owner of the event's box has connected. Without `counted`, the updates have the qts 0."""
    connection = state.business.connections.get(event.owner_id)
    if connection is None or connection.disabled:
        return []
    return [
        _change(state, connection, build, [event.owner_id, peer_id], counted=counted)
        for peer_id, build in _updates(state.accounts[event.owner_id], connection, event)
        if covers(state, connection, peer_id)
    ]


def new_message(connection: Connection, owner: Account, stored: StoredMessage, qts: int) -> TLObject:
    return _with_message(types.UpdateBotNewBusinessMessage, connection, owner, stored)(qts)


def _updates(owner: Account, connection: Connection, event: BoxEvent) -> Iterable[tuple[int, Build]]:
    """Return the updates about an event, each with the user in whose chat it happened."""
    match event.change:
        case New(id_) if stored := owner.box.messages.get(id_):
            yield stored.peer_id, _with_message(types.UpdateBotNewBusinessMessage, connection, owner, stored)
        case Edited(id_) if stored := owner.box.messages.get(id_):
            yield stored.peer_id, _with_message(types.UpdateBotEditBusinessMessage, connection, owner, stored)
        case Deleted(ids, peer_ids):
            lost = defaultdict(list)
            for id_, peer_id in zip(ids, peer_ids, strict=True):
                lost[peer_id].append(id_)
            for peer_id, lost_ids in lost.items():
                yield peer_id, _deleted(connection, peer_id, lost_ids)


def _with_message(
    update: Callable[..., TLObject], connection: Connection, owner: Account, stored: StoredMessage
) -> Build:
    replied = owner.box.messages.get(stored.reply_to or 0)
    message = render.message(owner, stored)
    reply_to = render.message(owner, replied) if replied else None
    return lambda qts: update(connection_id=connection.id, message=message, reply_to_message=reply_to, qts=qts)


def _deleted(connection: Connection, peer_id: int, ids: list[int]) -> Build:
    def build(qts: int) -> TLObject:
        update: TLObject = types.UpdateBotDeleteBusinessMessage(
            connection_id=connection.id, peer=types.PeerUser(user_id=peer_id), messages=ids, qts=qts
        )
        return update

    return build


def _change(
    state: SandboxState, connection: Connection, build: Build, user_ids: Iterable[int], *, counted: bool = True
) -> BotChange:
    box = state.accounts[connection.bot_id].box
    qts = box.qts + 1 if counted else 0
    change = BotChange(box.owner_id, qts, build(qts), tuple(user_ids))
    if counted:
        box.counted_by_qts.append(change)
    return change
