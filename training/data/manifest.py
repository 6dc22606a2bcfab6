"""`manifest.json`: what became of each item of the export, and how the data were made."""

# ruff: noqa: S608 -- only our own conditions are put into the queries

from collections import Counter
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from events.errors import SettingsError
from training.data.splits import Part, too_few_warning
from training.data.telegram.json_reader import ByteRange
from training.data.telegram.messages import DropReason
from training.data.workspace import Workspace

MANIFEST = "manifest.json"
CONSENT = (
    "You are responsible for the consent of everybody whose messages are in this export. Telegram's content-licensing "
    "terms restrict training models on data from its platform without it: https://telegram.org/tos/content-licensing"
)


class Manifest(BaseModel):
    """`items` = `messages` + the sum of `dropped`."""

    model_config = ConfigDict(frozen=True)

    consent: str = CONSENT
    items: int
    messages: int
    """Items in at least one dialogue."""
    dropped: dict[str, int]
    """Number of the other items by the reason why they were dropped."""
    sessions: int
    turns: int
    dialogues: int
    """One for each turn of the owner that was not dropped: `train` + `validation` + `test`."""
    dropped_dialogues: dict[str, int]
    train: int
    validation: int
    test: int
    replies_resolved: int
    """Messages with text that answer a message of the same chat."""
    replies_unresolved: int
    edited: int
    speakers: int
    chats: int
    bots: dict[str, int] = {}
    """Number of bots by the sign that they were recognised by: `setting`, `bot_chat`, `buttons` or `name`."""
    topics: int = 0
    """Topics of forums, without the general topics; each is a conversation of its own."""
    reordered: int = 0
    """Messages that came after newer ones of their chat; all are sorted by time."""
    quoted: int = 0
    """Messages from which a block quotation was omitted."""
    private_data_replaced: dict[str, int]
    languages: dict[str, float] = Field(default_factory=dict)
    """Share of the owner's words by ISO 639-1 code, the largest first; empty if no language is certain."""
    repaired: int = 0
    """Number of places where the export was invalid JSON and was repaired."""
    damaged_places: int = 0
    damaged: list[ByteRange] = []
    """The first places where the export could not be read, in bytes of the file. Each counts as a malformed item."""
    truncated: bool
    """Whether the export ended in the middle; the items before that were used."""
    truncated_at: int | None = None
    """The byte of the file at which it ended."""
    feedback: dict[str, int] = Field(default={}, exclude_if=lambda numbers: not numbers)
    """Judged answers: `liked`, which became `examples`; `disliked`, whose messages in the export were `removed`;
    `undecided`. Empty without feedback."""
    data_sha256: str
    """SHA-256 of train.jsonl, validation.jsonl and test.jsonl, concatenated."""
    settings: dict[str, Any]

    @property
    def language(self) -> str | None:
        """Return the owner's main language, or None if unknown."""
        return next(iter(self.languages), None)

    @classmethod
    def read(cls, data: Path) -> Self:
        """Read the manifest in the directory `data`. Raises SettingsError, one line, if that fails."""
        file = data / MANIFEST
        try:
            return cls.model_validate_json(file.read_bytes())
        except (OSError, ValueError) as error:
            why = str(error).splitlines()[0]
            raise SettingsError(f"TRAINING_DATA: {file} can't be read ({why}): run timokha train prepare") from None

    def summary(self) -> str:
        dropped = ", ".join(f"{reason} {number}" for reason, number in self.dropped.items())
        counted = (
            f"{self.items} items: {self.messages} are in {self.dialogues} dialogues "
            f"(train {self.train}, validation {self.validation}, test {self.test}); dropped: {dropped or 'none'}"
        )
        votes = ", ".join(f"{name} {number}" for name, number in self.feedback.items())
        judged = f"feedback: {votes}" if votes else None
        words = None if self.validation or self.test else too_few_warning(self.dialogues)
        return "\n".join(filter(None, (counted, judged, words)))


_NOT_USED = "NOT EXISTS (SELECT 1 FROM used WHERE used.row = messages.row)"


def mark_unused_messages(workspace: Workspace) -> None:
    """Store the drop reason of each message that is in no kept dialogue."""
    unused = f"UPDATE messages SET drop_reason = ? WHERE drop_reason IS NULL AND {_NOT_USED}"
    workspace.database.executemany(
        f"{unused} AND row BETWEEN ? AND ?",
        workspace.database.execute(
            "SELECT drop_reason, first_row, last_row FROM dialogues WHERE drop_reason IS NOT NULL"
        ),
    )
    workspace.database.execute(unused, (DropReason.NO_DIALOGUE,))


def count_data(workspace: Workspace, dropped_items: Counter[DropReason]) -> dict[str, Any]:
    """Count what the workspace holds, as fields of `Manifest`; call `mark_unused_messages` first."""
    stored = workspace.count_by_name(
        f"SELECT drop_reason, count(*) FROM messages WHERE {_NOT_USED} GROUP BY drop_reason"
    )
    dropped = stored + Counter({str(reason): number for reason, number in dropped_items.items()})
    parts = workspace.count_by_name("SELECT part, count(*) FROM dialogues WHERE part IS NOT NULL GROUP BY part")
    messages = workspace.count("SELECT count(*) FROM used")
    replies = (
        "SELECT count(*) FROM messages WHERE reply_to IS NOT NULL "
        f"AND coalesce(drop_reason, '') NOT IN ('{DropReason.NO_TEXT}', '{DropReason.REPEATED}') AND reply_row IS"
    )
    return {
        "items": messages + dropped.total(),
        "messages": messages,
        "dropped": dict(sorted(dropped.items())),
        "sessions": workspace.count("SELECT count(DISTINCT session) FROM turns"),
        "turns": workspace.count("SELECT count(*) FROM turns"),
        "dialogues": parts.total(),
        "dropped_dialogues": dict(
            workspace.count_by_name(
                "SELECT drop_reason, count(*) FROM dialogues WHERE drop_reason IS NOT NULL GROUP BY drop_reason"
            )
        ),
        **{part.value: parts[part] for part in Part},
        "replies_resolved": workspace.count(f"{replies} NOT NULL"),
        "replies_unresolved": workspace.count(f"{replies} NULL"),
        "edited": workspace.count("SELECT count(*) FROM messages WHERE edited"),
    }
