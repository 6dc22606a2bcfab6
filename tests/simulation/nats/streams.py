"""A stream as it is stored: messages by sequence number and subject, and what its limits do to them."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.nats import errors
from tests.simulation.nats.consumer_state import ConsumerState
from tests.simulation.nats.errors import Refused
from tests.simulation.nats.subjects import is_literal, matcher


@dataclass(slots=True)
class Message:
    """`stamp`: nanoseconds since 1970."""

    sequence: int
    subject: str
    headers: bytes
    payload: bytes
    stamp: int

    @property
    def size(self) -> int:
        """Bytes that the server counts for it."""
        return 30 + len(self.subject) + len(self.payload) + (4 + len(self.headers) if self.headers else 0)


@dataclass(eq=False)
class Stream:
    """`config` as `stream_configs.complete` returns it. `now` returns nanoseconds since 1970."""

    config: dict[str, Any]
    created: int
    now: Callable[[], int]
    bytes: int = 0
    last_sequence: int = 0
    last_stamp: int = 0
    consumers: dict[str, ConsumerState] = field(default_factory=dict)
    ids: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By `Nats-Msg-Id`: the message's sequence number and time."""
    last_id: str = ""
    _purged: bool = False
    _messages: dict[int, Message] = field(default_factory=dict)
    _sequences: list[int] = field(default_factory=list)
    _by_subject: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.last_sequence = max(self.config.get("first_seq", 0) - 1, 0)

    @property
    def name(self) -> str:
        return self.config["name"]

    # --- read

    def __len__(self) -> int:
        return len(self._sequences)

    @property
    def first_sequence(self) -> int:
        if self._sequences:
            return self._sequences[0]
        return self.last_sequence + 1 if self.last_sequence or self._purged else 0

    @property
    def first_stamp(self) -> int:
        return self._messages[self._sequences[0]].stamp if self._sequences else 0

    def get(self, sequence: int) -> Message | None:
        return self._messages.get(sequence)

    def next(self, first: int, pattern: str) -> Message | None:
        """Return the oldest message from sequence number `first` on whose subject matches."""
        sequences = self._by_subject.get(pattern, []) if is_literal(pattern) else self._sequences
        matches = matcher(pattern)
        for place in range(bisect_left(sequences, first), len(sequences)):
            message = self._messages[sequences[place]]
            if matches(message.subject):
                return message
        return None

    def last(self, pattern: str) -> Message | None:
        """Return the newest message whose subject matches."""
        if is_literal(pattern):
            sequences = self._by_subject.get(pattern)
            return self._messages[sequences[-1]] if sequences else None
        return max(self.every(pattern), key=lambda message: message.sequence, default=None)

    def last_sequence_of(self, subject: str) -> int:
        return self._by_subject.get(subject, (0,))[-1]

    def every(self, pattern: str, first: int = 0) -> Iterator[Message]:
        """Yield the matching messages, oldest first."""
        matches = matcher(pattern)
        for sequence in self._sequences[bisect_left(self._sequences, first) :]:
            message = self._messages[sequence]
            if matches(message.subject):
                yield message

    def first_since(self, stamp: int) -> int:
        """Return the sequence number of the oldest message that is not older than `stamp`."""
        since = (one for one in self._sequences if self._messages[one].stamp >= stamp)
        return next(since, self.last_sequence + 1)

    def subjects(self, pattern: str) -> dict[str, int]:
        """Return the number of messages of each matching subject, sorted."""
        matches = matcher(pattern)
        return {subject: len(self._by_subject[subject]) for subject in sorted(self._by_subject) if matches(subject)}

    @property
    def subject_count(self) -> int:
        return len(self._by_subject)

    # --- change

    def append(self, subject: str, headers: bytes, payload: bytes, stamp: int) -> Message:
        """Store a message, and remove what the limits leave no room for. Raises Refused."""
        self.expire()
        message = Message(self.last_sequence + 1, subject, headers, payload, stamp)
        if self.config["discard"] == "new":
            self._check_room(message)
        self.last_sequence, self.last_stamp = message.sequence, stamp
        self._messages[message.sequence] = message
        self._sequences.append(message.sequence)
        self._by_subject.setdefault(subject, []).append(message.sequence)
        self.bytes += message.size
        for consumer in self.consumers.values():
            consumer.stored(message.sequence, subject)
        self._make_room(subject)
        return message

    def _check_room(self, message: Message) -> None:
        config, of_subject = self.config, self._by_subject.get(message.subject, ())
        a_subject = config["max_msgs_per_subject"]
        if config.get("discard_new_per_subject") and 0 < a_subject <= len(of_subject):
            raise Refused(errors.not_stored("maximum messages per subject exceeded"))
        replaced = self._messages[of_subject[0]] if 0 < a_subject <= len(of_subject) else None
        if 0 < config["max_msgs"] <= len(self) - (replaced is not None):
            raise Refused(errors.not_stored("maximum messages exceeded"))
        if 0 < config["max_bytes"] < self.bytes + message.size - (replaced.size if replaced else 0):
            raise Refused(errors.not_stored("maximum bytes exceeded"))

    def _make_room(self, subject: str) -> None:
        config, of_subject = self.config, self._by_subject[subject]
        while 0 < config["max_msgs_per_subject"] < len(of_subject):
            self.remove(of_subject[0])
        while 0 < config["max_msgs"] < len(self) or 0 < config["max_bytes"] < self.bytes:
            self.remove(self._sequences[0])

    def expire(self) -> None:
        """Remove what is too old; without a timer, so that a simulation does not wait for it."""
        if not self.config["max_age"] or not self._sequences:
            return
        oldest = self.now() - self.config["max_age"]
        while self._sequences and self.first_stamp < oldest:
            self.remove(self._sequences[0])

    def remove(self, sequence: int) -> bool:
        """Return whether it was there."""
        message = self._messages.pop(sequence, None)
        if message is None:
            return False
        _drop(self._sequences, sequence)
        of_subject = self._by_subject[message.subject]
        _drop(of_subject, sequence)
        if not of_subject:
            del self._by_subject[message.subject]
        self.bytes -= message.size
        for consumer in self.consumers.values():
            consumer.removed(sequence, message.subject)
        return True

    def purge(self, pattern: str, *, below: int = 0, keep: int = 0) -> int:
        """Remove the matching messages but the newest `keep` ones; return how many there were.

        `below`: only those with a lower sequence number. If the pattern takes everything, the next message has it.
        """
        found = [one.sequence for one in self.every(pattern) if not below or one.sequence < below]
        found = found[: len(found) - keep] if keep else found
        for sequence in found:
            self.remove(sequence)
        if pattern == ">":
            self.last_sequence = max(self.last_sequence, below - 1)
            self._purged = True
        for consumer in self.consumers.values():
            consumer.skip_to(self.first_sequence)
        return len(found)

    def remembered(self, message_id: str) -> int | None:
        """Return the sequence number of what was published under the id within the window."""
        oldest = self.now() - self.config["duplicate_window"]
        while self.ids and (first := next(iter(self.ids))) and self.ids[first][1] < oldest:
            del self.ids[first]
        return self.ids[message_id][0] if message_id in self.ids else None


def _drop(sequences: list[int], sequence: int) -> None:
    del sequences[bisect_left(sequences, sequence)]
