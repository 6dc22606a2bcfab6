"""The tree of our errors; each message says what to do next."""

from events.faults import Fault


class TimokhaError(Exception):
    """Root of the errors whose message a person reads. `exit_code` is the exit code of the command."""

    exit_code = 1


class SettingsError(TimokhaError):
    """A setting is missing or bad."""

    exit_code = 2


class MalformedEvent(TimokhaError):
    """A message is not a valid event."""


class TransportError(TimokhaError):
    """The broker did not store or deliver a message; `fault` says whether a retry may help."""

    def __init__(self, message: str, fault: Fault = Fault.PASSING) -> None:
        super().__init__(message)
        self.fault = fault


class TransportUnreachable(TransportError):
    """There is no connection to the broker."""


class Conflict(TimokhaError):
    """A compare-and-set failed because the record was changed meanwhile. Load it and decide again."""
