"""Make dialogues of turns: each ends with a turn of the owner and includes the turns that led to it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from events.schema import Role
from training.data.duplicates import exchange_key
from training.data.languages import Languages
from training.data.placeholders import speaker_label
from training.data.private_data import is_only_placeholders
from training.data.telegram.messages import QUOTABLE, DropReason
from training.data.workspace import StoredMessage, StoredTurn, Workspace


@dataclass(frozen=True, slots=True)
class DialogueTurn:
    """A turn of a dialogue, or the beginning of one."""

    author: str
    rows: tuple[StoredMessage, ...]

    @property
    def text(self) -> str:
        return "\n".join(row.text for row in self.rows)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Turns, oldest first; the last one is the owner's."""

    turns: tuple[DialogueTurn, ...]
    owner: frozenset[str]

    @property
    def time(self) -> int:
        return self.turns[-1].rows[0].time

    @property
    def question(self) -> str:
        """Return all that others said since the owner's previous turn."""
        said: list[str] = []
        for turn in reversed(self.turns[:-1]):
            if turn.author in self.owner and said:
                break
            said[:0] = [turn.text]
        return "\n".join(said)

    @property
    def answer(self) -> str:
        return self.turns[-1].text

    @property
    def chat(self) -> int:
        return self.turns[-1].rows[0].chat

    def messages(self, label: str) -> list[dict[str, str]]:
        """Return the messages as they are stored. Other speakers get a `name`: `label` and a number."""
        names: dict[str, str] = {}
        return [
            {"role": Role.ASSISTANT.value, "content": turn.text}
            if turn.author in self.owner
            else {
                "role": Role.USER.value,
                "name": names.setdefault(turn.author, f"{label} {len(names) + 1}"),
                "content": turn.text,
            }
            for turn in self.turns
        ]

    def rows(self) -> list[list[int]]:
        """Return the rows of each turn."""
        return [[row.row for row in turn.rows] for turn in self.turns]

    @property
    def drop_reason(self) -> DropReason | None:
        """Return why the dialogue can't be trained on, or None."""
        if all(turn.author in self.owner for turn in self.turns):
            return DropReason.NO_QUESTION
        return DropReason.ONLY_PLACEHOLDERS if is_only_placeholders(self.answer) else None


def make_dialogues(workspace: Workspace, owner: frozenset[str], *, context_turns: int) -> Iterator[Dialogue]:
    """Yield a dialogue for each turn of the owner.

    The context is the thread of replies that leads to the turn. If only the owner speaks in it, the earlier turns of
    the session come before it.
    """
    for turn in workspace.turns_by(owner):
        thread = _reply_thread(workspace, turn, owner, context_turns)
        if all(earlier.author in owner for earlier in thread):
            first = workspace.turn_with(thread[0].rows[0].row) if thread else turn
            earlier = workspace.turns_before(first, context_turns - len(thread))
            thread = [*(_dialogue_turn(workspace, other) for other in earlier), *thread]
        yield Dialogue((*thread, _dialogue_turn(workspace, turn)), owner)


def _reply_thread(workspace: Workspace, turn: StoredTurn, owner: frozenset[str], limit: int) -> list[DialogueTurn]:
    """Return what `turn` answers, what that answers, and so on, oldest first; a cycle ends the thread."""
    thread: list[DialogueTurn] = []
    row, seen = turn.reply_row, {turn.first_row}
    while row is not None and len(thread) < limit:
        message = workspace.message(row)
        if message.drop_reason is None:
            said = workspace.turn_with(row)
            part, first, answers = _dialogue_turn(workspace, said, until=row), said.first_row, said.reply_row
        else:
            part, first, answers = DialogueTurn(message.author, (message,)), row, message.reply_row
        if first in seen or (message.drop_reason and message.drop_reason not in QUOTABLE):
            break
        seen.add(first)
        # What the owner merely forwarded is not in the owner's words.
        if message.drop_reason is None or message.author not in owner:
            thread.insert(0, part)
        row = answers
    return thread


def _dialogue_turn(workspace: Workspace, turn: StoredTurn, until: int | None = None) -> DialogueTurn:
    """Return a turn, up to the message `until` if given."""
    return DialogueTurn(turn.author, tuple(workspace.turn_messages(turn.first_row, until or turn.last_row)))


def store_dialogues(workspace: Workspace, found: Iterable[Dialogue], languages: Languages) -> None:
    workspace.insert(
        "dialogues (time, messages, rows, first_row, last_row, exchange, drop_reason)",
        (
            (
                one.time,
                json.dumps(one.messages(speaker_label(languages.in_chat(one.chat))), ensure_ascii=False),
                json.dumps(one.rows()),
                one.turns[-1].rows[0].row,
                one.turns[-1].rows[-1].row,
                exchange_key(one.question, one.answer),
                one.drop_reason,
            )
            for one in found
        ),
    )
