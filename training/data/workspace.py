"""The working store of `prepare`: an SQLite file, so that memory does not grow with the export."""

# ruff: noqa: S608 -- what is put into the queries are our own names of columns

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
    hour INTEGER, reply_to INTEGER, reply_row INTEGER, text TEXT, edited INTEGER, fate TEXT
);
"""
_SCHEMA = f"""{_MESSAGES}
CREATE TABLE turns (
    first_row INTEGER PRIMARY KEY, last_row INTEGER, session INTEGER, author TEXT, reply_row INTEGER
);
CREATE INDEX by_session ON turns (session, first_row);
CREATE TABLE dialogues (
    id INTEGER PRIMARY KEY, time INTEGER, messages TEXT, rows TEXT, first_row INTEGER, last_row INTEGER,
    exchange TEXT, fate TEXT, part TEXT
);
CREATE TABLE used (row INTEGER PRIMARY KEY, place INTEGER);
"""
_REPEATED = f"""
UPDATE messages SET fate = '{DropReason.REPEATED}' WHERE row IN (
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
        AND target.fate IS NOT '{DropReason.REPEATED}'
    ) ORDER BY later > 0, abs(later), target LIMIT 1
) WHERE reply_to IS NOT NULL
"""
_BATCH = 2000
_LOOK_EVERY = 100_000
"""Instructions of SQLite between two looks whether to go on: some milliseconds."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A stored message. `reply_row` is the row of the message that it answers; `topic` is 0 outside forums."""

    row: int
    chat: int
    topic: int
    author: str
    time: int
    reply_row: int | None
    text: str
    fate: DropReason | None


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """What one person said in one go: the messages without a fate from `first_row` to `last_row`."""

    first_row: int
    last_row: int
    session: int
    author: str
    reply_row: int | None


