"""What people and the account write in chats."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """A question. `text` and `changed`, its text after an edit, hold a number that no other question has.

    `message_id` is the message's id for the account, `own_id` for who asks. `answered_at`: when an outcome was seen.
    `replacements`: what the owner wrote in place of its answer. `is_piece`: it has no prefix, and may be asked together
    with others. `repeated_at`: when its user sent the same text again. `writer`: who asks, if it is in a group.
    """

    account: str
    chat: str
    message_id: int
    own_id: int
    request_id: str
    text: str
    asked_at: float
    answered_at: float | None = None
    is_piece: bool = False
    changed: str = ""
    deleted_at: float | None = None
    repeated_at: float | None = None
    replacements: tuple[str, ...] = ()
    writer: str = ""

    @property
    def name(self) -> str:
        """The request id without its revision."""
        return self.request_id.rpartition(".")[0]

    @property
    def texts(self) -> set[str]:
        return {self.text, self.changed or self.text}


@dataclass(frozen=True)
class Erased:
    """The user sent `/delete_history`."""

    account: str
    chat: str
    message_id: int
    own_id: int
    at: float


@dataclass(frozen=True)
class Remark:
    """What people say in a group that is not meant for the account. `text` holds a number that no other remark has.

    `reacted`: the account has reacted to it.
    """

    account: str
    chat: str
    message_id: int
    text: str
    reacted: bool = False


@dataclass(frozen=True)
class Sent:
    """What lies in a chat from the account, with its id and what it answers for who asks; not in its owner's chat.

    `about`: the request id that it was sent for, if its random id says so.
    """

    account: str
    chat: str
    id: int
    text: str
    at: float
    reply_to: int | None = None
    edited_at: float | None = None
    about: str = ""
