"""The whole product in one Python process: servers, and the processes that use them, from a seed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from random import Random
from typing import Any

from bridge import app as bridge
from bridge.settings import BridgeSettings, CodecName
from cli import setup
from cli.settings import SetupSettings
from edge.business import app as business
from edge.business.settings import BusinessSettings
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.visitor import API_HASH, API_ID
from edge.userbot import app as userbot
from edge.userbot.settings import UserbotSettings
from edge.userbot.telegram.server import use_server
from events.errors import TransportError
from events.rabbitmq.topology import REQUESTS
from events.runtime.clock import SystemClock
from events.settings import Settings
from functions.generate import app as generate
from functions.generate.settings import GenerateSettings
from observability.telemetry import noop_telemetry
from tests.simulation import before
from tests.simulation.connections import PROCESS as BUSINESS
from tests.simulation.connections import process_of
from tests.simulation.log import STARTED, Log
from tests.simulation.loop import SimulationLoop
from tests.simulation.nats.server import NatsServer
from tests.simulation.nats.store import Store
from tests.simulation.nats.streams import Stream
from tests.simulation.plan import COMMAND, Plan
from tests.simulation.processes import SimulatedProcess
from tests.simulation.rabbitmq.server import SimulatedRabbitMQ
from tests.simulation.requests import QUEUES
from tests.simulation.sessions import known_keys, server_key, session_string
from tests.simulation.watching import Watching

NATS, RABBITMQ, TELEGRAM = ("nats", 4222), ("rabbitmq", 5672), ("127.0.0.1", 443)
OWNERS = ("approve", "allow", "deny", "refused")
"""How the names of settings begin that need an owner, whom a bot may not have."""
RESTART = 1.0
"""Seconds after which a process that ended by itself is started again, as compose does."""
ECHO = 0.5
"""How likely Telegram sends a connected bot its own messages as well."""
Run = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
Main = Callable[..., Coroutine[Any, Any, None]]
MODELS = "models"
"""Where the original's model servers get their requests."""
SLOW = ("broker_engine_slow", "stop_slow", "rabbit_handed_back")
"""Blows after which answers take longer than processes should wait at their end."""
COMMON: dict[str, Any] = {
    "api_id": API_ID,
    "api_hash": API_HASH,
    "nats_url": f"nats://{NATS[0]}:{NATS[1]}",
    "engine": "echo",
    "echo_delay": 0.3,
    "slots": 4,
    "rabbitmq_url": f"amqp://guest:guest@{RABBITMQ[0]}:{RABBITMQ[1]}/",
}


@dataclass(eq=False)
class Life:
    """One process from its start to its end, with the times of both and what it was told."""

    process: SimulatedProcess
    told_at: float | None = None
    ended_at: float | None = None
    how: str = ""
    error: str = ""
    again_after: float | None = RESTART
    is_before: bool = False

    def end(self, at: float, how: str, error: BaseException | None = None) -> None:
        self.ended_at, self.how = at, how
        self.error = f"{type(error).__name__}: {error}" if error else ""


