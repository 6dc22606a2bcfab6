"""Ids of chats in one number, as the Bot API has them: users above 0, basic groups below, channels far below.

Source: https://core.telegram.org/api/bots/ids.
"""

from typing import Any

from edge.sandbox.tl import types

CHANNEL_BASE = -1_000_000_000_000
"""Supergroups and channels have ids from here down."""


def is_group(peer_id: int) -> bool:
    """Return whether the id is that of a basic group, a supergroup or a channel."""
    return peer_id < 0


def is_channel(peer_id: int) -> bool:
    """Return whether the id is that of a supergroup or a channel."""
    return peer_id <= CHANNEL_BASE


def bare_id(peer_id: int) -> int:
    """Return the id as Telegram's types have it, without what tells the kind."""
    return CHANNEL_BASE - peer_id if is_channel(peer_id) else abs(peer_id)


def peer(peer_id: int) -> Any:
    """Return the id as Telegram's Peer."""
    if is_channel(peer_id):
        return types.PeerChannel(channel_id=bare_id(peer_id))
    return types.PeerChat(chat_id=-peer_id) if is_group(peer_id) else types.PeerUser(user_id=peer_id)


def addressed_id(input_peer: Any) -> int | None:
    """Return the id in an InputPeer, InputUser or InputChannel, None if there is none."""
    if channel_id := getattr(input_peer, "channel_id", None):
        return CHANNEL_BASE - int(channel_id)
    if chat_id := getattr(input_peer, "chat_id", None):
        return -int(chat_id)
    return getattr(input_peer, "user_id", None)
