"""Readers' votes on this bot's answers: what they like becomes dialogues, what they dislike leaves the export."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from re import Pattern

from events.errors import SettingsError
from events.recordings.feedback import JudgedAnswer, JudgedMessage, read_judged
from events.schema import Role
from training.data.duplicates import exchange_key, normalize
from training.data.private_data import is_only_placeholders
from training.data.splits import Part
from training.data.telegram.messages import DropReason
from training.data.workspace import StoredMessage, Workspace

_TELLING = 40
"""Characters of an answer that is recognised by itself; of a shorter one the question must be known as well."""

Clean = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Feedback:
    """The judged answers, each once, oldest first. `undecided`: of how many the votes cancel out or were taken back."""

    liked: tuple[JudgedAnswer, ...] = ()
    disliked: tuple[JudgedAnswer, ...] = ()
    undecided: int = 0

    def of_texts(self, clean: Clean) -> "Feedback":
        """Return the feedback with every text as `clean` returns it."""
        liked, disliked = (tuple(_with_texts(one, clean) for one in found) for found in (self.liked, self.disliked))
        return Feedback(liked, disliked, self.undecided)

    def numbers(self, workspace: Workspace) -> dict[str, int]:
        """Count the answers: `examples` are dialogues of liked ones, `removed` are messages of disliked ones."""
        examples = "SELECT count(*) FROM dialogues WHERE first_row IS NULL AND drop_reason IS NULL"
        removed = "SELECT count(*) FROM messages WHERE drop_reason = ?"
        return {
            "liked": len(self.liked),
            "examples": workspace.count(examples),
            "disliked": len(self.disliked),
            "removed": workspace.count(removed, DropReason.DISLIKED),
            "undecided": self.undecided,
        }


def read_feedback(path: Path) -> Feedback:
    """Read a file that `timokha record --feedback` wrote, or all such files (`*.jsonl`) of a directory, by name.

    Of a reader's votes on the same answer that of the last file counts. Raises BadRecording or SettingsError.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise SettingsError(f"TRAINING_FEEDBACK: {path} has no .jsonl file; run timokha record --feedback")
    judged: dict[tuple[JudgedMessage, ...], JudgedAnswer] = {}
    for answer in chain.from_iterable(map(read_judged, files)):
        votes = judged[answer.messages].votes if answer.messages in judged else {}
        judged[answer.messages] = answer.model_copy(update={"votes": {**votes, **answer.votes}})
    found = sorted(judged.values(), key=lambda answer: answer.time)
    liked, disliked = (tuple(one for one in found if one.verdict == verdict) for verdict in (1, -1))
    return Feedback(liked, disliked, len(found) - len(liked) - len(disliked))


def _with_texts(answer: JudgedAnswer, clean: Clean) -> JudgedAnswer:
    messages = tuple(message.model_copy(update={"content": clean(message.content)}) for message in answer.messages)
    return answer.model_copy(update={"messages": messages})


def drop_disliked(workspace: Workspace, owner: Collection[str], disliked: Iterable[JudgedAnswer]) -> None:
    """Drop the owner's messages that are disliked answers, and the thinking lines which they follow.

    The account has sent them, so that an export shows them as the owner's own words. Texts must be final.
    """
    questions: dict[str, set[str]] = {}
    for question, answer in (last_exchange(one.messages) for one in disliked):
        questions.setdefault(normalize(answer), set()).add(normalize(question))
    rows = list(_rows_of(workspace, owner, questions)) if questions else []
    workspace.database.executemany(
        "UPDATE messages SET drop_reason = ? WHERE row = ?", [(DropReason.DISLIKED, row) for row in rows]
    )


def _rows_of(workspace: Workspace, owner: Collection[str], questions: Mapping[str, Collection[str]]) -> Iterator[int]:
    """Yield the rows of the owner's messages that answer `questions`, which are normalized, as are their answers."""
    for message in workspace.messages():
        if message.drop_reason or message.author not in owner:
            continue
        if asked := questions.get(normalize(message.text)):
            *ours, first = _thread(workspace, message, owner)
            if _is_answer(message, first, asked, owner):
                yield from (one.row for one in (ours if first.author not in owner else [message]))


