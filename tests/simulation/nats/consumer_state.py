"""What a durable consumer knows of its stream: what it has delivered, and what was not acknowledged yet."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.nats.subjects import matcher


@dataclass(slots=True)
class Pending:
    """A delivery without an answer. `until`: when its lease ends, in the loop's seconds."""

    consumer_sequence: int
    until: float
    deliveries: int = 1
    queued: bool = False
    """It waits to be delivered again."""


@dataclass(eq=False)
class ConsumerState:
    """`next`: the first sequence number that it has not looked at; `waiting`: matching messages from there on."""

    config: dict[str, Any]
    created: int
    next: int
    waiting: int
    delivered: int = 0
    """Deliveries in all."""
    floor: tuple[int, int] = (0, 0)
    """The consumer's and the stream's sequence number up to which everything is settled."""
    pending: dict[int, Pending] = field(default_factory=dict)
    """By the stream's sequence number, ascending."""
    again: deque[int] = field(default_factory=deque)
    """To be delivered again, the next one first."""

    def __post_init__(self) -> None:
        self.floor = (0, max(self.next - 1, 0))

    @property
    def name(self) -> str:
        return self.config["name"]

    @property
    def patterns(self) -> list[str]:
        return self.config.get("filter_subjects") or [self.config.get("filter_subject") or ">"]

    @property
    def ack_wait(self) -> float:
        return self.config["ack_wait"] / 1_000_000_000

    def takes(self, subject: str) -> bool:
        return any(matcher(pattern)(subject) for pattern in self.patterns)

    # --- what happens to the stream

    def stored(self, sequence: int, subject: str) -> None:
        if sequence >= self.next and self.takes(subject):
            self.waiting += 1

    def removed(self, sequence: int, subject: str) -> None:
        """What is gone needs no answer any more."""
        if sequence >= self.next:
            self.waiting -= self.takes(subject)
        else:
            self.settle(sequence)

    def skip_to(self, first: int) -> None:
        """What is before has been purged. What was to be delivered again has to wait for the end of its lease."""
        self.next = max(self.next, first)
        self.again.clear()
        for pending in self.pending.values():
            pending.queued = False
        if not self.pending:
            self.floor = (self.delivered, max(self.next - 1, 0))

    # --- what happens to deliveries

    def deliver_first(self, sequence: int, now: float) -> None:
        self.next = sequence + 1
        self.waiting -= 1
        self.delivered += 1
        self.pending[sequence] = Pending(self.delivered, now + self.ack_wait)

    def deliver_again(self, sequence: int, now: float) -> None:
        self.delivered += 1
        pending = self.pending[sequence]
        pending.until, pending.queued = now + self.ack_wait, False
        pending.deliveries += 1

    def settle(self, sequence: int) -> None:
        """Nothing more is to be done about it."""
        pending = self.pending.pop(sequence, None)
        if pending is None:
            return
        if not self.pending:
            self.floor = (self.delivered, self.next - 1)
        elif pending.consumer_sequence == self.floor[0] + 1:
            left = next(iter(self.pending))
            self.floor = (self.pending[left].consumer_sequence - 1, left - 1)

    def ask_again(self, sequence: int) -> None:
        pending = self.pending.get(sequence)
        if pending and not pending.queued:
            pending.queued = True
            self.again.append(sequence)

    def extend(self, sequence: int, until: float) -> None:
        pending = self.pending.get(sequence)
        if pending:
            pending.until = until

    def expire(self, now: float) -> None:
        for sequence in [one for one, pending in self.pending.items() if pending.until <= now]:
            self.ask_again(sequence)

    def next_expiry(self) -> float | None:
        return min((pending.until for pending in self.pending.values() if not pending.queued), default=None)

    def next_again(self) -> int | None:
        """Take what is to be delivered again; what was delivered often enough is pending no more."""
        most = self.config["max_deliver"]
        while self.again:
            sequence = self.again.popleft()
            if sequence in self.pending and 0 < most <= self.pending[sequence].deliveries:
                del self.pending[sequence]
            elif sequence in self.pending:
                return sequence
        return None
