"""A demo's Telegram ends with it, but NATS remembers its messages: the next one's must be other ones."""

from pathlib import Path

from edge.userbot.chat.record import ChatRecord
from events.errors import SettingsError
from events.files import write_whole

FILE = "runs"
ROOM = 100_000
"""Message ids of one run."""
MOST = 2**31 // ROOM - 1
"""Runs in a directory: Telegram's ids have 31 bits."""


def first_id(directory: Path) -> int:
    """Return after which number the ids of this run's messages begin, and note that it was given away.

    Raises SettingsError or OSError. Call it from one process at a time.
    """
    file = directory / FILE
    run = _runs(file) + 1
    write_whole(file, f"{run}\n")
    return run * ROOM


def without_messages(record: ChatRecord) -> ChatRecord:
    """Return `record` without what was to become of messages that went with their Telegram."""
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
    if not 0 <= runs < MOST:
        raise SettingsError(f"DEMO_DIRECTORY: {file} is no count of the demos here; name another directory")
    return runs
