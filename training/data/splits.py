"""Split dialogues by time, so that no message is in two parts, and write them as JSON Lines."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import chain, pairwise
from pathlib import Path

from events.schema import Role
from training.data.telegram.messages import DropReason
from training.data.workspace import Workspace


class Part(StrEnum):
    """Oldest first: the model is tested on dialogues later than those it was trained on."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


FEWEST = 20
"""With fewer dialogues all are for training: one or two are too few to measure on."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A dialogue without a fate, as it is stored."""

    id: int
    messages: list[dict[str, str]]
    rows: list[list[int]]

    @property
    def question(self) -> int:
        """Return the position of the last turn that is not the owner's."""
        return max(place for place, turn in enumerate(self.messages) if turn["role"] == Role.USER.value)

    def since(self, turn: int) -> "_Kept":
        """Return it without the turns before `turn`; the others are numbered anew in the order in which they speak."""
        names = list(dict.fromkeys(said["name"] for said in self.messages if "name" in said))
        kept = self.messages[turn:]
        speakers = dict.fromkeys(said["name"] for said in kept if "name" in said)
        renamed = dict(zip(speakers, names, strict=False))
        return _Kept(
            self.id,
            [{**said, "name": renamed[said["name"]]} if "name" in said else said for said in kept],
            self.rows[turn:],
        )


def assign_parts(workspace: Workspace, shares: dict[Part, float]) -> None:
    """Assign each kept dialogue to a part; `shares`: of validation and test; the rest is for training.

    Fewer than `FEWEST` are all for training. Otherwise each part with a share begins at a question that no earlier
    dialogue shows. Turns that an earlier part shows are cut off from a dialogue; if its question is among them, it is
    dropped.
    """
    _number(workspace)
    total = workspace.count("SELECT count(*) FROM numbered")
    test = _begin(workspace, total, _size(total, shares[Part.TEST]))
    validation = _begin(workspace, test, _size(total, shares[Part.VALIDATION]))
    workspace.database.execute(
        "UPDATE dialogues SET part = ? WHERE id IN (SELECT id FROM numbered WHERE place <= ?)",
        (Part.TRAIN, validation),
    )
    workspace.database.execute("DELETE FROM used WHERE place > ?", (validation,))
    for part, (begin, end) in zip((Part.VALIDATION, Part.TEST), pairwise((validation, test, total)), strict=True):
        for place in range(begin + 1, end + 1):
            _place(workspace, place, part, begin)


def too_few_warning(dialogues: int) -> str | None:
    """Return one line that says what fit and evaluate can't do with so few dialogues; None if there are enough."""
    if dialogues >= FEWEST:
        return None
    counted = f"{dialogues} dialogue{'s' * (dialogues != 1)}"
    return (
        f"Only {counted}: all are for training, because validation and test take at least {FEWEST}. fit can't see when "
        "it has learned enough, so give it few TRAINING_EPOCHS, and evaluate has nothing to measure on. More chats, or "
        "an export of the whole account, give more dialogues."
    )


def _number(workspace: Workspace) -> None:
    """Number the kept dialogues from 1, oldest first, and store the first one that shows each message."""
    workspace.database.execute("CREATE TABLE numbered (place INTEGER PRIMARY KEY, id INTEGER)")
    workspace.database.execute(
        "INSERT INTO numbered (id) SELECT id FROM dialogues WHERE fate IS NULL ORDER BY time, id"
    )
    # CROSS JOIN keeps this order, so the first of several stays.
    workspace.database.execute(
        "INSERT OR IGNORE INTO used SELECT atom, place FROM numbered CROSS JOIN dialogues USING (id) "
        "CROSS JOIN json_tree(dialogues.rows) WHERE atom IS NOT NULL ORDER BY place"
    )


def _size(total: int, share: float) -> int:
    return max(round(total * share), 1) if share and total >= FEWEST else 0


def _begin(workspace: Workspace, end: int, size: int) -> int:
    """Return how many dialogues come before the part of about `size` that ends with dialogue `end`.

    The part begins at the nearest earlier dialogue whose question no dialogue before it shows; earlier parts keep at
    least half of the dialogues.
    """
    if not size:
        return end
    begin = max(end - size, end // 2)
    for before in range(begin, begin // 2, -1):
        dialogue = _load(workspace, before + 1)
        if not _shown(workspace, dialogue.rows[dialogue.question :], before=before + 1):
            return before
    return begin


def _place(workspace: Workspace, place: int, part: Part, begin: int) -> None:
    """Put a dialogue into `part`, which begins after dialogue `begin`, without the turns that earlier parts show."""
    dialogue = _load(workspace, place)
    shown = _shown(workspace, dialogue.rows, before=begin + 1)
    first = max((turn + 1 for turn, rows in enumerate(dialogue.rows) if not shown.isdisjoint(rows)), default=0)
    if first > dialogue.question:
        workspace.drop(dialogue.id, DropReason.SPLIT_OVERLAP)
        return
    if first:
        dialogue = dialogue.since(first)
        workspace.database.execute(
            "UPDATE dialogues SET messages = ?, rows = ? WHERE id = ?",
            (json.dumps(dialogue.messages, ensure_ascii=False), json.dumps(dialogue.rows), dialogue.id),
        )
    workspace.database.execute("UPDATE dialogues SET part = ? WHERE id = ?", (part, dialogue.id))
    workspace.database.executemany(
        "INSERT OR IGNORE INTO used VALUES (?, ?)", ((row, place) for row in chain(*dialogue.rows))
    )


def _load(workspace: Workspace, place: int) -> _Kept:
    query = "SELECT id, messages, rows FROM numbered JOIN dialogues USING (id) WHERE place = ?"
    number, messages, rows = workspace.database.execute(query, (place,)).fetchone()
    return _Kept(number, json.loads(messages), json.loads(rows))


def _shown(workspace: Workspace, rows: list[list[int]], before: int) -> set[int]:
    """Return those of `rows` that a dialogue before `before` shows."""
    query = "SELECT row FROM json_each(?) CROSS JOIN used ON used.row = value WHERE place < ?"
    return {row for (row,) in workspace.database.execute(query, (json.dumps([*chain(*rows)]), before))}


def write_parts(workspace: Workspace, directory: Path) -> str:
    """Write `train.jsonl` and so on; return the SHA-256 of the three files, one after the other, in hex."""
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
        # Row numbers only show which messages two dialogues share.
        yield f'{{"messages": {messages}, "time": {time}, "rows": {rows}}}\n'.encode()
