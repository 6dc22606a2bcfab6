"""Classify what RabbitMQ answers: the errors of aio-pika, aiormq and pamqp, and AMQP's reply codes.

Source: https://www.rabbitmq.com/amqp-0-9-1-reference#constants
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from aio_pika import exceptions as aio
from aiormq import exceptions as amqp
from pamqp.exceptions import PAMQPException

from events.certificates import SettingNames, certificate_problem
from events.errors import TransportError
from events.faults import Diagnosis, Fault

RIGHTS = "see its log, and whether this user may configure, write to and read it (docs/security.md)"
VHOST = "correct the vhost in RABBITMQ_URL, or make it and let this user in (rabbitmqctl add_vhost, set_permissions)"
USER = (
    "correct RABBITMQ_URL; with compose, if RABBITMQ_PASSWORD was changed in .env: `docker compose exec rabbitmq sh -c"
    " 'rabbitmqctl change_password timokha \"$RABBITMQ_DEFAULT_PASS\"'`, then `make up`"
)
"""A node keeps the password it was created with; its container has the one in `.env`."""
TLS = "correct RABBITMQ_URL: amqps:// where the server speaks TLS, amqp:// where not; cafile= names its authority"
CERTIFICATES = SettingNames(
    address="RABBITMQ_URL", authority="RABBITMQ_URL (cafile=)", own="RABBITMQ_URL (certfile= and keyfile=)"
)
FILES = "correct the files that RABBITMQ_URL names"
OTHERWISE = "delete it, or give the bridge another queue"
TRANSIENT = (
    "a non-durable queue as the original's model servers declare it; this RabbitMQ takes it only with "
    "`deprecated_features.permit.transient_nonexcl_queues = true` in rabbitmq.conf on every node"
)


class RequestRefused(TransportError):
    """RabbitMQ refused or failed a request."""


class DeclaredDifferently(RequestRefused):
    """A queue of this name exists with other settings."""


class Missing(RequestRefused):
    """No queue of this name exists."""


CODES: Final[dict[int, tuple[Fault, str]]] = {
    200: (Fault.PASSING, ""),  # closed normally
    311: (Fault.FINAL, "raise max_message_size in rabbitmq.conf, or ask shorter questions"),  # content too large
    312: (Fault.PASSING, "start its consumer or `timokha bridge` first"),  # no route
    313: (Fault.PASSING, ""),  # no consumers
    320: (Fault.PASSING, ""),  # connection forced: the node shuts down, or an operator closed it
    402: (Fault.FATAL, VHOST),  # invalid path
    403: (Fault.FATAL, RIGHTS),  # access refused
    404: (Fault.PASSING, ""),  # not found: upkeep creates it again; or its node is down
    405: (Fault.PASSING, "another connection holds it for itself"),  # resource locked
    406: (Fault.FATAL, RIGHTS),  # precondition failed
    501: (Fault.UNKNOWN, ""),  # frame error
    502: (Fault.UNKNOWN, ""),  # syntax error
    503: (Fault.UNKNOWN, ""),  # command invalid
    504: (Fault.PASSING, ""),  # channel error: the channel was closed meanwhile
    505: (Fault.UNKNOWN, ""),  # unexpected frame
    506: (Fault.PASSING, "see its log: it lacks resources"),  # resource error
    530: (Fault.FATAL, VHOST),  # not allowed
    540: (Fault.FATAL, "use another version of RabbitMQ"),  # not implemented
    541: (Fault.PASSING, "see its log"),  # internal error
}

TEXTS: Final[tuple[tuple[str, Fault, str], ...]] = (
    ("transient_nonexcl_queues", Fault.FATAL, TRANSIENT),
    ("max size", Fault.FINAL, CODES[311][1]),
    ("larger than configured", Fault.FINAL, CODES[311][1]),
    ("inequivalent arg", Fault.FATAL, OTHERWISE),
    ("delivery acknowledgement on channel", Fault.PASSING, ""),
    ("unknown delivery tag", Fault.PASSING, ""),
    ("limit (", Fault.PASSING, "close connections to it, or raise its limit"),  # of connections, channels or queues
)
"""Parts of reply texts, which take precedence over the code: one code has many causes."""

CLASSES: Final[dict[type[BaseException], int]] = {
    amqp.ChannelAccessRefused: 403,
    amqp.ChannelNotFoundEntity: 404,
    amqp.ChannelLockedResource: 405,
    amqp.ChannelPreconditionFailed: 406,
    amqp.ConnectionFrameError: 501,
    amqp.ConnectionSyntaxError: 502,
    amqp.ConnectionCommandInvalid: 503,
    amqp.ConnectionChannelError: 504,
    amqp.ConnectionUnexpectedFrame: 505,
    amqp.ConnectionResourceError: 506,
    amqp.ConnectionNotAllowed: 530,
    amqp.ConnectionNotImplemented: 540,
    amqp.ConnectionInternalError: 541,
    amqp.PublishError: 312,
}

KINDS: Final[tuple[tuple[tuple[type[BaseException], ...], Diagnosis], ...]] = (
    (
        (aio.ProbableAuthenticationError,),
        Diagnosis(Fault.FATAL, "it refused the user or its password", USER, bad_setting=True),
    ),
    (
        (aio.AuthenticationError,),
        Diagnosis(Fault.FATAL, "it does not offer the way to sign in that the address names", USER, bad_setting=True),
    ),
    ((aio.DeliveryError,), Diagnosis(Fault.PASSING, "the queue is full", "try again")),
    ((ssl.SSLError,), Diagnosis(Fault.FATAL, "", TLS, bad_setting=True)),
    (
        (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError),
        Diagnosis(Fault.FATAL, "", FILES, bad_setting=True),
    ),
    ((aio.ProtocolSyntaxError, PAMQPException, ValueError, KeyError), Diagnosis(Fault.UNKNOWN, "")),
    ((aio.AMQPError, OSError, RuntimeError, StopAsyncIteration), Diagnosis(Fault.PASSING, "")),
)
"""Errors without a code; the first match counts."""

CLOSE: Final = re.compile(r"got <Connection\.Close (\d+) (.*)>", re.DOTALL)
"""A refused vhost in the client's error, as `fix_client` makes it readable."""

