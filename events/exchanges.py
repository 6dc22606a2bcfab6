"""The file of the owner's earlier exchanges: the training writes it, the userbot looks up those like a question.

It is an SQLite database. Each contact has a full-text table of their own, so no search can return anybody else's lines.
"""

# ruff: noqa: S608 -- tables are named by a number

import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

from events.errors import TimokhaError
from events.files import PARTIAL, read_problem
from events.runtime.leftovers import removing_unfinished
from events.schema import Exchange

MAX_EXCHANGES = 5_000
"""Of a contact."""
MAX_TEXT = 500
"""Characters of a question, or an answer, that is kept; and of a question that is searched for."""

_APPLICATION, _VERSION = 0x54694D6F, 1
"""`TiMo`, and the version of the format: SQLite has a place for both."""
_LETTERS = 3
_LEAST_SHARE = 0.2
"""Of a question's sequences of letters, those that an exchange like it has at least."""
_CANDIDATES = 4
"""Exchanges that are looked at for each one that is wanted."""
_LOCK_SECONDS = 0.5
_NO_WORD = re.compile(r"[\W_]+")


class UnusableExchanges(TimokhaError):
    """The file can't be read or written. The text quotes nothing of it."""


class ExchangeFile:
    """An open file. `owners`: Telegram's ids of the exported account's owner."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database, self._path = database, path
        self.owners = frozenset(int(number) for (number,) in database.execute("SELECT id FROM owners"))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file that `write_exchanges` wrote. Raises UnusableExchanges, one line."""
        if problem := read_problem(path):
            raise UnusableExchanges(problem)
        with ExitStack() as stack, _errors_named(path):
            database = stack.enter_context(closing(_connect(path)))
            numbers = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            if numbers != [_APPLICATION, _VERSION]:
                raise UnusableExchanges(f"{path} is no file of this version's `timokha train memory`: write it anew")
            database.execute("PRAGMA secure_delete = ON")
            opened = cls(database, path)
            stack.pop_all()
        return opened

    def close(self) -> None:
        self._database.close()

    def most_alike(self, contact: int, question: str, count: int) -> list[Exchange]:
        """Return up to `count` exchanges with `contact` whose questions are most like `question`, the most alike last.

        Raises UnusableExchanges.
        """
        asked = _sequences(question[-MAX_TEXT:])
        with _errors_named(self._path):
            if not asked or not self._has(contact):
                return []
            query = (
                f"SELECT words, question, answer FROM {_table(contact)} WHERE words MATCH ? "
                "ORDER BY rank, rowid DESC LIMIT ?"
            )
            terms = " OR ".join(f'"{sequence}"' for sequence in asked)
            rows = self._database.execute(query, (terms, _CANDIDATES * count)).fetchall()
        alike = [
            Exchange(question=said, answer=answer)
            for words, said, answer in rows
            if sum(sequence in words for sequence in asked) >= _LEAST_SHARE * len(asked)
        ]
        return alike[:count][::-1]

    def forget(self, contact: int) -> None:
        """Remove the exchanges with `contact`, and overwrite where they stood. Raises UnusableExchanges."""
        with _errors_named(self._path):
            if self._has(contact):
                self._database.execute(f"DROP TABLE {_table(contact)}")

    def _has(self, contact: int) -> bool:
        named = (_table(contact),)
        return bool(self._database.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", named).fetchone())


def write_exchanges(path: Path, owners: Iterable[int], found: Mapping[int, Sequence[Exchange]]) -> None:
    """Write the file whole, for its owner's eyes only. `found`: by contact, oldest first. Raises UnusableExchanges."""
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        with removing_unfinished(partial), _errors_named(path):
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(_connect(partial)) as database:
                _fill(database, owners, found)
            partial.replace(path)
    except OSError as error:
        raise UnusableExchanges(f"{path} can't be written ({error.strerror or error})") from None


def _fill(database: sqlite3.Connection, owners: Iterable[int], found: Mapping[int, Sequence[Exchange]]) -> None:
    database.executescript(
        f"PRAGMA journal_mode = OFF; PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_VERSION}; "
        "BEGIN; CREATE TABLE owners (id INTEGER PRIMARY KEY);"
    )
    database.executemany("INSERT INTO owners VALUES (?)", ((owner,) for owner in owners))
    for contact, exchanges in found.items():
        database.execute(
            f"CREATE VIRTUAL TABLE {_table(contact)} USING fts5"
            "(words, question UNINDEXED, answer UNINDEXED, tokenize = 'trigram case_sensitive 1')"
        )
        kept = [one for one in exchanges if len(one.question) <= MAX_TEXT and len(one.answer) <= MAX_TEXT]
        rows = ((_words(one.question), one.question, one.answer) for one in kept[-MAX_EXCHANGES:])
        database.executemany(f"INSERT INTO {_table(contact)} VALUES (?, ?, ?)", rows)
    database.execute("COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    """Open a database that exists, for writing if the file system allows that."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_LOCK_SECONDS)


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as UnusableExchanges, without their text, which may quote a message."""
    try:
        yield
    except sqlite3.Error as error:
        why = getattr(error, "sqlite_errorname", type(error).__name__)
        raise UnusableExchanges(f"{path} can't be used as a file of `timokha train memory` ({why})") from None


def _table(contact: int) -> str:
    return f"contact_{contact:d}"


def _words(text: str) -> str:
    """Return what is compared: lower case, without punctuation, with a space at each end of a word."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    return f" {_NO_WORD.sub(' ', folded).strip()} "


def _sequences(text: str) -> list[str]:
    """Return the different sequences of letters in `text`."""
    words = _words(text)
    places = range(len(words) - _LETTERS + 1)
    return list(dict.fromkeys(words[place : place + _LETTERS] for place in places))
