"""Classify what NATS and JetStream answer: nats-py's errors and the codes of JetStream's API.

Source: https://github.com/nats-io/nats-server/blob/main/server/errors.json
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import structlog
from nats import errors as nats
from nats.js import errors as js

from events.errors import TransportError
from events.faults import Diagnosis, Fault
from events.jetstream.client import JetStreamOff, NotPermitted
from events.runtime.retrying import Backoff, Retrying

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
"""Another process has created it meanwhile."""

PATIENCE = timedelta(seconds=15)
"""An election takes up to 10 s."""

PAUSES = Backoff(timedelta(seconds=0.25), timedelta(seconds=1))

ERRORS = (nats.Error, OSError)
"""What nats-py raises for what a server or the network does."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


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
    10065: (Fault.FATAL, "delete or fix the other stream with the nats tool, then run `timokha setup`"),  # overlap
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


def classify(error: Exception) -> Diagnosis:
    """Classify any error that nats-py raises."""
    if isinstance(error, NotPermitted):
        return Diagnosis(Fault.FATAL, error.refusal, error.advice)
    if isinstance(error, js.APIError) and not isinstance(error, js.BucketNotFoundError):
        return _classify_answer(error)
    for kind, fault, advice in CLASSES:
        if isinstance(error, kind):
            return Diagnosis(fault, _reason(error), advice)
    return Diagnosis(Fault.UNKNOWN, _reason(error))


def _classify_answer(error: js.APIError) -> Diagnosis:
    # Some subclasses have neither.
    description, code = getattr(error, "description", None), getattr(error, "err_code", None)
    reason = description or _reason(error)
    if code == STORE_FAILED:
        return Diagnosis(Fault.PASSING, reason, ROOM if description == FULL else STORAGE)
    if code in CODES:
        return Diagnosis(CODES[code][0], reason, CODES[code][1])
    if isinstance(error, js.ServiceUnavailableError):
        return Diagnosis(Fault.PASSING, description or "no server answers")
    return Diagnosis(Fault.UNKNOWN, reason)


def _reason(error: Exception) -> str:
    if isinstance(error, js.BucketNotFoundError):
        return "bucket not found"
    if isinstance(error, js.APIError) and not getattr(error, "description", None):
        return type(error).__name__  # its own text lists what it has not
    try:
        return str(error) or type(error).__name__
    except TypeError:  # the text of one of nats-py's errors depends on what it was made with
        return type(error).__name__


def is_lost_stream(error: js.NotFoundError) -> bool:
    """Return whether the stream or bucket itself was not found, rather than a message or key in it."""
    return getattr(error, "err_code", None) == STREAM_NOT_FOUND


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Raise the client's errors as TransportError; `what` says what failed."""
    try:
        yield
    except ERRORS as error:
        diagnosis = classify(error)
        raise TransportError(f"{what}: {diagnosis}", diagnosis.fault) from None


async def retry_passing(ask: Callable[[], Awaitable[T]], *, retrying: Retrying, patience: timedelta = PATIENCE) -> T:
    """Return what `ask` returns, retrying passing errors for `patience`, e.g. during an election. Raises NatsError."""
    logged = False

    def log_once(error: Exception, pause: timedelta) -> None:
        nonlocal logged
        if not logged:
            log.warning("nats.waiting", error=str(error) or type(error).__name__)
            logged = True

    def is_passing(error: Exception) -> bool:
        return classify(error).fault is Fault.PASSING

    return await retrying(ask, passing=is_passing, backoff=PAUSES, patience=patience, failed=log_once)
