"""Two connections to RabbitMQ that never give up: one publishes, one consumes, so that neither stops the other."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
import structlog
from aio_pika.abc import AbstractRobustConnection
from aio_pika.exceptions import AMQPError, ProbableAuthenticationError
from pydantic import SecretStr
from yarl import URL

from events.errors import SettingsError, TransportUnreachable
from events.rabbitmq.sender import Sender
from events.rabbitmq.tolerance import be_tolerant
from events.runtime.clock import Clock

CONNECT_TIMEOUT = 5
"""Seconds the first attempt may take."""

RECONNECT_INTERVAL = 0.5
"""Seconds between two attempts to get a connection back."""

HEARTBEAT = 10
"""Seconds after which a silent peer is taken for dead."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Broker:
    """RabbitMQ: `sender` publishes, `consuming` is for receivers and declarations."""

    sender: Sender
    consuming: AbstractRobustConnection
    clock: Clock


@asynccontextmanager
async def connect(url: SecretStr, *, name: str, clock: Clock) -> AsyncIterator[Broker]:
    """The broker, under `name`; closed on the way out.

    Raises
    ------
    TransportUnreachable
        The first connection could not be made; later losses are mended in the background.
    SettingsError
        `url` is no AMQP address.
    """
    address = _parsed(url)
    be_tolerant()
    # What they log of every attempt comes to us as exceptions and callbacks.
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    async with (
        await _connection(address, f"{name} publishes") as publishing,
        await _connection(address, f"{name} consumes") as consuming,
    ):
        yield Broker(await Sender.open(publishing, clock=clock), consuming, clock)


async def _connection(address: URL, name: str) -> AbstractRobustConnection:
    connection = await _first_connection(address, name)

    def log_disconnected(_: object, error: BaseException | None) -> None:
        if not connection.close_called:
            log.warning("rabbitmq.disconnected", connection=name, error=type(error).__name__)

    def log_reconnected(_: object) -> None:
        log.info("rabbitmq.reconnected", connection=name)

    connection.close_callbacks.add(log_disconnected)
    connection.reconnect_callbacks.add(log_reconnected)
    return connection


async def _first_connection(address: URL, name: str) -> AbstractRobustConnection:
    try:
        return await aio_pika.connect_robust(
            address,
            timeout=CONNECT_TIMEOUT,
            client_properties={"connection_name": name},
            reconnect_interval=RECONNECT_INTERVAL,
            heartbeat=HEARTBEAT,
        )
    except ProbableAuthenticationError:
        raise TransportUnreachable(
            f"RabbitMQ at {_shown(address)} refused the user or its password; correct RABBITMQ_URL"
        ) from None
    except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
        reason = str(error) or type(error).__name__
        raise TransportUnreachable(
            f"RabbitMQ at {_shown(address)} could not be reached ({reason}); start it or correct RABBITMQ_URL"
        ) from None


def _parsed(url: SecretStr) -> URL:
    try:
        address = URL(url.get_secret_value())
        if address.scheme in ("amqp", "amqps") and address.host:
            return address
    except ValueError:
        pass
    raise SettingsError("RABBITMQ_URL: it takes amqp://user:password@host:port/vhost")


def _shown(address: URL) -> str:
    """Never the password, nor options that may hold one."""
    return f"{address.host}:{address.port or 5672}{address.raw_path}"
