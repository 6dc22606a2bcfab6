"""A RabbitMQ node of one's own on free loopback ports: for the tests and the benchmarks.

It needs Debian's `rabbitmq-server` package, or another installation named by RABBITMQ_HOME.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Self

from cli.demo.nats_server import free_ports, is_open
from events.errors import TransportUnreachable
from events.runtime.clock import Clock

START_TIMEOUT = 90
"""Seconds from the process's start to its open port: an Erlang node is slow on a busy machine."""

STOP_TIMEOUT = 30
"""Seconds that a node may take to stop in order before it is killed."""

LOOK = timedelta(seconds=0.02)
"""Between two looks at what has no event: a port, a group that is not our child."""

SCRIPT = Path("bin/rabbitmq-server")
"""Below RABBITMQ_HOME. Not the wrapper on PATH: as root it switches user and drops the variables."""

CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
log.file.level = warning
# A full disk must not be the reason why a test hangs.
disk_free_limit.absolute = 50MB
"""


class RabbitMQNode:
    """A real node with its data in `directory`; ports and data stay the same over restarts.

    `config` is added to its configuration; `listeners`: the ports that it opens there, one after the other.
    """

    def __init__(self, directory: Path, *, clock: Clock, config: str = "", listeners: Sequence[int] = ()) -> None:
        self._clock = clock
        self._directory = directory
        self._extra = config
        self._listeners = listeners
        self._port, self._dist_port, self._epmd_port = free_ports(3)
        self._epmd: asyncio.subprocess.Process | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return self.url_of("guest", "guest")

    @property
    def pid(self) -> int:
        """Of its script; the Erlang machine is a child of it."""
        assert self._process
        return self._process.pid

    def url_of(self, user: str, password: str) -> str:
        return f"amqp://{user}:{password}@127.0.0.1:{self._port}/"

    async def start(self) -> None:
        """Returns once the node takes connections. Raises TransportUnreachable."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._config.write_text(CONFIG.format(port=self._port) + self._extra)
        environment = {**os.environ, **self._environment()}
        if self._epmd is None:
            # Started here, so that the node does not leave one behind.
            arguments = ("-port", str(self._epmd_port), "-address", "127.0.0.1")
            self._epmd = await self._run(_binary("epmd"), *arguments, environment=environment)
            await self._wait_until_open(self._epmd_port, self._epmd)
        self._process = await self._run(str(_home() / SCRIPT), environment=environment)
        for port in (self._port, *self._listeners):
            await self._wait_until_open(port, self._process)

    async def stop(self) -> None:
        """In order, and the port mapper with it."""
        await self._end(signal.SIGTERM)
        await self._end_epmd()

    async def kill(self) -> None:
        """`kill -9`: the node's script and its Erlang machine are one process group."""
        await self._end(signal.SIGKILL)

    async def lose_data(self) -> None:
        """Only after `kill`."""
        await asyncio.to_thread(shutil.rmtree, self._directory / "data")

    def freeze(self) -> None:
        """Its script, its Erlang machine and what that has started."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, which: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, which)

    async def control(self, *arguments: str) -> None:
        """`rabbitmqctl`, to its end. Raises TransportUnreachable if it fails."""
        environment = {**os.environ, **self._environment()}
        command = await self._run(str(_home() / "bin/rabbitmqctl"), *arguments, environment=environment)
        if await command.wait():
            raise TransportUnreachable(f"rabbitmqctl {arguments[0]} failed; see {self._log}")

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        await self._end_epmd()

    @property
    def _config(self) -> Path:
        return self._directory / "rabbitmq.conf"

    @property
    def _log(self) -> Path:
        return self._directory / "rabbitmq.log"

    def _environment(self) -> dict[str, str]:
        directory = str(self._directory)
        return {
            "HOME": directory,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self._config),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._directory / "plugins"),
            "RABBITMQ_NODENAME": f"timokha{self._port}@localhost",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": f"{directory}/data",
            "RABBITMQ_LOG_BASE": f"{directory}/log",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
        }

    async def _run(self, *command: str, environment: dict[str, str]) -> asyncio.subprocess.Process:
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                cwd=self._directory,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _wait_until_open(self, port: int, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT):
                while not await is_open(port):
                    if process.returncode is not None:
                        raise TransportUnreachable(f"the RabbitMQ node ended at once; see {self._log}")
                    await self._clock.sleep(LOOK)
                return
        raise TransportUnreachable(f"the RabbitMQ node did not open its port in {START_TIMEOUT} s; see {self._log}")

    async def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        group = self._process.pid
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, how)
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._process.wait()
                while _exists(group):
                    await self._clock.sleep(LOOK)
        except TimeoutError:
            if how is not signal.SIGKILL:
                await self._end(signal.SIGKILL)

    async def _end_epmd(self) -> None:
        if self._epmd:
            with contextlib.suppress(ProcessLookupError):
                self._epmd.kill()
            await self._epmd.wait()
            self._epmd = None


def installed() -> bool:
    """Whether this machine can run a node."""
    return bool((_home() / SCRIPT).exists() and shutil.which("epmd"))


def _home() -> Path:
    return Path(os.environ.get("RABBITMQ_HOME", "/usr/lib/rabbitmq"))


def _binary(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise TransportUnreachable(f"{name} is not installed; `apt-get install rabbitmq-server` brings it")
    return found


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
