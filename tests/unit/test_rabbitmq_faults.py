"""What RabbitMQ answers is judged in one table."""

import asyncio
import gc
import ssl

import pytest
from aiormq import exceptions as amqp
from aiormq.abc import DeliveredMessage, TaskWrapper
from pamqp.commands import Basic, Connection
from pamqp.exceptions import UnmarshalingException
from pamqp.header import ContentHeader

from events.errors import SettingsError, TransportUnreachable
from events.faults import Fault
from events.rabbitmq.client import fix_client
from events.rabbitmq.connection import connection_error
from events.rabbitmq.faults import DeclaredDifferently, Missing, classify, refusal

URL = "RABBITMQ_URL"


def refused_vhost(code: int, text: str) -> Exception:
    """As the client tells it: with the frame's repr."""
    fix_client()
    return amqp.InvalidFrameError(f"Expected one of ['Connection.OpenOk'], got {Connection.Close(code, text)!r}")


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def unroutable() -> Exception:
    returned = Basic.Return(312, "NO_ROUTE", "", "q")
    return amqp.PublishError(DeliveredMessage(returned, ContentHeader(), b"", None), returned)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "fault", "says"),
    [
        (amqp.ChannelAccessRefused("ACCESS_REFUSED - access to queue 'q' refused"), Fault.FATAL, "may configure"),
        (amqp.ChannelNotFoundEntity("NOT_FOUND - no queue 'q' in vhost '/'"), Fault.PASSING, ""),
        (amqp.ChannelLockedResource("RESOURCE_LOCKED - exclusive"), Fault.PASSING, "another connection"),
        (amqp.ChannelPreconditionFailed("PRECONDITION_FAILED - inequivalent arg 'durable'"), Fault.FATAL, "delete it"),
        (
            amqp.ChannelPreconditionFailed("PRECONDITION_FAILED - unknown delivery tag 7"),
            Fault.PASSING,
            "",
        ),
        (
            amqp.ChannelPreconditionFailed("PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out"),
            Fault.PASSING,
            "",
        ),
        (
            amqp.ChannelPreconditionFailed("PRECONDITION_FAILED - message size 9 is larger than configured max size 8"),
            Fault.FINAL,
            "max_message_size",
        ),
        (amqp.ChannelClosed(311, "CONTENT_TOO_LARGE"), Fault.FINAL, "max_message_size"),
        (amqp.ChannelClosed(None, None), Fault.PASSING, ""),
        (amqp.ChannelClosed(999, "NEW_CODE"), Fault.UNKNOWN, "NEW_CODE"),
        (amqp.ConnectionClosed(320, "CONNECTION_FORCED - broker forced connection closure"), Fault.PASSING, ""),
        (amqp.ConnectionResourceError("RESOURCE_ERROR"), Fault.PASSING, "lacks resources"),
        (amqp.ConnectionInternalError("INTERNAL_ERROR"), Fault.PASSING, "log"),
        (
            amqp.ConnectionInternalError("INTERNAL_ERROR - Feature `transient_nonexcl_queues` is\ndeprecated"),
            Fault.FATAL,
            "rabbitmq.conf",
        ),
        (amqp.ConnectionNotAllowed("NOT_ALLOWED - vhost 'v' is deleted"), Fault.FATAL, URL),
        (amqp.ConnectionFrameError("FRAME_ERROR - cannot decode"), Fault.UNKNOWN, ""),
        (amqp.DeliveryError(None, Basic.Nack(1)), Fault.PASSING, "queue is full"),
        (unroutable(), Fault.PASSING, "start its consumer"),
        (amqp.ProbableAuthenticationError("ACCESS_REFUSED - Login was refused"), Fault.FATAL, URL),
        (amqp.AuthenticationError("PLAIN", ["EXTERNAL"]), Fault.FATAL, URL),
        (refused_vhost(530, "NOT_ALLOWED - vhost none not found"), Fault.FATAL, URL),
        (refused_vhost(530, "NOT_ALLOWED - access to vhost '/': connection limit (1) is reached"), Fault.PASSING, ""),
        (refused_vhost(541, "INTERNAL_ERROR - access to vhost '/' refused: vhost '/' is down"), Fault.PASSING, "log"),
        (refused_vhost(320, "CONNECTION_FORCED - shutdown"), Fault.PASSING, ""),
        (caused(amqp.AMQPConnectionError(1, "[SSL]"), ssl.SSLError(1, "WRONG_VERSION_NUMBER")), Fault.FATAL, "amqps"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), Fault.FATAL, "cafile="),
        (FileNotFoundError(2, "No such file"), Fault.FATAL, "files"),
        (caused(amqp.AMQPConnectionError(111, "x"), ConnectionRefusedError(111, "x")), Fault.PASSING, ""),
        (TimeoutError(), Fault.PASSING, "TimeoutError"),
        (amqp.ChannelInvalidStateError("closed"), Fault.PASSING, ""),
        (amqp.ProtocolSyntaxError("Unexpected AMQP protocol header"), Fault.UNKNOWN, ""),
        (ZeroDivisionError(), Fault.UNKNOWN, "ZeroDivisionError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_answer_has_its_meaning_in_one_line(error: Exception, fault: Fault, says: str) -> None:
    diagnosis = classify(error)
    assert diagnosis.fault is fault
    assert says in str(diagnosis)
    assert "\n" not in str(refusal("q", error))


def test_what_was_on_the_wire_is_not_told() -> None:
    for error in (amqp.InvalidFrameError(b"a secret"), UnmarshalingException("a secret", "b")):
        assert "secret" not in str(classify(error))
        assert "secret" not in str(refusal("q", error))


def test_a_queue_that_is_declared_otherwise_or_missing_is_told_from_other_refusals() -> None:
    assert isinstance(refusal("q", amqp.ChannelPreconditionFailed("inequivalent arg 'durable'")), DeclaredDifferently)
    assert isinstance(refusal("q", amqp.ChannelNotFoundEntity("NOT_FOUND - no queue 'q'")), Missing)


def test_a_connection_that_is_refused_for_a_setting_ends_with_the_settings_code() -> None:
    assert (
        connection_error("h:1/v", refused_vhost(530, "NOT_ALLOWED - vhost v not found")).exit_code
        == SettingsError.exit_code
    )
    assert connection_error("h:1/v", TimeoutError()).exit_code == TransportUnreachable.exit_code == 1


async def test_an_attempt_that_is_refused_while_it_is_cut_off_leaves_no_traceback(caplog) -> None:
    """As aio-pika connects: `asyncio.wait_for` of Python 3.11 leaves the error to nobody."""
    fix_client()
    attempt = TaskWrapper(asyncio.ensure_future(asyncio.Event().wait()))
    connecting = asyncio.create_task(asyncio.wait_for(_awaited(attempt), 60))
    for _ in range(3):  # until both wait
        await asyncio.sleep(0)
    attempt.throw(amqp.ProbableAuthenticationError("ACCESS_REFUSED"))
    connecting.cancel()
    await asyncio.wait([connecting])
    del attempt, connecting
    gc.collect()
    assert not caplog.records


async def _awaited(attempt: TaskWrapper) -> None:
    await attempt
