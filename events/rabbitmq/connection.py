"""Two connections to RabbitMQ that never give up: one publishes, one consumes, so that neither stops the other."""

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
"""For an attempt."""

FIRST_TIMEOUT = timedelta(seconds=6)
"""For the first one. What the client has not thought of it would try for ever."""

CLOSE_TIMEOUT = timedelta(seconds=1.5)
"""To say goodbye; a broker that is away does not hear it."""

RECONNECT_INTERVAL = 0.5
"""Seconds between two attempts to get a connection back."""

HEARTBEAT = 10
"""Seconds after which a silent peer is taken for dead."""

MAX_VHOST = 127
"""Bytes that AMQP has for its name."""

log = structlog.get_logger(__name__)


class ConnectionRefused(TransportUnreachable, SettingsError):
    """There is a server, and it does not let us in: RABBITMQ_URL is at fault."""


@dataclass(frozen=True, slots=True)
class Broker:
    """RabbitMQ: `sender` publishes, over `publishing`; `consuming` is for receivers and declarations."""

    sender: Sender
    publishing: AbstractRobustConnection
    consuming: AbstractRobustConnection
    clock: Clock
    upkeep: Upkeep

    def trouble(self) -> str:
        """Return what keeps this process from working with RabbitMQ now, empty if nothing."""
        up = self.publishing.connected.is_set() and self.consuming.connected.is_set()
        return self.upkeep.lacking if up else "RabbitMQ is away"


@asynccontextmanager
async def connect(url: SecretStr, *, name: str, clock: Clock) -> AsyncIterator[Broker]:
    """The broker, under `name`; closed on the way out.

    Raises
    ------
    TransportUnreachable
        The first connection could not be made; FATAL where it is refused. Later losses are mended in the background.
    SettingsError
        `url` is no AMQP address, or names a server that does not let us in.
    """
    address = parse_url(url)
    fix_client()
    # What they log of every attempt comes to us as exceptions and callbacks.
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    async with (
        _connected(address, f"{name} publishes", clock) as (publishing, publishes),
        _connected(address, f"{name} consumes", clock) as (consuming, consumes),
    ):
        upkeep = Upkeep(clock, consuming.connected.is_set)
        publishes.upkeep = consumes.upkeep = upkeep
        task = asyncio.create_task(upkeep.run())
        try:
            sender = await Sender.open(publishing, clock=clock, upkeep=upkeep)
            yield Broker(sender, publishing, consuming, clock, upkeep)
        finally:
            await cancel(task)


class _State:
    """What is known of one connection, and told to whom it concerns."""

    def __init__(self, name: str, shown: str, clock: Clock) -> None:
        self.error: BaseException | None = None
        self.upkeep: Upkeep | None = None
        self._name = name
        self._shown = shown
        self._clock = clock
        self._log_throttle = LogThrottle()
        self._refused_since: float | None = None

    def lost(self, _: object, error: BaseException | None) -> None:
        """Called when the connection is lost, and for each attempt that fails."""
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
            self.upkeep.fail(connection_error(self._shown, error))

    def back(self, _: object) -> None:
        log.info("rabbitmq.reconnected", connection=self._name)
        self._log_throttle.reset()
        self._refused_since = None
        if self.upkeep:
            self.upkeep.wake()


@asynccontextmanager
async def _connected(address: URL, name: str, clock: Clock) -> AsyncIterator[tuple[RobustConnection, _State]]:
    state = _State(name, _shown(address), clock)
    connection = RobustConnection(
        address.update_query(reconnect_interval=RECONNECT_INTERVAL, heartbeat=HEARTBEAT),
        client_properties={"connection_name": name},
    )
    connection.close_callbacks.add(state.lost)
    try:
        try:
            await within(FIRST_TIMEOUT, connection.connect(CONNECT_TIMEOUT.total_seconds()))
        except ERRORS as error:
            raise connection_error(_shown(address), state.error or error) from None
        connection.reconnect_callbacks.add(state.back)
        yield connection, state
    finally:
        state.upkeep = None
        await finish(CLOSE_TIMEOUT, connection.close())


def connection_error(shown: str, error: BaseException) -> TransportUnreachable:
    """The error that tells a person why there is no connection."""
    diagnosis = classify(error)
    if diagnosis.fault is Fault.FATAL:
        ours = isinstance(error, OSError) or isinstance(error.__cause__, OSError)
        what = f"RabbitMQ at {shown} {'could not be reached' if ours else 'did not let us in'} ({diagnosis.reason})"
        if diagnosis.reason.startswith("it refused"):
            what = f"RabbitMQ at {shown} {diagnosis.reason.removeprefix('it ')}"
        kind = ConnectionRefused if diagnosis.bad_setting else TransportUnreachable
        return kind(f"{what}; {diagnosis.advice}", diagnosis.fault)
    advice = diagnosis.advice or "start it or correct RABBITMQ_URL"
    return TransportUnreachable(f"RabbitMQ at {shown} could not be reached ({diagnosis.reason}); {advice}")


def parse_url(url: SecretStr) -> URL:
    """Raises SettingsError, which never repeats what may hold a password."""
    try:
        address = URL(url.get_secret_value())
        if address.scheme in ("amqp", "amqps") and address.host and address.explicit_port != 0:
            address.host.encode("idna")
            if len(address.path.encode()) <= MAX_VHOST + 1:
                return address
    except ValueError:
        pass
    raise SettingsError("RABBITMQ_URL: it takes amqp://user:password@host:port/vhost")


def _shown(address: URL) -> str:
    """Never the password, nor options that may hold one."""
    return f"{address.host}:{address.port or DEFAULT_PORTS[address.scheme]}{address.raw_path}"