class Workspace:
    """Messages in the order of the export, turns, dialogues. Not safe for threads."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    @classmethod
    @contextmanager
    def open(cls, file: Path, stopped: Stopped = lambda: False) -> Iterator["Workspace"]:
        """Raises TimokhaError inside, from whatever takes its time, once somebody wants the work to end."""
        database = sqlite3.connect(file, isolation_level=None)
        database.set_progress_handler(stopped, _LOOK_EVERY)
        try:
            # It lives as long as one run, so nothing in it has to survive a crash.
            database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA}; BEGIN")
            yield cls(database)
        except sqlite3.OperationalError as error:
            check(stopped)
            raise _explained(error, file) or error from None
        finally:
            database.close()

    def add(self, messages: Iterable[tuple[int, ExportedMessage]]) -> None:
        """`messages`: (chat, message), in the order of the export."""
        self.insert(
            "messages (chat, id, author, time, hour, reply_to, text, edited, fate)",
            (
                (chat, m.id, m.author, m.when.time, m.when.hour, m.reply_to, m.text, m.edited, m.fate)
                for chat, m in messages
            ),
        )

    def drop_authors(self, authors: Iterable[str], fate: DropReason) -> None:
        """Give `fate` to all that they wrote, themselves or not."""
        self.database.execute("CREATE TABLE authors (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self.insert("authors", ((author,) for author in authors))
        written = f"'', '{DropReason.FORWARDED}', '{DropReason.VIA_BOT}', '{DropReason.BLOCKLISTED}'"
        self.database.execute(
            "UPDATE messages SET fate = ? "
            f"WHERE author IN (SELECT id FROM authors) AND coalesce(fate, '') IN ({written})",
            (fate,),
        )
        self.database.execute("DROP TABLE authors")

    def resolve_replies(self) -> None:
        """Find the row of each message that was answered; call it once, when all are in.

        Of several with one id it is the last one before the answer, and one that is there twice gets its fate.
        """
        self.database.execute("CREATE INDEX by_id ON messages (chat, id)")
        self.database.execute(_REPEATED)
        self.database.execute(_RESOLVE)

    def messages_anew(self) -> str:
        """Make an empty table of messages; returns the name that the former one has now."""
        self.database.execute("ALTER TABLE messages RENAME TO former")
        self.database.execute(_MESSAGES)
        return "former"

    def rows(self) -> Iterator[StoredMessage]:
        """Messages of somebody, with or without a fate, in order."""
        return map(_row, self.database.execute(f"SELECT {_ROW} FROM messages ORDER BY row"))

    def row(self, row: int) -> StoredMessage:
        return _row(self.database.execute(f"SELECT {_ROW} FROM messages WHERE row = ?", (row,)).fetchone())

    def spoken(self, first: int, last: int) -> list[StoredMessage]:
        """The messages of a turn."""
        query = f"SELECT {_ROW} FROM messages WHERE row BETWEEN ? AND ? AND fate IS NULL ORDER BY row"
        return [_row(values) for values in self.database.execute(query, (first, last))]

    def turns_of(self, authors: Iterable[str]) -> Iterator[StoredTurn]:
        names = list(authors)
        places = ",".join("?" * len(names))
        query = f"SELECT {_TURN} FROM turns WHERE author IN ({places}) ORDER BY first_row"
        return (StoredTurn(*values) for values in self.database.execute(query, names))

    def turn_with(self, row: int) -> StoredTurn:
        """The turn that a message without a fate belongs to."""
        query = f"SELECT {_TURN} FROM turns WHERE first_row <= ? ORDER BY first_row DESC LIMIT 1"
        return StoredTurn(*self.database.execute(query, (row,)).fetchone())

    def turns_before(self, turn: StoredTurn, limit: int) -> list[StoredTurn]:
        """The last `limit` turns of the session before `turn`, oldest first."""
        query = f"SELECT {_TURN} FROM turns WHERE first_row < ? AND session = ? ORDER BY first_row DESC LIMIT ?"
        found = self.database.execute(query, (turn.first_row, turn.session, limit)).fetchall()
        return [StoredTurn(*values) for values in reversed(found)]

    def add_turns(self, turns: Iterable[StoredTurn]) -> None:
        self.insert("turns", (astuple(turn) for turn in turns))

    def kept_dialogues(self, column: str) -> Iterator[tuple[int, str]]:
        """(id, `column`) of those without a fate, oldest first; they may be changed meanwhile."""
        self.database.execute("DROP TABLE IF EXISTS kept")
        self.database.execute(
            f"CREATE TABLE kept AS SELECT id, {column} FROM dialogues WHERE fate IS NULL ORDER BY time, id"
        )
        return iter(self.database.execute(f"SELECT id, {column} FROM kept ORDER BY rowid"))

    def drop(self, dialogue: int, fate: DropReason) -> None:
        self.database.execute("UPDATE dialogues SET fate = ? WHERE id = ?", (fate, dialogue))

    def insert(self, into: str, values: Iterable[tuple[Any, ...]]) -> None:
        rows = iter(values)
        while batch := list(islice(rows, _BATCH)):
            places = ",".join("?" * len(batch[0]))
            self.database.executemany(f"INSERT INTO {into} VALUES ({places})", batch)

    def count(self, query: str, *values: Any) -> int:
        """The one number that `query` gives."""
        return int(self.database.execute(query, values).fetchone()[0])

    def counter(self, query: str, *values: Any) -> Counter[str]:
        """`query` gives (name, number) rows."""
        return Counter({str(name): int(number) for name, number in self.database.execute(query, values)})


def _explained(error: sqlite3.Error, file: Path) -> OSError | None:
    """What the file system refused, if it is that."""
    number = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO}.get(error.sqlite_errorcode & 0xFF)
    return OSError(number, os.strerror(number), str(file)) if number else None


_ROW = "row, chat, topic, author, time, reply_row, text, fate"
_TURN = "first_row, last_row, session, author, reply_row"


def _row(values: tuple[Any, ...]) -> StoredMessage:
    return StoredMessage(*(*values[:-1], DropReason(values[-1]) if values[-1] else None))