INEQUIVALENT: Final = re.compile(r"inequivalent arg '([^']+)' for .*: received (.+) but current is (.+)")
VALUE: Final = re.compile(r"the value ('.*') of type '.*'")

ERRORS = (aio.AMQPError, PAMQPException, OSError, RuntimeError, TimeoutError, ValueError, KeyError, StopAsyncIteration)
"""What the client raises for what RabbitMQ or the network does."""


def classify(error: BaseException) -> Diagnosis:
    """Classify any error that the client raises."""
    reason, code = reason_of(error), _code(error)
    if code is not None:
        return _classify_reply(code, reason)
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if flaw := certificate_problem(reason, CERTIFICATES):
        return flaw
    for kinds, diagnosis in KINDS:
        if isinstance(error, kinds) or isinstance(cause, kinds):
            return replace(diagnosis, reason=diagnosis.reason or reason)
    return Diagnosis(Fault.UNKNOWN, reason)


def refusal(what: str, error: BaseException) -> RequestRefused:
    """Return the error that explains why `what` was refused."""
    diagnosis = classify(error)
    if diagnosis.advice == OTHERWISE:
        return DeclaredDifferently(
            f"RabbitMQ has {what!r} with other settings{_difference(diagnosis.reason)}; {OTHERWISE}", diagnosis.fault
        )
    if diagnosis.advice == TRANSIENT:
        return RequestRefused(f"RabbitMQ refuses {what!r}, {TRANSIENT}", diagnosis.fault)
    kind = Missing if isinstance(error, amqp.ChannelNotFoundEntity) else RequestRefused
    advice = diagnosis.advice or ("it is retried" if diagnosis.fault is Fault.PASSING else RIGHTS)
    return kind(f"RabbitMQ refused {what!r} ({diagnosis.reason}); {advice}", diagnosis.fault)


def _difference(reason: str) -> str:
    found = INEQUIVALENT.search(reason)
    if not found:
        return ""
    argument, ours, theirs = (VALUE.sub(r"\1", part) for part in found.groups())
    return f" (its {argument} is {theirs}, ours is {ours})"


def reason_of(error: BaseException) -> str:
    """Return the reason in one line, without bytes of messages, which may contain a user's text."""
    if found := CLOSE.search(str(error)):
        return _line(found[2])
    if isinstance(error, aio.InvalidFrameError | PAMQPException):
        return type(error).__name__
    if isinstance(error, aio.ConnectionClosed | aio.ChannelClosed) and len(error.args) > 1:
        return _line(str(error.args[1] or type(error).__name__))
    return _line(str(error) or type(error).__name__)


def _classify_reply(code: int, reason: str) -> Diagnosis:
    for text, fault, advice in TEXTS:
        if text in reason:
            return Diagnosis(fault, reason, advice)
    fault, advice = CODES.get(code, (Fault.UNKNOWN, ""))
    return Diagnosis(fault, reason, advice, bad_setting=advice == VHOST)


def _code(error: BaseException) -> int | None:
    if found := CLOSE.search(str(error)):
        return int(found[1])
    for kind, code in CLASSES.items():
        if isinstance(error, kind):
            return code
    first = error.args[0] if isinstance(error, aio.ConnectionClosed | aio.ChannelClosed) and error.args else None
    return first if isinstance(first, int) and first else None


def _line(text: str) -> str:
    return " ".join(text.split())


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Raise the client's errors as RequestRefused; `what` names what was asked of the broker."""
    try:
        yield
    except ERRORS as error:
        raise refusal(what, error) from None
