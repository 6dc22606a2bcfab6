"""Give each demo in a directory other message ids: its Telegram starts empty, but NATS remembers earlier messages."""

from pathlib import Path
from typing import Any

from edge.userbot.chat.record import ChatRecord
from events.errors import SettingsError
from events.files import write_whole

FILE = "runs"
IDS_PER_RUN = 100_000
"""Message ids reserved for one run."""
NO_MESSAGES: dict[str, Any] = {
    "current": None,
    **dict.fromkeys(["waiting", "notices", "sent", "unconfirmed", "withdrawn", "recalled", "orders", "drafts"], ()),
}
"""The fields of a chat record that are about messages."""
MAX_RUNS = 2**31 // IDS_PER_RUN - 1
"""Runs in a directory: Telegram's ids have 31 bits."""


def reserve_message_ids(directory: Path) -> int:
    """Reserve message ids for this run; return the number after which they start.

    Raises SettingsError or OSError. Call it from one process at a time.
    """
    file = directory / FILE
    run = _runs(file) + 1
    write_whole(file, f"{run}\n")
    return run * IDS_PER_RUN


def without_messages(record: ChatRecord) -> ChatRecord:
    """Return `record` without what is about messages, which no longer exist."""
    return record if record == (changed := record.having(**NO_MESSAGES)) else changed


def _runs(file: Path) -> int:
    try:
        runs = int(file.read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0
    except ValueError:
        runs = -1
    if not 0 <= runs < MAX_RUNS:
        raise SettingsError(f"DEMO_DIRECTORY: {file} does not hold the number of earlier demos; name another directory")
    return runs
