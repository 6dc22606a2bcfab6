"""What owners do, and what they see of it."""

from dataclasses import dataclass

from tests.promises.lines import FOR_EVER


@dataclass(frozen=True)
class Act:
    """`what`: wrote (in a chat), pause, deny, cancel, approve, reject, replace, or another order's name.

    Also `flooded`: Telegram takes the account for a spammer, and all chats are paused.

    `chat`: whom it concerns, None: everybody. `number`: its message for the account. `questions`: the names of those
    that a decision is about. `done_at`: when the owner was told so, with `said`. A pause or a denial is taken back by
    an order that is sent at `back_from` and carried out by `back_at`. `by_date`: given in a chat that numbers its
    messages by itself, it concerns what was asked before it by date.
    """

    account: str
    what: str
    chat: str | None
    at: float
    number: int
    questions: tuple[str, ...] = ()
    done_at: float = FOR_EVER
    said: str = ""
    back_from: float = FOR_EVER
    back_at: float = FOR_EVER
    times: int = 1
    """How often the owner was told."""
    by_date: bool = False


@dataclass(frozen=True)
class Draft:
    """As it stood in the owner's chat. `decisions`: numbers of acts. `is_left`: it still stands there at the end."""

    account: str
    message_id: int
    text: str
    questions: tuple[str, ...]
    seen_at: float
    decisions: tuple[int, ...] = ()
    is_left: bool = False


@dataclass(frozen=True)
class Absent:
    """Who has connected a bot to the account took that back at `at`, until `back_at`; the bot knows `since` then.

    `how`: by an order to the bot, in Telegram, or only the right to answer (`presence.py`).
    """

    account: str
    how: str
    at: float
    since: float = FOR_EVER
    back_at: float = FOR_EVER


@dataclass(frozen=True)
class Stored:
    """At the end `what` is stored about somebody who has left for good."""

    account: str
    what: str
