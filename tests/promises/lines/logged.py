"""What the userbot's log has."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Logged:
    """The log has `message.received`."""

    account: str
    chat: str
    message_id: int
    effect: str
    at: float


@dataclass(frozen=True)
class Settled:
    """The log has `question.settled`."""

    account: str
    chat: str
    message_id: int
    outcome: str
    at: float


@dataclass(frozen=True)
class Undeliverable:
    """The log has that Telegram refused an answer for good."""

    account: str
    chat: str
    at: float


@dataclass(frozen=True)
class Skipped:
    """The log has that a step of a chat was given up."""

    account: str
    chat: str
    step: str
    at: float


@dataclass(frozen=True)
class LeftAlone:
    """The log has that the account is silent in a group for a while, as it may not write there."""

    account: str
    chat: str
    at: float
