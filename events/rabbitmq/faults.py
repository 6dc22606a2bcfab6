"""What RabbitMQ answers, judged in one place: the errors of aio-pika, aiormq and pamqp, and AMQP's reply codes.

Source: https://www.rabbitmq.com/amqp-0-9-1-reference#constants
"""

import re
import ssl
from dataclasses import dataclass, replace
from typing import Final

from aio_pika import exceptions as aio
from aiormq import exceptions as amqp
from pamqp.exceptions import PAMQPException

from events.certificates import SettingNames, certificate_problem
from events.errors import TransportError
from events.faults import Fault

RIGHTS = "see its log, and whether this user may configure, write to and read it (docs/security.md)"
VHOST = "correct the vhost in RABBITMQ_URL, or make it and let this user in (rabbitmqctl add_vhost, set_permissions)"
USER = (
    "correct RABBITMQ_URL; with compose, if RABBITMQ_PASSWORD was changed in .env: `docker compose exec rabbitmq sh -c"
    " 'rabbitmqctl change_password timokha \"$RABBITMQ_DEFAULT_PASS\"'`, then `make up`"
)
"""Its node keeps the password that it was made with; its container knows the one in `.env`."""
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
    """RabbitMQ did not do what was asked of it."""


class DeclaredDifferently(RequestRefused):
    """There is a queue of this name with other settings."""


class Missing(RequestRefused):
    """There is no queue of this name."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is what was answered; `advice` what a person can do about it, if anybody knows.

    `setting`: RABBITMQ_URL is at fault.
    """

    fault: Fault
    reason: str
    advice: str = ""
    setting: bool = False

    def __str__(self) -> str:
        return f"{self.reason}; {self.advice}" if self.advice else self.reason


CODES: Final[dict[int, tuple[Fault, str]]] = {
    200: (Fault.PASSING, ""),  # closed in good order
    311: (Fault.FINAL, "raise max_message_size in rabbitmq.conf, or ask shorter questions"),  # content too large
    312: (Fault.PASSING, "start its consumer or `timokha bridge` first"),  # no route
    313: (Fault.PASSING, ""),  # no consumers
    320: (Fault.PASSING, ""),  # connection forced: the node shuts down, or an operator has closed it
    402: (Fault.FATAL, VHOST),  # invalid path
    403: (Fault.FATAL, RIGHTS),  # access refused
    404: (Fault.PASSING, ""),  # not found: whoever needs it makes it again; or its node is down
    405: (Fault.PASSING, "another connection holds it for itself"),  # resource locked
    406: (Fault.FATAL, RIGHTS),  # precondition failed
    501: (Fault.UNKNOWN, ""),  # frame error
    502: (Fault.UNKNOWN, ""),  # syntax error
    503: (Fault.UNKNOWN, ""),  # command invalid
    504: (Fault.PASSING, ""),  # channel error: one that was closed meanwhile
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
"""What a reply's text says decides before its code, which stands for many things."""

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

KINDS: Final[tuple[tuple[tuple[type[BaseException], ...], Verdict], ...]] = (
    (
        (aio.ProbableAuthenticationError,),
        Verdict(Fault.FATAL, "it refused the user or its password", USER, setting=True),
    ),
    (
        (aio.AuthenticationError,),
        Verdict(Fault.FATAL, "it does not offer the way to sign in that the address names", USER, setting=True),
    ),
    ((aio.DeliveryError,), Verdict(Fault.PASSING, "the queue is full", "try again")),
    ((ssl.SSLError,), Verdict(Fault.FATAL, "", TLS, setting=True)),
    (
        (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError),
        Verdict(Fault.FATAL, "", FILES, setting=True),
    ),
    ((aio.ProtocolSyntaxError, PAMQPException, ValueError, KeyError), Verdict(Fault.UNKNOWN, "")),
    ((aio.AMQPError, OSError, RuntimeError, StopAsyncIteration), Verdict(Fault.PASSING, "")),
)
"""What has no code; the first that fits."""

CLOSE: Final = re.compile(r"got <Connection\.Close (\d+) (.*)>", re.DOTALL)
"""How `tolerance.be_tolerant` makes the client tell a refusal of the vhost."""

INEQUIVALENT: Final = re.compile(r"inequivalent arg '([^']+)' for .*: received (.+) but current is (.+)")
VALUE: Final = re.compile(r"the value ('.*') of type '.*'")

ERRORS = (aio.AMQPError, PAMQPException, OSError, RuntimeError, TimeoutError, ValueError, KeyError, StopAsyncIteration)
"""What the client raises for what RabbitMQ or the network answers."""


def judge(error: BaseException) -> Verdict:
    """Of any error that the client raises."""
    reason, code = reason_of(error), _code(error)
    if code is not None:
        return _answered(code, reason)
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if flaw := certificate_problem(reason, CERTIFICATES):
        return Verdict(Fault.FATAL, flaw.reason, flaw.advice, setting=True)
    for kinds, verdict in KINDS:
        if isinstance(error, kinds) or isinstance(cause, kinds):
            return replace(verdict, reason=verdict.reason or reason)
    return Verdict(Fault.UNKNOWN, reason)


def refusal(what: str, error: BaseException) -> RequestRefused:
    """The error that tells a person what became of `what`."""
    verdict = judge(error)
    if verdict.advice == OTHERWISE:
        return DeclaredDifferently(
            f"RabbitMQ has {what!r} with other settings{_difference(verdict.reason)}; {OTHERWISE}", verdict.fault
        )
    if verdict.advice == TRANSIENT:
        return RequestRefused(f"RabbitMQ refuses {what!r}, {TRANSIENT}", verdict.fault)
    kind = Missing if isinstance(error, amqp.ChannelNotFoundEntity) else RequestRefused
    advice = verdict.advice or ("it is tried again" if verdict.fault is Fault.PASSING else RIGHTS)
    return kind(f"RabbitMQ refused {what!r} ({verdict.reason}); {advice}", verdict.fault)


def _difference(reason: str) -> str:
    found = INEQUIVALENT.search(reason)
    if not found:
        return ""
    argument, ours, theirs = (VALUE.sub(r"\1", part) for part in found.groups())
    return f" (its {argument} is {theirs}, ours is {ours})"


def reason_of(error: BaseException) -> str:
    """In one line, and without what was on the wire: that may be a user's text."""
    if found := CLOSE.search(str(error)):
        return _line(found[2])
    if isinstance(error, aio.InvalidFrameError | PAMQPException):
        return type(error).__name__
    if isinstance(error, aio.ConnectionClosed | aio.ChannelClosed) and len(error.args) > 1:
        return _line(str(error.args[1] or type(error).__name__))
    return _line(str(error) or type(error).__name__)


def _answered(code: int, reason: str) -> Verdict:
    for text, fault, advice in TEXTS:
        if text in reason:
            return Verdict(fault, reason, advice)
    fault, advice = CODES.get(code, (Fault.UNKNOWN, ""))
    return Verdict(fault, reason, advice, setting=advice == VHOST)


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
