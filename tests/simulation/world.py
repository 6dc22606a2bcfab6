"""The whole product in one Python process: servers, and the processes that use them, from a seed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from cli import setup
from cli.settings import SetupSettings
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account, SandboxState
from edge.userbot.telegram.server import use_server
from events.errors import TransportError
from events.runtime.clock import SystemClock
from events.settings import Settings
from tests.simulation.addresses import NATS, RABBITMQ, TELEGRAM
from tests.simulation.commands import Main, run_before_of, run_of
from tests.simulation.connections import PROCESS as BUSINESS
from tests.simulation.connections import process_of
from tests.simulation.log import Log
from tests.simulation.loop import SimulationLoop
from tests.simulation.nats.server import NatsServer
from tests.simulation.nats.store import Store
from tests.simulation.nats.streams import Stream
from tests.simulation.plan import COMMAND
from tests.simulation.processes import SimulatedProcess
from tests.simulation.rabbitmq.server import SimulatedRabbitMQ
from tests.simulation.sessions import known_keys, server_key
from tests.simulation.supervised import Supervised
from tests.simulation.watching import Watching


@dataclass(eq=False)
class World:
    loop: SimulationLoop
    chance: Random
    telegram: Sandbox
    nats: NatsServer
    rabbitmq: SimulatedRabbitMQ
    log: Log
    watching: Watching
    processes: dict[str, Supervised] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    """By the names of their edges; and who calls Telegram there, the bot where persons have connected one:"""
    callers: dict[str, Account] = field(default_factory=dict)
    command: SimulatedProcess | None = None
    """`timokha setup`, the last one."""
    on_crash: Callable[[SimulatedProcess], None] = lambda _process: None
    nats_emptied_at: float = 0.0
    """For the last time."""
    _nats_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _rabbitmq_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _doing: "dict[asyncio.Task[None], None]" = field(default_factory=dict)

    def add(self, name: str, main: Main, kind: type[Settings], given: dict[str, Any]) -> None:
        """Add a process that runs a command, as `timokha` does. `given`: settings, besides those that all have."""
        self.processes[name] = Supervised(name, run_of(main, kind, given), run_before_of(main, kind, given), self)

    def stored(self, stream: str, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield subject and content of what is stored there under subjects that begin so."""
        if found := self.nats.store.streams.get(stream):
            for message in found.every(">"):
                if message.subject.startswith(prefix):
                    yield message.subject, message.payload

    def is_ready(self, edge: str) -> bool:
        """Return whether its process has been ready."""
        process = process_of(edge)
        return self.log.has(process, f"{BUSINESS if process == BUSINESS else 'userbot'}.ready")

    def sent(self, edge: str, random_id: int) -> int:
        """Return the id that its account's message of this random id has, 0 if there is none."""
        state, account, caller = self.telegram.state, self.accounts[edge].id, self.callers[edge].id
        if account == caller:
            return state.sent.get((account, random_id)) or 0
        through = state.business.sent.get((caller, account, random_id))
        return through.message_id if through else 0

    def nats_has(self, stream: str, consumer: str = "") -> bool:
        """Return whether NATS is up and has it."""
        found = self.nats.store.streams.get(stream) if not self._nats_lock.locked() else None
        return found is not None and (not consumer or consumer in found.consumers)

    def kill_nats(self, down: float) -> None:
        """End it as SIGKILL does, and start it again after so many seconds."""
        self._do(self._kill_nats(down))

    async def _kill_nats(self, down: float) -> None:
        async with self._nats_lock:
            await self.nats.kill()
            await asyncio.sleep(down)
            await self.nats.start()

    def empty_nats(self, emptied: Callable[[], None], streams: dict[str, Stream] | None = None) -> None:
        """Let it lose all that it has stored, once it is up; `emptied` is called then. `streams`: what it has then."""
        self._do(self._empty_nats(emptied, streams or {}))

    async def _empty_nats(self, emptied: Callable[[], None], streams: dict[str, Stream]) -> None:
        async with self._nats_lock:
            await self.nats.empty(streams)
        self.nats_emptied_at = self.loop.time()
        emptied()

    def kill_rabbitmq(self, down: float, *, empty: bool = False) -> None:
        """Likewise; `empty`: it comes back with nothing."""
        self._do(self._kill_rabbitmq(down, empty=empty))

    async def _kill_rabbitmq(self, down: float, *, empty: bool) -> None:
        async with self._rabbitmq_lock:
            self.rabbitmq.kill()
            await asyncio.sleep(down)
            await (self.rabbitmq.start_empty() if empty else self.rabbitmq.start())

    def set_up(self, settings: dict[str, Any], *, killed_after: float | None) -> None:
        """Run `timokha setup` once beside the others, which ends by itself unless it is killed."""
        process = self.command = SimulatedProcess(COMMAND, run_of(setup.main, SetupSettings, settings))
        process.start()
        assert process.main
        process.main.add_done_callback(self._set_up)
        if killed_after is not None:
            self.loop.call_later(killed_after, self._kill, process)

    def crash(self, name: str, down: float) -> None:
        """End a process as SIGKILL does; it is started again `down` seconds later, unless it is the command."""
        if name == COMMAND and self.command:
            self._kill(self.command)
        else:
            self.processes[name].crash(again_after=down)

    def _kill(self, process: SimulatedProcess) -> None:
        self.on_crash(process)
        process.crash()

    def _set_up(self, main: "asyncio.Task[None]") -> None:
        error = main.exception()
        if error and not isinstance(error, TransportError):
            raise error
        self.log.write(COMMAND, {"event": "process.ended", "error": str(error or "")})

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._doing[task] = None
        task.add_done_callback(self._doing.pop)


@asynccontextmanager
async def world(loop: SimulationLoop, chance: Random) -> AsyncIterator[World]:
    """Yield a world with servers and without processes."""
    async with AsyncExitStack() as stack:
        state = SandboxState(key=server_key(), clock=SystemClock())
        telegram = await stack.enter_async_context(Sandbox(state=state, host=TELEGRAM[0], port=TELEGRAM[1]))
        use_server(telegram.address, telegram.public_key_pem)
        stack.enter_context(known_keys(telegram, chance))
        nats = NatsServer(Store(loop.wall_clock), *NATS, random=Random(chance.getrandbits(64)))
        rabbitmq = SimulatedRabbitMQ()
        await stack.enter_async_context(nats)
        await rabbitmq.listen(*RABBITMQ)
        made = World(loop, chance, telegram, nats, rabbitmq, Log(loop), Watching(telegram, loop))
        made.watching.begin()
        yield made