def _thread(workspace: Workspace, message: StoredMessage, owner: Collection[str]) -> Iterator[StoredMessage]:
    """Yield `message`, a thinking line if it replies to one, and the question that was answered, as far as known."""
    yield message
    for _ in range(2):
        if message.author not in owner or message.reply_row is None:
            return
        message = workspace.message(message.reply_row)
        yield message


def _is_answer(message: StoredMessage, first: StoredMessage, asked: Collection[str], owner: Collection[str]) -> bool:
    """Return whether `message` answers one of the questions. `first` of its thread may be the last piece."""
    if first.author in owner:
        return len(normalize(message.text)) >= _TELLING
    text = f" {normalize(first.text)}"
    return any(text.endswith(f" {question}") or f" {question}".endswith(text) for question in asked)


def store_liked(
    workspace: Workspace, liked: Sequence[JudgedAnswer], *, label: str, blocked: Pattern[str] | None
) -> None:
    """Store the liked answers as dialogues for training: no model is tested on what a model wrote.

    `label`: of speakers. Dialogues with a text that is `blocked` are dropped.
    """
    good = {last_exchange(answer.messages) for answer in liked}
    # Below those of messages.
    rows: defaultdict[tuple[str, str, Role], int] = defaultdict(count(-1, -1).__next__)
    for answer in liked:
        messages = _learnable(answer.messages, good)
        drop_reason = _drop_reason(messages, blocked)
        values = (
            answer.time,
            json.dumps(_with_labels(messages, label), ensure_ascii=False),
            json.dumps([[rows[key]] for key in _row_keys(messages)]),
            exchange_key(*last_exchange(messages)),
            drop_reason,
            None if drop_reason else Part.TRAIN,
        )
        workspace.insert("dialogues (time, messages, rows, exchange, drop_reason, part)", [values])


def _drop_reason(messages: Sequence[JudgedMessage], blocked: Pattern[str] | None) -> DropReason | None:
    if blocked and any(blocked.search(message.content) for message in messages):
        return DropReason.BLOCKLISTED
    return DropReason.ONLY_PLACEHOLDERS if is_only_placeholders(messages[-1].content) else None


def last_exchange(messages: Sequence[JudgedMessage]) -> tuple[str, str]:
    """Return what others have said since the answer before the last one, and the last one."""
    return "\n".join(message.content for message in _question(messages[:-1])), messages[-1].content


def _question(context: Sequence[JudgedMessage]) -> Sequence[JudgedMessage]:
    begin = len(context)
    while begin and context[begin - 1].role is Role.USER:
        begin -= 1
    return context[begin:]


def _learnable(messages: Sequence[JudgedMessage], good: Collection[tuple[str, str]]) -> Sequence[JudgedMessage]:
    """Return the end of a conversation in which every answer is liked: all that are shown are learned."""
    begin = 0
    for place, message in enumerate(messages):
        if message.role is Role.ASSISTANT and last_exchange(messages[: place + 1]) not in good:
            begin = place + 1
    return messages[begin:]


def _with_labels(messages: Sequence[JudgedMessage], label: str) -> list[dict[str, str]]:
    """Return the messages as dialogues have them, with `label` and a number in place of each name."""
    names = dict.fromkeys(message.name for message in messages if message.name)
    labels = {name: f"{label} {number}" for number, name in enumerate(names, 1)}
    shown = (message.model_copy(update={"name": labels.get(message.name, "")}) for message in messages)
    return [message.model_dump(mode="json") for message in shown]


def _row_keys(messages: Sequence[JudgedMessage]) -> Iterator[tuple[str, str, Role]]:
    """Yield what tells turns apart: a turn and the answer to it, or the question, as two conversations show both."""
    for place, message in enumerate(messages):
        beside = place + 1 if message.role is Role.USER else max(place - 1, 0)
        yield message.content, messages[beside].content, message.role
