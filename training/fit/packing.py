"""Pack several dialogues into one sequence, without attention between them."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import torch

from functions.generate.prompts.encoding import Encoded

Pack = dict[str, Any]
"""Tensors of shape (1, tokens): `input_ids`, `position_ids`, and `labels`, IGNORED where nothing is learned."""

IGNORED = -100


def pack_dialogues(encoded: Iterable[Encoded], *, tokens: int, seed: int) -> list[Pack]:
    """Shuffle `encoded` with `seed` and pack as many together as fit into `tokens`, at least one."""
    shuffled = [one for one in encoded if any(one.learned[1:])]
    Random(seed).shuffle(shuffled)  # noqa: S311 -- an order, no secret
    return [_tensors(group) for group in _groups(shuffled, tokens)]


def _groups(encoded: list[Encoded], tokens: int) -> Iterator[list[Encoded]]:
    group: list[Encoded] = []
    room = tokens
    for one in encoded:
        if group and len(one.ids) > room:
            yield group
            group, room = [], tokens
        group.append(one)
        room -= len(one.ids)
    if group:
        yield group


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
