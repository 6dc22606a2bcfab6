"""Two connections to RabbitMQ that always reconnect: publishing and consuming must not block each other."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog
from aio_pika import RobustConnection
from aio_pika.abc import AbstractRobustConnection
from pydantic import SecretStr
from yarl import URL

from events.errors import SettingsError, TransportUnreachable
from events.faults import Fault
from events.rabbitmq.client import fix_client
from events.rabbitmq.faults import ERRORS, classify
from events.rabbitmq.sender import Sender
from events.rabbitmq.upkeep import PATIENCE, Upkeep
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle
from events.runtime.tasks import cancel, finish, within

DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}

CONNECT_TIMEOUT = timedelta(seconds=5)
"""For one attempt."""

FIRST_TIMEOUT = timedelta(seconds=6)
"""For the first connection: on some errors the client would retry for ever."""

CLOSE_TIMEOUT = timedelta(seconds=1.5)
"""To close a connection; without a broker there is no answer."""

RECONNECT_INTERVAL = 0.5
"""Seconds between two attempts to reconnect."""

HEARTBEAT = 10
"""Seconds after which a silent peer counts as dead."""

MAX_VHOST = 127
"""Bytes of a vhost's name in AMQP."""

log = structlog.get_logger(__name__)


class ConnectionRefused(TransportUnreachable, SettingsError):
    """The server refuses this process: RABBITMQ_URL is at fault."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Connected to RabbitMQ: `sender` uses `publishing`; receivers and declarations use `consuming`."""

    sender: Sender
    publishing: AbstractRobustConnection
    consuming: AbstractRobustConnection
    clock: Clock
    upkeep: Upkeep

    def problem(self) -> str:
        """Return what keeps this process from working with RabbitMQ now, empty if nothing."""
        up = self.publishing.connected.is_set() and self.consuming.connected.is_set()
        return self.upkeep.missing if up else "RabbitMQ is away"


@asynccontextmanager
async def connect(url: SecretStr, *, name: str, clock: Clock) -> AsyncIterator[Broker]:
    """Yield the broker, which knows this process as `name`, and disconnect afterwards.

    Raises
    ------
    TransportUnreachable
        The first connection failed; FATAL if it was refused. Later losses are repaired in the background.
    SettingsError
        `url` is no AMQP address, or names a server that refuses this process.
    """
    address = parse_url(url)
    fix_client()
    # What they log of each attempt is also reported by exceptions and callbacks.
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    async with (
        _connected(address, f"{name} publishes", clock) as (publishing, publishing_monitor),
        _connected(address, f"{name} consumes", clock) as (consuming, consuming_monitor),
    ):
        upkeep = Upkeep(clock, consuming.connected.is_set)
        publishing_monitor.upkeep = consuming_monitor.upkeep = upkeep
        task = asyncio.create_task(upkeep.run())
        try:
            sender = await Sender.open(publishing, clock=clock, upkeep=upkeep)
            yield Broker(sender, publishing, consuming, clock, upkeep)
        finally:
            await cancel(task)


class _Monitor:
    """Logs losses and reconnections of one connection, and ends the process if it is refused for `PATIENCE`."""

    def __init__(self, name: str, address: str, clock: Clock) -> None:
        self.error: BaseException | None = None
        self.upkeep: Upkeep | None = None
        self._name = name
        self._address = address
        self._clock = clock
        self._log_throttle = LogThrottle()
        self._refused_since: float | None = None

    def on_lost(self, _: object, error: BaseException | None) -> None:
        """Handle a lost connection, or a failed attempt to reconnect."""
        self.error = error
        if self.upkeep is None or error is None:
            return
        diagnosis = classify(error)
        if self._log_throttle.due(diagnosis.reason):
            log.warning("rabbitmq.disconnected", connection=self._name, error=diagnosis.reason)
        if diagnosis.fault is not Fault.FATAL:
            self._refused_since = None
            return
        now = self._clock.monotonic()
        self._refused_since = now if self._refused_since is None else self._refused_since
        if now - self._refused_since >= PATIENCE.total_seconds():
            self.upkeep.fail(connection_error(self._address, error))

    def on_reconnected(self, _: object) -> None:
        log.info("rabbitmq.reconnected", connection=self._name)
        self._log_throttle.reset()
        self._refused_since = None
        if self.upkeep:
            self.upkeep.wake()


@asynccontextmanager
async def _connected(address: URL, name: str, clock: Clock) -> AsyncIterator[tuple[RobustConnection, _Monitor]]:
    monitor = _Monitor(name, _redacted(address), clock)
    connection = RobustConnection(
        address.update_query(reconnect_interval=RECONNECT_INTERVAL, heartbeat=HEARTBEAT),
        client_properties={"connection_name": name},
    )
    connection.close_callbacks.add(monitor.on_lost)
    try:
        try:
            await within(FIRST_TIMEOUT, connection.connect(CONNECT_TIMEOUT.total_seconds()))
        except ERRORS as error:
            raise connection_error(_redacted(address), monitor.error or error) from None
        connection.reconnect_callbacks.add(monitor.on_reconnected)
        yield connection, monitor
    finally:
        monitor.upkeep = None
        await finish(CLOSE_TIMEOUT, connection.close())


def connection_error(address: str, error: BaseException) -> TransportUnreachable:
    """Return the error that explains why there is no connection."""
    diagnosis = classify(error)
    if diagnosis.fault is Fault.FATAL:
        is_local = isinstance(error, OSError) or isinstance(error.__cause__, OSError)
        failure = "could not be reached" if is_local else "did not let us in"
        what = f"RabbitMQ at {address} {failure} ({diagnosis.reason})"
        if diagnosis.reason.startswith("it refused"):
            what = f"RabbitMQ at {address} {diagnosis.reason.removeprefix('it ')}"
        kind = ConnectionRefused if diagnosis.bad_setting else TransportUnreachable
        return kind(f"{what}; {diagnosis.advice}", diagnosis.fault)
    advice = diagnosis.advice or "start it or correct RABBITMQ_URL"
    return TransportUnreachable(f"RabbitMQ at {address} could not be reached ({diagnosis.reason}); {advice}")


def parse_url(url: SecretStr) -> URL:
    """Return the parsed address. Raises SettingsError, which never quotes what may contain a password."""
    try:
        address = URL(url.get_secret_value())
        if address.scheme in ("amqp", "amqps") and address.host and address.explicit_port != 0:
            address.host.encode("idna")
            if len(address.path.encode()) <= MAX_VHOST + 1:
                return address
    except ValueError:
        pass
    raise SettingsError("RABBITMQ_URL: it takes amqp://user:password@host:port/vhost")


def _redacted(address: URL) -> str:
    """Return the address without its password and options."""
    return f"{address.host}:{address.port or DEFAULT_PORTS[address.scheme]}{address.raw_path}"
