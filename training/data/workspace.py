"""The working store of `prepare`: an SQLite file, so that memory does not grow with the export."""

# ruff: noqa: S608 -- only our own column names are put into the queries

import errno
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from training.data.telegram.messages import DropReason, ExportedMessage
from training.progress import Stopped, check

_MESSAGES = """
CREATE TABLE messages (
    row INTEGER PRIMARY KEY, chat INTEGER, topic INTEGER NOT NULL DEFAULT 0, id INTEGER, author TEXT, time INTEGER,
    hour INTEGER, reply_to INTEGER, reply_row INTEGER, text TEXT, edited INTEGER, drop_reason TEXT
);
"""
_SCHEMA = f"""{_MESSAGES}
CREATE TABLE turns (
    first_row INTEGER PRIMARY KEY, last_row INTEGER, session INTEGER, author TEXT, reply_row INTEGER
);
CREATE INDEX by_session ON turns (session, first_row);
CREATE TABLE dialogues (
    id INTEGER PRIMARY KEY, time INTEGER, messages TEXT, rows TEXT, first_row INTEGER, last_row INTEGER,
    exchange TEXT, drop_reason TEXT, part TEXT
);
CREATE TABLE used (row INTEGER PRIMARY KEY, place INTEGER);
"""
_REPEATED = f"""
UPDATE messages SET drop_reason = '{DropReason.REPEATED}' WHERE row IN (
    SELECT row FROM (
        SELECT row, row_number() OVER (PARTITION BY chat, id, time, author, text ORDER BY row) AS copy
        FROM messages WHERE (chat, id) IN (SELECT chat, id FROM messages GROUP BY chat, id HAVING count(*) > 1)
    ) WHERE copy > 1
)
"""
_RESOLVE = f"""
UPDATE messages SET reply_row = (
    SELECT target FROM (
        SELECT target.row AS target, target.time - messages.time AS later FROM messages AS target
        WHERE target.chat = messages.chat AND target.id = messages.reply_to AND target.row != messages.row
        AND target.drop_reason IS NOT '{DropReason.REPEATED}'
    ) ORDER BY later > 0, abs(later), target LIMIT 1
) WHERE reply_to IS NOT NULL
"""
_BATCH = 2000
_CHECK_EVERY = 100_000
"""SQLite instructions between two checks whether to stop: a few milliseconds."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A stored message. `reply_row`: of the message that it answers. `topic`: 0 outside forums."""

    row: int
    chat: int
    topic: int
    author: str
    time: int
    reply_row: int | None
    text: str
    drop_reason: DropReason | None


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """What one person said in one go: the messages without a drop reason from `first_row` to `last_row`."""

    first_row: int
    last_row: int
    session: int
    author: str
    reply_row: int | None


