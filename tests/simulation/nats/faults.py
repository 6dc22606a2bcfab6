"""What a seed's script may do to a simulated NATS server beside cutting and stopping it: each is one line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random


@dataclass
class Faults:
    """`delay`: seconds that what the server sends may take, `random` decides; a connection keeps its order."""

    random: Random
    delay: float = 0.0
    without_leader: int = 0
    """Requests of the JetStream API that are still to be refused, because no server is the leader now."""
    forgotten_acks: int = 0
    """Acknowledgements that are still to be confirmed and forgotten, as by a server that dies just after."""
    on_lost: Callable[[str], object] = lambda _subject: None
    """Called with its subject whenever a confirmation is lost."""
    _lost: dict[str, int] = field(default_factory=dict)
    _unanswered: dict[str, None] = field(default_factory=dict)

    def lose_confirmations(self, prefix: str, count: int = 1) -> None:
        """Store the next messages under subjects that begin so, but don't confirm them."""
        self._lost[prefix] = self._lost.get(prefix, 0) + count

    def lose_confirmed_update(self, bucket: str) -> None:
        """Do the next update of a bucket, and lose the answer."""
        self.lose_confirmations(f"$KV.{bucket}.")

    def lose_answers(self, operation: str) -> None:
        """Carry out the next request of the API for this operation, but don't answer it."""
        self._unanswered[operation] = None

    def drop_answer(self, operation: str) -> bool:
        """Return whether the answer to this one is lost."""
        if operation in self._unanswered:
            del self._unanswered[operation]
            return True
        return False

    def drop_confirmation(self, subject: str) -> bool:
        """Return whether this one is lost."""
        for prefix, left in self._lost.items():
            if left and subject.startswith(prefix):
                self._lost[prefix] -= 1
                self.on_lost(subject)
                return True
        return False

    def refuse_request(self) -> bool:
        self.without_leader -= (due := self.without_leader > 0)
        return due

    def forget_ack(self) -> bool:
        self.forgotten_acks -= (due := self.forgotten_acks > 0)
        return due

    def pause(self) -> float:
        return self.random.uniform(0, self.delay) if self.delay else 0.0
