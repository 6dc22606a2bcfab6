"""What NATS was given, and what it has stored at the end."""

from dataclasses import dataclass

from tests.promises.lines import FOR_EVER

REQUESTS = "requests"
"""The channel of the requests that edges send to workers."""


@dataclass(frozen=True)
class Record:
    """A chat's at the end. `seen`: the messages that it knows. `open_drafts`: how many still stand in it."""

    account: str
    chat: str
    is_readable: bool = True
    rests: bool = True
    seen: tuple[int, ...] = ()
    open_drafts: int = 0


@dataclass(frozen=True)
class NoRecords:
    """An account's records or streams could not be read at the end."""

    account: str
    error: str


@dataclass(frozen=True)
class Acknowledged:
    """The broker has acknowledged an event, of the channel `requests` or `replies`."""

    channel: str
    request_id: str


@dataclass(frozen=True)
class Update:
    """A compare-and-set of a record that was attempted from `began` to `ended`.

    `expected`: the revision that it builds on, 0: none. `result`: ok, failed, or unknown if the answer was lost; or
    removed, if the record was, up to that revision.
    `revision`: the one that it got, None if it got none or that is not known.
    """

    key: str
    expected: int
    result: str
    revision: int | None = None
    began: float = 0.0
    ended: float = FOR_EVER
