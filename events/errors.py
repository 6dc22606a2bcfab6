"""Everything that can go wrong on the way, as a small tree; each message says what to do next."""

from events.faults import Fault


class TimokhaError(Exception):
    """Root of the errors that a person reads. `exit_code` is what the command line ends with."""

    exit_code = 1


class SettingsError(TimokhaError):
    """A setting is missing or bad."""

    exit_code = 2


class MalformedEvent(TimokhaError):
    """A message on the wire is not the event it claims to be."""


class TransportError(TimokhaError):
    """The broker did not take, keep or bring a message; `fault` says whether trying again may help."""

    def __init__(self, message: str, fault: Fault = Fault.PASSING) -> None:
        super().__init__(message)
        self.fault = fault


class TransportUnreachable(TransportError):
    """No connection to the broker."""


class Conflict(TimokhaError):
    """A compare-and-set lost: somebody else changed the record first. Load it and decide again."""
