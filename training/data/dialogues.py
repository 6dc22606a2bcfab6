"""Make dialogues of turns: each ends with a turn of the owner and shows what led to it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from events.schema import Role
from training.data.duplicates import exchange_key
from training.data.languages import Languages
from training.data.placeholders import person
from training.data.private_data import is_only_placeholders
from training.data.telegram.messages import QUOTABLE, DropReason
from training.data.workspace import StoredMessage, StoredTurn, Workspace


@dataclass(frozen=True, slots=True)
class DialogueTurn:
    """A turn, or its beginning, as shown in a dialogue."""

    author: str
    rows: tuple[StoredMessage, ...]

    @property
    def text(self) -> str:
        return "\n".join(row.text for row in self.rows)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Turns, oldest first; the last one is the owner's."""

    parts: tuple[DialogueTurn, ...]
    owner: frozenset[str]

    @property
    def time(self) -> int:
        return self.parts[-1].rows[0].time

    @property
    def question(self) -> str:
        """Return all that others said since the owner's last turn."""
        said: list[str] = []
        for part in reversed(self.parts[:-1]):
            if part.author in self.owner and said:
                break
            said[:0] = [part.text]
        return "\n".join(said)

    @property
    def answer(self) -> str:
        return self.parts[-1].text

    @property
    def chat(self) -> int:
        return self.parts[-1].rows[0].chat

    def messages(self, person: str) -> list[dict[str, str]]:
        """Return it as `messages`. Others get a `name`, such as `person` 1, the same throughout the dialogue."""
        names: dict[str, str] = {}
        return [
            {"role": Role.ASSISTANT.value, "content": part.text}
            if part.author in self.owner
            else {
                "role": Role.USER.value,
                "name": names.setdefault(part.author, f"{person} {len(names) + 1}"),
                "content": part.text,
            }
            for part in self.parts
        ]

    def rows(self) -> list[list[int]]:
        """Return the rows of each turn."""
        return [[row.row for row in part.rows] for part in self.parts]

    @property
    def fate(self) -> DropReason | None:
        """Return why it can't be trained on, or None."""
        if all(part.author in self.owner for part in self.parts):
            return DropReason.NO_QUESTION
        return DropReason.ONLY_PLACEHOLDERS if is_only_placeholders(self.answer) else None


def make_dialogues(workspace: Workspace, owner: frozenset[str], *, context_turns: int) -> Iterator[Dialogue]:
    """Yield a dialogue for each turn of the owner.

    The context is the thread of replies that leads to the turn. If only the owner speaks in it, the earlier turns of
    the session come before it.
    """
    for turn in workspace.turns_of(owner):
        thread = _thread(workspace, turn, owner, context_turns)
        if all(part.author in owner for part in thread):
            begun = workspace.turn_with(thread[0].rows[0].row) if thread else turn
            earlier = workspace.turns_before(begun, context_turns - len(thread))
            thread = [*(_part(workspace, other) for other in earlier), *thread]
        yield Dialogue((*thread, _part(workspace, turn)), owner)


def _thread(workspace: Workspace, turn: StoredTurn, owner: frozenset[str], limit: int) -> list[DialogueTurn]:
    """Return what `turn` answers, what that answers, and so on, oldest first; a cycle ends the thread."""
    thread: list[DialogueTurn] = []
    row, seen = turn.reply_row, {turn.first_row}
    while row is not None and len(thread) < limit:
        message = workspace.row(row)
        if message.fate is None:
            said = workspace.turn_with(row)
            part, first, answers = _part(workspace, said, until=row), said.first_row, said.reply_row
        else:
            part, first, answers = DialogueTurn(message.author, (message,)), row, message.reply_row
        if first in seen or (message.fate and message.fate not in QUOTABLE):
            break
        seen.add(first)
        # What the owner only forwarded is not in the owner's words.
        if message.fate is None or message.author not in owner:
            thread.insert(0, part)
        row = answers
    return thread


def _part(workspace: Workspace, turn: StoredTurn, until: int | None = None) -> DialogueTurn:
    """Return a turn, up to the message `until` if given."""
    return DialogueTurn(turn.author, tuple(workspace.spoken(turn.first_row, until or turn.last_row)))


def store_dialogues(workspace: Workspace, found: Iterable[Dialogue], languages: Languages) -> None:
    workspace.insert(
        "dialogues (time, messages, rows, first_row, last_row, exchange, fate)",
        (
            (
                one.time,
                json.dumps(one.messages(person(languages.of(one.chat))), ensure_ascii=False),
                json.dumps(one.rows()),
                one.parts[-1].rows[0].row,
                one.parts[-1].rows[-1].row,
                exchange_key(one.question, one.answer),
                one.fate,
            )
            for one in found
        ),
    )
