"""`manifest.json`: what became of every item of the export, and from what and how the data was made."""

# ruff: noqa: S608 -- what is put into the queries are our own conditions

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
    """Items that are in at least one dialogue."""
    dropped: dict[str, int]
    """Why the other items are in none → how many."""
    sessions: int
    turns: int
    dialogues: int
    """One for each turn of the owner that was kept; `train` + `validation` + `test`."""
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
    """By what somebody was taken for a bot → how many: `setting`, `bot_chat`, `buttons` or `name`."""
    topics: int = 0
    """Of forums, each a conversation; their general topics are not counted."""
    reordered: int = 0
    """Messages that came after newer ones of their chat; all are sorted by time."""
    quoted: int = 0
    """Messages from which a block of quotation was left out."""
    private_data_replaced: dict[str, int]
    languages: dict[str, float] = Field(default_factory=dict)
    """Share of the owner's words by ISO 639-1 code, the greatest first; empty if it is not certain."""
    repaired: int = 0
    """Places of the export that were no JSON and could be mended."""
    damaged_places: int = 0
    damaged: list[ByteRange] = []
    """Where the export could not be read, of the first places: bytes of the file. Each is an item that is malformed."""
    truncated: bool
    """The export ended in the middle; what was whole was used."""
    truncated_at: int | None = None
    """The byte of the file at which it does."""
    data_sha256: str
    """Of train.jsonl, validation.jsonl and test.jsonl, one after the other."""
    settings: dict[str, Any]

    @property
    def language(self) -> str | None:
        """The owner's main one, if it is known."""
        return next(iter(self.languages), None)

    @classmethod
    def read(cls, data: Path) -> Self:
        """The manifest in the directory `data`. Raises SettingsError, one line, if there is none."""
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
        words = None if self.validation or self.test else too_few_warning(self.dialogues)
        return "\n".join(filter(None, (counted, words)))


_NOT_USED = "NOT EXISTS (SELECT 1 FROM used WHERE used.row = messages.row)"


def mark_unused_messages(workspace: Workspace) -> None:
    """Give every message that no kept dialogue has the reason why."""
    unused = f"UPDATE messages SET fate = ? WHERE fate IS NULL AND {_NOT_USED}"
    workspace.database.executemany(
        f"{unused} AND row BETWEEN ? AND ?",
        workspace.database.execute("SELECT fate, first_row, last_row FROM dialogues WHERE fate IS NOT NULL"),
    )
    workspace.database.execute(unused, (DropReason.NO_DIALOGUE,))


def count_data(workspace: Workspace, never_stored: Counter[DropReason]) -> dict[str, Any]:
    """The manifest's numbers that the workspace knows; call `settle` before."""
    dropped = workspace.counter(f"SELECT fate, count(*) FROM messages WHERE {_NOT_USED} GROUP BY fate") + Counter(
        {str(fate): number for fate, number in never_stored.items()}
    )
    parts = workspace.counter("SELECT part, count(*) FROM dialogues WHERE part IS NOT NULL GROUP BY part")
    messages = workspace.count("SELECT count(*) FROM used")
    replies = (
        "SELECT count(*) FROM messages WHERE reply_to IS NOT NULL "
        f"AND coalesce(fate, '') NOT IN ('{DropReason.NO_TEXT}', '{DropReason.REPEATED}') AND reply_row IS"
    )
    return {
        "items": messages + dropped.total(),
        "messages": messages,
        "dropped": dict(sorted(dropped.items())),
        "sessions": workspace.count("SELECT count(DISTINCT session) FROM turns"),
        "turns": workspace.count("SELECT count(*) FROM turns"),
        "dialogues": parts.total(),
        "dropped_dialogues": dict(
            workspace.counter("SELECT fate, count(*) FROM dialogues WHERE fate IS NOT NULL GROUP BY fate")
        ),
        **{part.value: parts[part] for part in Part},
        "replies_resolved": workspace.count(f"{replies} NOT NULL"),
        "replies_unresolved": workspace.count(f"{replies} NULL"),
        "edited": workspace.count("SELECT count(*) FROM messages WHERE edited"),
    }
