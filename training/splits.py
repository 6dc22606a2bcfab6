"""Split dialogues by time, so that no message is in two parts, and write them as JSON Lines."""

import json
from collections.abc import Iterator
from enum import StrEnum
from hashlib import sha256
from itertools import chain
from pathlib import Path

from training.messages import Fate
from training.workspace import Workspace


class Part(StrEnum):
    """Oldest first: what is measured on lies in the future of what was learned."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def assign(workspace: Workspace, shares: dict[Part, float]) -> None:
    """Give each kept dialogue its part; `shares` of validation and test, the rest is for training.

    A dialogue with a message that an earlier part has is dropped.
    """
    database = workspace.database
    total = workspace.count("SELECT count(*) FROM dialogues WHERE fate IS NULL")
    for place, (dialogue, rows) in enumerate(workspace.kept_dialogues("rows")):
        part = _part(place, total, shares)
        if _overlaps(workspace, rows, part):
            workspace.drop(dialogue, Fate.SPLIT_OVERLAP)
            continue
        database.execute("UPDATE dialogues SET part = ? WHERE id = ?", (part, dialogue))
        database.executemany(
            "INSERT OR IGNORE INTO used VALUES (?, ?)", ((row, part) for row in chain(*json.loads(rows)))
        )


def _part(place: int, total: int, shares: dict[Part, float]) -> Part:
    test = round(total * shares[Part.TEST])
    validation = round(total * shares[Part.VALIDATION])
    if place >= total - test:
        return Part.TEST
    return Part.VALIDATION if place >= total - test - validation else Part.TRAIN


def _overlaps(workspace: Workspace, rows: str, part: Part) -> bool:
    # CROSS JOIN keeps this order: a few rows, each looked up.
    query = "SELECT count(*) FROM json_tree(?) CROSS JOIN used ON used.row = atom WHERE part != ?"
    return workspace.count(query, rows, part) > 0


def write(workspace: Workspace, directory: Path) -> str:
    """Write `train.jsonl` and so on; returns the SHA-256 of the three files, one after the other, in hex."""
    digest = sha256()
    for part in Part:
        with (directory / f"{part}.jsonl").open("wb") as file:
            for line in _lines(workspace, part):
                file.write(line)
                digest.update(line)
    return digest.hexdigest()


def _lines(workspace: Workspace, part: Part) -> Iterator[bytes]:
    query = "SELECT messages, time, rows FROM dialogues WHERE part = ? ORDER BY time, id"
    for messages, time, rows in workspace.database.execute(query, (part,)):
        # Row numbers tell which messages two dialogues share, and nothing else.
        yield f'{{"messages": {messages}, "time": {time}, "rows": {rows}}}\n'.encode()
