"""What became of the questions that one account was asked, in numbers, and what was wrong."""

from dataclasses import dataclass, field, fields


@dataclass
class Verdict:
    """Every question is exactly one of those down to `lost`."""

    answered_once: int = 0
    answered_twice: int = 0
    failed_told: int = 0
    ignored_busy: int = 0
    taken_over: int = 0
    paused: int = 0
    denied: int = 0
    cancelled: int = 0
    rejected: int = 0
    expired: int = 0
    joined: int = 0
    day_limit: int = 0
    hour_limit: int = 0
    deleted: int = 0
    erased: int = 0
    doubtful: int = 0
    lost_with_store: int = 0
    unreadable: int = 0
    undeliverable: int = 0
    given_up: int = 0
    not_stored: int = 0
    restricted: int = 0
    disconnected: int = 0
    lost: int = 0
    thinking_twice: int = 0
    left_busy: int = 0
    asked_again: int = 0
    faults: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {part.name: getattr(self, part.name) for part in fields(self) if part.name != "faults"}
