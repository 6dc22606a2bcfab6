"""Classify what NATS and JetStream answer: nats-py's errors and the codes of JetStream's API.

Source: https://github.com/nats-io/nats-server/blob/main/server/errors.json
"""

from dataclasses import dataclass

from nats import errors as nats
from nats.js import errors as js

from events.errors import TransportError
from events.faults import Fault
from events.jetstream.client import JetStreamOff, NotPermitted

SET_UP = "run `timokha setup` as an administrator (with compose `docker compose up -d` runs it)"
ROOM = "raise SETUP_MAX_BYTES or lower SETUP_MAX_AGE and run `timokha setup`"
STORAGE = "lower SETUP_MAX_BYTES, or give JetStream more room (max_file_store) in the server's configuration"
ENABLE = "enable JetStream in the server's configuration (`jetstream {}`)"

STREAM_NOT_FOUND = 10059
CONSUMER_NOT_FOUND = 10014
STORE_FAILED = 10077
WRONG_LAST_SEQUENCE = (10071, 10164)
FULL = "maximum bytes exceeded"
SUBJECT_TAKEN = "maximum messages per subject exceeded"
EXISTS = {10013, 10058, 10105, 10148}
"""Another process has created it in the meantime."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is what was answered, `advice` what to do about it, or empty."""

    fault: Fault
    reason: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.reason}; {self.advice}" if self.advice else self.reason


CODES: dict[int, tuple[Fault, str]] = {
    10002: (Fault.FATAL, STORAGE),  # resource limits exceeded for account
    10023: (Fault.FATAL, STORAGE),  # insufficient resources
    10028: (Fault.FATAL, STORAGE),  # insufficient memory resources available
    10047: (Fault.FATAL, STORAGE),  # insufficient storage resources available
    10122: (Fault.FATAL, STORAGE),  # stream max bytes exceeds account limit
    10035: (Fault.FATAL, ENABLE),  # account not found
    10039: (Fault.FATAL, f"{ENABLE}, for this user's account"),
    10076: (Fault.FATAL, ENABLE),  # JetStream not enabled
    10074: (Fault.FATAL, "SETUP_REPLICAS above 1 needs a cluster"),
    STREAM_NOT_FOUND: (Fault.FATAL, SET_UP),
    CONSUMER_NOT_FOUND: (Fault.FATAL, SET_UP),
    10065: (Fault.FATAL, "delete or mend the other stream with the nats tool, then run `timokha setup`"),  # overlap
    10005: (Fault.PASSING, ""),  # no suitable peers: not all nodes have started
    10007: (Fault.PASSING, ""),  # not assigned
    10008: (Fault.PASSING, ""),  # no leader
    10009: (Fault.PASSING, ""),  # not the leader
    10041: (Fault.PASSING, ""),  # raft
    10054: (Fault.FINAL, ""),  # message size
    10097: (Fault.FINAL, ""),  # header size
    10071: (Fault.FINAL, ""),
    10164: (Fault.FINAL, ""),
}

CLASSES: tuple[tuple[type[Exception], Fault, str], ...] = (
    (JetStreamOff, Fault.FATAL, ENABLE),
    (js.BucketNotFoundError, Fault.FATAL, SET_UP),
    (nats.TimeoutError, Fault.PASSING, ""),
    (nats.NoRespondersError, Fault.PASSING, ""),
    (nats.StaleConnectionError, Fault.PASSING, ""),
    (nats.ConnectionReconnectingError, Fault.PASSING, ""),
    (nats.OutboundBufferLimitError, Fault.PASSING, ""),
    (js.NoStreamResponseError, Fault.PASSING, ""),
    (OSError, Fault.PASSING, ""),
    (TimeoutError, Fault.PASSING, ""),
    (nats.MaxPayloadError, Fault.FINAL, "raise the server's max_payload"),
    (nats.BadSubjectError, Fault.FINAL, ""),
    (nats.BadHeaderError, Fault.FINAL, ""),
)
"""Errors without a code."""


def judge(error: Exception) -> Verdict:
    """Classify any error that nats-py raises."""
    if isinstance(error, NotPermitted):
        return Verdict(Fault.FATAL, error.refusal, error.advice)
    if isinstance(error, js.APIError) and not isinstance(error, js.BucketNotFoundError):
        return _api(error)
    for kind, fault, advice in CLASSES:
        if isinstance(error, kind):
            return Verdict(fault, _reason(error), advice)
    return Verdict(Fault.UNKNOWN, _reason(error))


def failed(what: str, error: Exception) -> TransportError:
    """Return the TransportError for `error`: `what` says what failed."""
    verdict = judge(error)
    return TransportError(f"{what}: {verdict}", verdict.fault)


def is_passing(error: Exception) -> bool:
    """Return whether a retry may help."""
    return judge(error).fault is Fault.PASSING


def is_lost_stream(error: js.NotFoundError) -> bool:
    """Return whether the stream or bucket itself was not found, and not a message or key in it."""
    return getattr(error, "err_code", None) == STREAM_NOT_FOUND


def _api(error: js.APIError) -> Verdict:
    # Some subclasses have neither.
    description, code = getattr(error, "description", None), getattr(error, "err_code", None)
    reason = description or _reason(error)
    if code == STORE_FAILED:
        return Verdict(Fault.PASSING, reason, ROOM if description == FULL else STORAGE)
    if code in CODES:
        return Verdict(CODES[code][0], reason, CODES[code][1])
    if isinstance(error, js.ServiceUnavailableError):
        return Verdict(Fault.PASSING, description or "nobody answers")
    return Verdict(Fault.UNKNOWN, reason)


def _reason(error: Exception) -> str:
    try:
        return str(error) or type(error).__name__
    except TypeError:  # one of nats-py's can't always say what it is
        return type(error).__name__
