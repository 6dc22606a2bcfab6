"""Notice streams that do not confirm what is published to them although their server is connected.

After a failed write, e.g. on a full disk, nats-server 2.15 answers no publisher of that stream until it is restarted;
reading goes on.
"""

from nats.errors import TimeoutError as NatsTimeoutError

RECENT = 60.0
"""Seconds after which a missing confirmation counts no longer. What must be stored is published again much sooner."""

NOT_STORED = ("$JS.", "_", "timokha.wake.", "timokha.progress.")
"""Beginnings of subjects that no stream stores."""

ADVICE = "if that lasts, nats-server's log says why; after a full disk make room, then restart nats-server"


class NotConfirmed(NatsTimeoutError):
    """A stream has not confirmed in time what was published to it."""

    def __str__(self) -> str:
        return f"no confirmation in time; {ADVICE}"


class Unconfirmed:
    """What is missing now, by the first two parts of the subject, e.g. `timokha.requests` or `$KV.chats`."""

    def __init__(self) -> None:
        self._missing_at: dict[str, float] = {}

    def note_missing(self, subject: str, now: float) -> bool:
        """Note that a request under `subject` was not answered. Return whether it was to be stored."""
        if subject.startswith(NOT_STORED):
            return False
        self._missing_at[_place(subject)] = now
        return True

    def note_answered(self, subject: str) -> None:
        """Note that something under `subject` was answered: stored, or refused."""
        if self._missing_at:
            self._missing_at.pop(_place(subject), None)

    def problem(self, now: float) -> str:
        """Return what is not confirmed, empty if nothing."""
        places = [place for place, at in self._missing_at.items() if now - at < RECENT]
        return f"NATS does not confirm what is published to {', '.join(places)}: {ADVICE}" if places else ""


def _place(subject: str) -> str:
    return ".".join(subject.split(".")[:2])