class Workspace:
    """Stores messages in the order of the export, turns and dialogues. Not thread-safe."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    @classmethod
    @contextmanager
    def open(cls, file: Path | None, stopped: Stopped = lambda: False) -> Iterator["Workspace"]:
        """Open a workspace in `file`, or in a temporary one without a name; long operations inside the context raise
        TimokhaError once `stopped`."""
        database = sqlite3.connect(file or "", isolation_level=None)
        database.set_progress_handler(stopped, _CHECK_EVERY)
        try:
            # It is used for one run only, so it need not survive a crash.
            database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA}; BEGIN")
            yield cls(database)
        except sqlite3.OperationalError as error:
            check(stopped)
            raise _file_system_error(error, file) or error from None
        finally:
            database.close()

    def add_messages(self, messages: Iterable[tuple[int, ExportedMessage]]) -> None:
        """Store `messages`: (chat, message), in the order of the export."""
        self.insert(
            "messages (chat, id, author, time, hour, reply_to, text, edited, drop_reason)",
            (
                (chat, m.id, m.author, m.when.time, m.when.hour, m.reply_to, m.text, m.edited, m.drop_reason)
                for chat, m in messages
            ),
        )

    def drop_authors(self, authors: Iterable[str], drop_reason: DropReason) -> None:
        """Drop everything that `authors` wrote or forwarded, for `drop_reason`."""
        self.database.execute("CREATE TABLE authors (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self.insert("authors", ((author,) for author in authors))
        written = f"'', '{DropReason.FORWARDED}', '{DropReason.VIA_BOT}', '{DropReason.BLOCKLISTED}'"
        self.database.execute(
            "UPDATE messages SET drop_reason = ? "
            f"WHERE author IN (SELECT id FROM authors) AND coalesce(drop_reason, '') IN ({written})",
            (drop_reason,),
        )
        self.database.execute("DROP TABLE authors")

    def resolve_replies(self) -> None:
        """Find the row of each message that was answered; call this once, after all messages were added.

        Of several messages with the same id it is the last one before the answer. Repeated messages are dropped.
        """
        self.database.execute("CREATE INDEX by_id ON messages (chat, id)")
        self.database.execute(_REPEATED)
        self.database.execute(_RESOLVE)

    def replace_messages_table(self) -> str:
        """Create an empty table of messages; return the new name of the former one."""
        self.database.execute("ALTER TABLE messages RENAME TO former")
        self.database.execute(_MESSAGES)
        return "former"

    def messages(self) -> Iterator[StoredMessage]:
        """Yield all messages in order, dropped ones too."""
        return map(_stored_message, self.database.execute(f"SELECT {_ROW} FROM messages ORDER BY row"))

    def message(self, row: int) -> StoredMessage:
        return _stored_message(self.database.execute(f"SELECT {_ROW} FROM messages WHERE row = ?", (row,)).fetchone())

    def turn_messages(self, first: int, last: int) -> list[StoredMessage]:
        """Return the messages of the turn from row `first` to row `last`."""
        query = f"SELECT {_ROW} FROM messages WHERE row BETWEEN ? AND ? AND drop_reason IS NULL ORDER BY row"
        return [_stored_message(values) for values in self.database.execute(query, (first, last))]

    def turns_by(self, authors: Iterable[str]) -> Iterator[StoredTurn]:
        names = list(authors)
        places = ",".join("?" * len(names))
        query = f"SELECT {_TURN} FROM turns WHERE author IN ({places}) ORDER BY first_row"
        return (StoredTurn(*values) for values in self.database.execute(query, names))

    def turn_with(self, row: int) -> StoredTurn:
        """Return the turn of the message in `row`, which must not be dropped."""
        query = f"SELECT {_TURN} FROM turns WHERE first_row <= ? ORDER BY first_row DESC LIMIT 1"
        return StoredTurn(*self.database.execute(query, (row,)).fetchone())

    def turns_before(self, turn: StoredTurn, limit: int) -> list[StoredTurn]:
        """Return the last `limit` turns of the session before `turn`, oldest first."""
        query = f"SELECT {_TURN} FROM turns WHERE first_row < ? AND session = ? ORDER BY first_row DESC LIMIT ?"
        found = self.database.execute(query, (turn.first_row, turn.session, limit)).fetchall()
        return [StoredTurn(*values) for values in reversed(found)]

    def add_turns(self, turns: Iterable[StoredTurn]) -> None:
        self.insert("turns", (astuple(turn) for turn in turns))

    def kept_dialogues(self, column: str) -> Iterator[tuple[int, str]]:
        """Yield (id, `column`) of each dialogue that was not dropped, oldest first; they may be changed meanwhile."""
        self.database.execute("DROP TABLE IF EXISTS kept")
        self.database.execute(
            f"CREATE TABLE kept AS SELECT id, {column} FROM dialogues WHERE drop_reason IS NULL ORDER BY time, id"
        )
        return iter(self.database.execute(f"SELECT id, {column} FROM kept ORDER BY rowid"))

    def drop_dialogue(self, dialogue: int, drop_reason: DropReason) -> None:
        self.database.execute("UPDATE dialogues SET drop_reason = ?, part = NULL WHERE id = ?", (drop_reason, dialogue))

    def insert(self, into: str, values: Iterable[tuple[Any, ...]]) -> None:
        rows = iter(values)
        while batch := list(islice(rows, _BATCH)):
            places = ",".join("?" * len(batch[0]))
            self.database.executemany(f"INSERT INTO {into} VALUES ({places})", batch)

    def count(self, query: str, *values: Any) -> int:
        """Return the single number that `query` selects."""
        return int(self.database.execute(query, values).fetchone()[0])

    def count_by_name(self, query: str, *values: Any) -> Counter[str]:
        """Return the numbers that `query` selects by name, from rows of (name, number)."""
        return Counter({str(name): int(number) for name, number in self.database.execute(query, values)})


def _file_system_error(error: sqlite3.Error, file: Path | None) -> OSError | None:
    """Return the file system's error behind `error`, if there is one."""
    number = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO}.get(error.sqlite_errorcode & 0xFF)
    return OSError(number, os.strerror(number), str(file or "the temporary directory")) if number else None


_ROW = "row, chat, topic, author, time, reply_row, text, drop_reason"
_TURN = "first_row, last_row, session, author, reply_row"


def _stored_message(values: tuple[Any, ...]) -> StoredMessage:
    return StoredMessage(*(*values[:-1], DropReason(values[-1]) if values[-1] else None))
