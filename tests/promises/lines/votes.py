"""How readers rate answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Voted:
    """A reader has reacted to an answer, which reads `text` and is the message `message_id` for who reads it.

    `vote`: 1, -1, or 0 if it was taken back, or was another reaction. `reader`: as the product calls them.
    `is_taken_back`: the reader has no reaction there any more.
    """

    account: str
    chat: str
    message_id: int
    text: str
    reader: str
    vote: int
    at: float
    is_taken_back: bool = False


@dataclass(frozen=True)
class Kept:
    """The store has this vote at the end."""

    account: str
    request_id: str
    reader: str
    vote: int
