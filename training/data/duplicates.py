"""Drop exact and near duplicates: exchanges that differ in case, punctuation, stretched letters, or a few words."""

# ruff: noqa: S608 -- only question marks and a number are put into the query

import re
from collections.abc import Iterator
from hashlib import blake2b
from sqlite3 import Connection

from datasketch import MinHash

from training.data.telegram.messages import DropReason
from training.data.workspace import Workspace
from training.progress import Stopped, check

_NOT_WORDS = re.compile(r"[\W_]+")
_STRETCHED = re.compile(r"(\w)\1{2,}")
_SHINGLE = 5
_SHORTEST = 40
"""Characters: shorter exchanges are compared exactly, because every letter counts."""
_BANDS, _ROWS = 13, 5
"""Two exchanges of Jaccard similarity s share a band with probability 1 - (1 - s^5)^13: 0.994 at 0.8."""
LEAST_SIMILARITY = 0.8
_MOST_CANDIDATES = 20


def exchange_key(question: str, answer: str) -> str:
    """Return the normalized question and answer: equal for exact duplicates."""
    return f"{normalize(question)}\n{normalize(answer)}"


def normalize(text: str) -> str:
    """Return `text` without case, punctuation and stretched letters, or unchanged if nothing else is in it."""
    letters = _STRETCHED.sub(r"\1", _NOT_WORDS.sub(" ", text.casefold().replace("ё", "е"))).strip()
    return letters or text.strip()


def drop_duplicates(workspace: Workspace, stopped: Stopped) -> None:
    """Drop each dialogue whose last exchange equals or nearly equals an earlier one."""
    database = workspace.database
    database.execute("CREATE TABLE exchanges (id INTEGER PRIMARY KEY, digest BLOB UNIQUE, text TEXT)")
    database.execute("CREATE TABLE bands (band BLOB, exchange INTEGER, PRIMARY KEY (band, exchange)) WITHOUT ROWID")
    for dialogue, text in workspace.kept_dialogues("exchange"):
        check(stopped)
        if drop_reason := _duplicate(database, text):
            workspace.drop_dialogue(dialogue, drop_reason)


def _duplicate(database: Connection, text: str) -> DropReason | None:
    """Return why the exchange `text` is a duplicate; if it is none, store it and return None."""
    digest = blake2b(text.encode(), digest_size=16).digest()
    if database.execute("SELECT 1 FROM exchanges WHERE digest = ?", (digest,)).fetchone():
        return DropReason.DUPLICATE
    ours = shingles(text)
    bands = _bands(ours) if len(text) >= _SHORTEST else []
    if any(similarity(ours, shingles(other)) >= LEAST_SIMILARITY for other in _candidates(database, bands)):
        return DropReason.NEAR_DUPLICATE
    stored = database.execute("INSERT INTO exchanges (digest, text) VALUES (?, ?)", (digest, text)).lastrowid
    database.executemany("INSERT OR IGNORE INTO bands VALUES (?, ?)", ((band, stored) for band in bands))
    return None


def _candidates(database: Connection, bands: list[bytes]) -> Iterator[str]:
    query = (
        "SELECT DISTINCT id, text FROM bands JOIN exchanges ON id = exchange "
        f"WHERE band IN ({','.join('?' * len(bands))}) LIMIT {_MOST_CANDIDATES}"
    )
    return (text for _, text in database.execute(query, bands))


def shingles(text: str) -> set[str]:
    """Return all sequences of `_SHINGLE` characters in `text`."""
    return {text[start : start + _SHINGLE] for start in range(max(len(text) - _SHINGLE + 1, 1))}


def similarity(one: set[str], other: set[str]) -> float:
    """Return the Jaccard similarity."""
    return len(one & other) / len(one | other)


def _bands(pieces: set[str]) -> list[bytes]:
    """Return keys; two near duplicates very likely share at least one.

    Source: Broder, On the resemblance and containment of documents (1997); banding as in Leskovec, Rajaraman and
    Ullman, Mining of Massive Datasets, 3.4.
    """
    sketch = MinHash(num_perm=_BANDS * _ROWS)
    sketch.update_batch([shingle.encode() for shingle in pieces])
    values = sketch.hashvalues.reshape(_BANDS, _ROWS)
    return [bytes([number]) + band.tobytes() for number, band in enumerate(values)]
