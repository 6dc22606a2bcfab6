"""Split dialogues by time so that no message is in two parts, and write them as JSON Lines."""

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
    """The parts of the data, oldest first: a model is tested on dialogues later than those it was trained on."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


MIN_DIALOGUES = 20
"""With fewer, all dialogues are for training: a part of one or two is too small to measure on."""


@dataclass(frozen=True, slots=True)
class _KeptDialogue:
    """A stored dialogue that was not dropped."""

    id: int
    messages: list[dict[str, str]]
    rows: list[list[int]]

    @property
    def question(self) -> int:
        """Return the position of the last turn that is not the owner's."""
        return max(place for place, turn in enumerate(self.messages) if turn["role"] == Role.USER.value)

    def from_turn(self, turn: int) -> "_KeptDialogue":
        """Return the dialogue without the turns before `turn`; the other speakers are renumbered."""
        names = list(dict.fromkeys(said["name"] for said in self.messages if "name" in said))
        kept = self.messages[turn:]
        speakers = dict.fromkeys(said["name"] for said in kept if "name" in said)
        renamed = dict(zip(speakers, names, strict=False))
        return _KeptDialogue(
            self.id,
            [{**said, "name": renamed[said["name"]]} if "name" in said else said for said in kept],
            self.rows[turn:],
        )


def assign_parts(workspace: Workspace, shares: dict[Part, float]) -> None:
    """Assign each kept dialogue that has none to a part. `shares`: of validation and test; the rest is for training.

    Fewer than `MIN_DIALOGUES` are all for training. Otherwise each part with a share begins at a question that is in no
    earlier dialogue. Turns that are in an earlier part are cut off; a dialogue whose question is among them is dropped.
    """
    _number_dialogues(workspace)
    total = workspace.count("SELECT count(*) FROM numbered")
    test = _find_beginning(workspace, total, _part_size(total, shares[Part.TEST]))
    validation = _find_beginning(workspace, test, _part_size(total, shares[Part.VALIDATION]))
    workspace.database.execute(
        "UPDATE dialogues SET part = ? WHERE id IN (SELECT id FROM numbered WHERE place <= ?)",
        (Part.TRAIN, validation),
    )
    workspace.database.execute("DELETE FROM used WHERE place > ?", (validation,))
    for part, (begin, end) in zip((Part.VALIDATION, Part.TEST), pairwise((validation, test, total)), strict=True):
        for place in range(begin + 1, end + 1):
            _assign_part(workspace, place, part, begin)


def too_few_warning(dialogues: int) -> str | None:
    """Return one line on what fit and evaluate can't do with so few dialogues, or None if there are enough."""
    if dialogues >= MIN_DIALOGUES:
        return None
    counted = f"{dialogues} dialogue{'s' * (dialogues != 1)}"
    return (
        f"Only {counted}: all are for training, because validation and test take at least {MIN_DIALOGUES}. fit can't "
        "see when it has learned enough, so give it few TRAINING_EPOCHS, and evaluate has nothing to measure on. "
        "More chats, or an export of the whole account, give more dialogues."
    )


def _number_dialogues(workspace: Workspace) -> None:
    """Number the kept dialogues without a part from 1, oldest first; store for each message the first that has it."""
    workspace.database.execute("CREATE TABLE numbered (place INTEGER PRIMARY KEY, id INTEGER)")
    workspace.database.execute(
        "INSERT INTO numbered (id) SELECT id FROM dialogues "
        "WHERE drop_reason IS NULL AND part IS NULL ORDER BY time, id"
    )
    # CROSS JOIN keeps this order, so the first of several stays.
    workspace.database.execute(
        "INSERT OR IGNORE INTO used SELECT atom, place FROM numbered CROSS JOIN dialogues USING (id) "
        "CROSS JOIN json_tree(dialogues.rows) WHERE atom IS NOT NULL ORDER BY place"
    )


def _part_size(total: int, share: float) -> int:
    return max(round(total * share), 1) if share and total >= MIN_DIALOGUES else 0


def _find_beginning(workspace: Workspace, end: int, size: int) -> int:
    """Return how many dialogues precede the part of about `size` that ends with dialogue `end`.

    The part begins at the nearest earlier dialogue whose question is in no dialogue before it; earlier parts keep at
    least half of the dialogues.
    """
    if not size:
        return end
    begin = max(end - size, end // 2)
    for before in range(begin, begin // 2, -1):
        dialogue = _load_dialogue(workspace, before + 1)
        if not _rows_before(workspace, dialogue.rows[dialogue.question :], before=before + 1):
            return before
    return begin


def _assign_part(workspace: Workspace, place: int, part: Part, begin: int) -> None:
    """Put a dialogue into `part`, which begins after dialogue `begin`, without turns that are in earlier parts."""
    dialogue = _load_dialogue(workspace, place)
    shown = _rows_before(workspace, dialogue.rows, before=begin + 1)
    first = max((turn + 1 for turn, rows in enumerate(dialogue.rows) if not shown.isdisjoint(rows)), default=0)
    if first > dialogue.question:
        workspace.drop_dialogue(dialogue.id, DropReason.SPLIT_OVERLAP)
        return
    if first:
        dialogue = dialogue.from_turn(first)
        workspace.database.execute(
            "UPDATE dialogues SET messages = ?, rows = ? WHERE id = ?",
            (json.dumps(dialogue.messages, ensure_ascii=False), json.dumps(dialogue.rows), dialogue.id),
        )
    workspace.database.execute("UPDATE dialogues SET part = ? WHERE id = ?", (part, dialogue.id))
    workspace.database.executemany(
        "INSERT OR IGNORE INTO used VALUES (?, ?)", ((row, place) for row in chain(*dialogue.rows))
    )


def _load_dialogue(workspace: Workspace, place: int) -> _KeptDialogue:
    query = "SELECT id, messages, rows FROM numbered JOIN dialogues USING (id) WHERE place = ?"
    number, messages, rows = workspace.database.execute(query, (place,)).fetchone()
    return _KeptDialogue(number, json.loads(messages), json.loads(rows))


def _rows_before(workspace: Workspace, rows: list[list[int]], before: int) -> set[int]:
    """Return those of `rows` that are in a dialogue before `before`."""
    query = "SELECT row FROM json_each(?) CROSS JOIN used ON used.row = value WHERE place < ?"
    return {row for (row,) in workspace.database.execute(query, (json.dumps([*chain(*rows)]), before))}


def write_parts(workspace: Workspace, directory: Path) -> str:
    """Write a JSON Lines file for each part; return the SHA-256 of the three files, concatenated, in hex."""
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
