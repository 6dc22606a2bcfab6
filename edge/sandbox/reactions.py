"""Reactions to messages, as each user sees them (https://core.telegram.org/api/reactions)."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from edge.sandbox.message_box import Reaction
from edge.sandbox.tl import types

MOST_RECENT = 3
"""The users whom a message names, at most; `messages.getMessageReactionsList` has all."""


def shown_reactions(viewer_id: int, reactions: Mapping[int, Reaction], *, names: bool) -> Any:
    """Return a message's reactions, None if there are none. `names`: with those who reacted last."""
    if not reactions:
        return None
    return types.MessageReactions(
        can_see_list=names or None,
        results=_counts(viewer_id, reactions),
        recent_reactions=recent(viewer_id, reactions)[:MOST_RECENT] if names else None,
    )


def recent(viewer_id: int, reactions: Mapping[int, Reaction]) -> list[Any]:
    """Return who reacted how, the latest first."""
    newer = "my" in types.MessagePeerReaction.__slots__
    found = []
    for user_id, reaction in reversed([*reactions.items()]):
        mine: Any = {"my": user_id == viewer_id or None} if newer else {}
        emoji = types.ReactionEmoji(emoticon=reaction.emoji)
        peer = types.PeerUser(user_id=user_id)
        found.append(types.MessagePeerReaction(peer_id=peer, date=reaction.date, reaction=emoji, **mine))
    return found


def _counts(viewer_id: int, reactions: Mapping[int, Reaction]) -> list[Any]:
    mine = reactions[viewer_id].emoji if viewer_id in reactions else None
    return [
        types.ReactionCount(
            reaction=types.ReactionEmoji(emoticon=emoji), count=count, chosen_order=0 if emoji == mine else None
        )
        for emoji, count in Counter(reaction.emoji for reaction in reactions.values()).most_common()
    ]
