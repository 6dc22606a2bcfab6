"""What the run's product promises by its settings, and by those of each account."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The product's, in seconds. `collects`: the most that a burst is collected, its delay included."""

    deadline: float = 120.0
    owner_pause: float = 0.0
    approve_for: float = 0.0
    collects: float = 70.0


@dataclass(frozen=True)
class Account:
    """What may be asked of it. `owned`: its owner is in charge, which the next three are about.

    `limit`: answers for a chat a day. `approving`: chats whose answers need approval; `expired`: what becomes of one
    without a decision, drop or send. `hourly`: answers for a chat an hour to messages without the prefix.
    `sees_deletions`: Telegram tells it of messages that users delete; `drops_deleted`: then a question with the prefix
    is dropped, too. `kept_out`: chats whose people get no answer by the settings; `looks_up`: who wrote first in a chat
    is, for that. `limit_for_all`: answers a day in all chats.
    """

    account: str
    owned: bool = False
    limit: int = 0
    approving: tuple[str, ...] = ()
    expired: str = "drop"
    hourly: int = 0
    sees_deletions: bool = False
    kept_out: tuple[str, ...] = ()
    looks_up: bool = False
    limit_for_all: int = 0
    drops_deleted: bool = False
