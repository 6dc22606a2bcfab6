"""Which blows between Telegram and one account a plan has beside the others: `edge_faults.py` strikes them."""

from collections.abc import Iterator
from random import Random

SHARE = 0.4
"""Of the seeds, how many have such blows; and how many they have:"""
COUNT = (1, 4)
KINDS = {
    "send_refused": 4,
    "user_blocks": 3,
    "reply_gone": 3,
    "edit_refused": 3,
    "line_deleted": 2,
    "deletion_refused": 2,
    "sign_refused": 1,
    "repeats_refused": 2,
    "send_unknown": 2,
    "edit_unknown": 2,
    "record_broken": 5,
    "reply_forged": 5,
    "reply_to_nobody": 2,
    "packet_unreadable": 2,
    "packet_outdated": 1,
    "session_renewed": 2,
    "salt_changed": 1,
}
OF_CHATS = {"look_refused": 4, "look_unknown": 4}
"""Only without those after which missed messages have to be read in the chats: what Telegram did not show is lost."""
OF_STATE = {"difference_too_long": 6, "state_refused": 2, "difference_unknown": 2, "state_unknown": 2, "state_ahead": 3}


def drawn(seed: int, edges: tuple[str, ...], until: float) -> Iterator[tuple[float, str, str, float]]:
    """Yield what a blow of a plan has: when, what, whom, and its size."""
    chance = Random(f"edge faults {seed}")
    if chance.random() >= SHARE:
        return
    kinds = KINDS | chance.choice((OF_CHATS, OF_STATE))
    for _ in range(chance.randint(*COUNT)):
        (what,) = chance.choices(list(kinds), list(kinds.values()))
        at, whom = round(chance.uniform(0, until), 3), chance.choice(edges)
        yield at, f"edge_{what}", whom, round(chance.random(), 3)
