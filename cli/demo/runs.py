"""Give each demo in a directory other message ids: its Telegram starts empty, but NATS remembers earlier messages."""

from pathlib import Path

from edge.userbot.chat.record import ChatRecord
from events.errors import SettingsError
from events.files import write_whole

FILE = "runs"
IDS_PER_RUN = 100_000
"""Message ids reserved for one run."""
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
    """Return `record` without open questions and notices, whose messages no longer exist."""
    if not (record.current or record.waiting or record.notices):
        return record
    return record.having(current=None, waiting=(), notices=())


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