@dataclass(eq=False)
class Supervised:
    """A process that is started again whenever it has ended. `lives`: all of its processes, the last one runs."""

    name: str
    run: Run
    run_before: Run
    world: "World"
    is_before: bool = False
    """It is the version before, from its next start on."""
    lives: list[Life] = field(default_factory=list)
    closed: bool = False

    @property
    def process(self) -> SimulatedProcess | None:
        """The one that runs, if one does."""
        return self.lives[-1].process if self.lives and self.lives[-1].ended_at is None else None

    def start(self) -> None:
        if self.closed or self.process:
            return
        process = SimulatedProcess(self.name, self.run_before if self.is_before else self.run)
        self.lives.append(Life(process, is_before=self.is_before))
        self.world.log.write(self.name, {"event": STARTED})
        process.start()
        assert process.main
        process.main.add_done_callback(partial(self._ended, self.lives[-1]))

    def crash(self, *, again_after: float) -> None:
        """End it as SIGKILL does."""
        if process := self.process:
            self.lives[-1].end(self.world.loop.time(), "killed")
            self.world.on_crash(process)
            process.crash()
            self.world.loop.call_later(again_after, self.start)

    def stop(self, *, again_after: float | None = None) -> None:
        """Tell it to end, as SIGTERM does; it is started again `again_after` seconds after it has."""
        if (process := self.process) and self.lives[-1].told_at is None:
            self.lives[-1].told_at = self.world.loop.time()
            self.lives[-1].again_after = again_after
            process.stop()

    def freeze(self, seconds: float) -> None:
        if (process := self.process) and not process.frozen:
            process.frozen = True
            self.world.loop.call_later(seconds, self.world.loop.thaw, process)

    def _ended(self, life: Life, main: "asyncio.Task[None]") -> None:
        if life.ended_at is not None:
            return
        error = None if main.cancelled() else main.exception()
        life.end(self.world.loop.time(), "by itself" if life.told_at is None else "terminated", error)
        self.world.log.write(self.name, {"event": "process.ended", "error": life.error, "is_before": life.is_before})
        if life.again_after is not None:
            self.world.loop.call_later(life.again_after, self.start)


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
        """Add a process that runs a command, as `timokha` does."""

        async def run_before(stop: asyncio.Event) -> None:
            await _program(before.same(main), before.same(kind), given, before.same(noop_telemetry))(stop)

        self.processes[name] = Supervised(name, _program(main, kind, given), run_before, self)

    def add_userbot(self, name: str, account: Account, settings: dict[str, str]) -> None:
        own = {"session": session_string(self.telegram, account, self.chance)}
        self.add(name, userbot.main, UserbotSettings, COMMON | own | settings)

    def add_business(self, persons: Sequence[str], settings: dict[str, str]) -> None:
        """Add a bot, and accounts whose persons may connect it."""
        bot = self.telegram.add_user(first_name=BUSINESS, username="timokha_business", bot=True, business=True)
        self.telegram.faults.echo_business = self.chance.random() < ECHO
        for number, name in enumerate(persons):
            self.accounts[name] = self.telegram.add_user(first_name=name, phone=f"+7888{number:07}", lang_code="ru")
            self.callers[name] = bot
            self.telegram.send(self.accounts[name].id, bot.id, "/start")
        own = {"session": session_string(self.telegram, bot, self.chance), "bot_token": bot.token}
        self.add(BUSINESS, business.main, BusinessSettings, COMMON | own | settings)

    def add_generate(self, name: str, settings: dict[str, str]) -> None:
        self.add(name, generate.main, GenerateSettings, COMMON | settings)

    def add_bridge(self, name: str, settings: dict[str, str]) -> None:
        self.add(name, bridge.main, BridgeSettings, COMMON | settings)

    def populate(
        self,
        plan: Plan,
        approving: Sequence[Account],
        gather: Callable[[str], dict[str, str]],
        bots_owner: Account | None = None,
    ) -> None:
        """Add the accounts and processes of a plan. `approving`: whose answers need the owner's approval.

        `gather`: put the account of an edge in the group of the plan, and return the settings for that.
        """
        asking = {"approve_list": ",".join(str(user.id) for user in approving)}
        if persons := [name for name in plan.edges if process_of(name) == BUSINESS]:
            self.add_business(persons, dict(plan.settings) | asking)
        for name in [name for name in plan.edges if name not in persons]:
            bot = name == "bot"
            account = self.telegram.add_user(first_name=name, username=f"timokha_{name}", bot=bot)
            is_owned = not bot or bots_owner is not None
            given = {name: value for name, value in plan.settings if is_owned or not name.startswith(OWNERS)}
            given |= asking if is_owned else {}
            given |= {"owner": bots_owner.id} if bots_owner else {}
            self.accounts[name] = self.callers[name] = account
            self.add_userbot(name, account, given | ({} if bot else gather(name)))
        # Where answers take longer, processes do not wait for them at their end.
        hasty = {"grace": 1} if any(blow.what in SLOW for blow in plan.blows) else {}
        for name in ("generate-1", "generate-2"):
            self.add_generate(name, {"trigger": "jetstream"} | hasty)
        if plan.rabbitmq:
            self.add_bridge("bridge", hasty)
        if "generate-rabbitmq" in plan.processes:
            self.add_generate("generate-rabbitmq", {"trigger": "rabbitmq"} | hasty)
        if plan.codec:
            inward = {"direction": "in", "codec": plan.codec, "request_queue": QUEUES[plan.codec]}
            self.add_bridge("bridge-in", (_both_ways(plan.codec) if plan.both else inward) | hasty)
        for name in plan.before:
            self.processes[name].is_before = not before.why_not()

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
        process = self.command = SimulatedProcess(COMMAND, _program(setup.main, SetupSettings, COMMON | settings))
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


def _both_ways(codec: str) -> dict[str, Any]:
    """Return the settings of a bridge that takes requests in and sends them out."""
    ours = codec == CodecName.EVENTS
    out_queue, prefetch = (REQUESTS.name, 1) if ours else (MODELS, 4)
    return {
        "direction": "both",
        "codec": codec,
        "in_queue": QUEUES[codec],
        "out_queue": out_queue,
        "prefetch": prefetch,
    }


def _program(
    main: Main, kind: type[Settings], given: dict[str, Any], telemetry: Callable[[], Any] = noop_telemetry
) -> Run:
    async def run(stop: asyncio.Event) -> None:
        await main(_settings(kind, **given), telemetry(), stop)

    return run


@cache
def _settings(kind: type[Settings], **given: Any) -> Any:
    return kind.read(**{name: value for name, value in given.items() if name in kind.model_fields})
