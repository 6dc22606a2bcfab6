"""Pack several dialogues into one sequence, without attention between them."""

from bisect import bisect_left, insort
from collections.abc import Iterable
from random import Random
from typing import Any

import torch

from functions.generate.prompts.encoding import Encoded

Pack = dict[str, Any]
"""Tensors of shape (1, tokens): `input_ids`, `position_ids`, and `labels`, IGNORED where nothing is learned."""

IGNORED = -100


def pack_dialogues(encoded: Iterable[Encoded], *, tokens: int, seed: int) -> list[Pack]:
    """Pack as many dialogues together as fit into `tokens`, at least one; `seed` decides which, and their order."""
    random = Random(seed)  # noqa: S311 -- an order, no secret
    shuffled = [one for one in encoded if any(one.learned[1:])]
    random.shuffle(shuffled)
    groups = _groups(shuffled, tokens)
    random.shuffle(groups)
    return [_tensors(group) for group in groups]


def _groups(encoded: Iterable[Encoded], tokens: int) -> list[list[Encoded]]:
    """Put the longest first, each into the fullest group that has room for it: full packs take equally long."""
    groups: list[list[Encoded]] = []
    rooms: list[tuple[int, int]] = []  # in ascending order: the room in a group, and its number
    for one in sorted(encoded, key=lambda one: -len(one.ids)):
        place = bisect_left(rooms, (len(one.ids), 0))
        room, number = rooms.pop(place) if place < len(rooms) else (tokens, len(groups))
        if number == len(groups):
            groups.append([])
        groups[number].append(one)
        insort(rooms, (room - len(one.ids), number))
    return groups


def _tensors(group: list[Encoded]) -> Pack:
    """Return the tensors; positions restart with each dialogue, so that transformers separates their attention."""
    labels = [
        token if learned and place else IGNORED
        for one in group
        for place, (token, learned) in enumerate(zip(one.ids, one.learned, strict=True))
    ]
    return {
        "input_ids": torch.tensor([[token for one in group for token in one.ids]]),
        "position_ids": torch.tensor([[place for one in group for place in range(len(one.ids))]]),
        "labels": torch.tensor([labels]),
    }
