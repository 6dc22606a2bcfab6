"""An event loop on virtual time: nothing waits in reality, and a seed decides which of the ready tasks goes first.

asyncio promises that callbacks run in the order in which they were scheduled. Whatever relies on that between tasks
relies on the order in which sockets become readable, which nobody promises. So steps of different tasks change places
here; other callbacks keep their order.
"""

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import Any, TypeVar

from tests.simulation.network import Network, Server
from tests.simulation.processes import PROCESS, SimulatedProcess, SimulatedTask

Result = TypeVar("Result")

CHANGED = 0.3
"""How likely the next step is not that of the first ready task."""
LOOKED_AT = 6
"""How many ready callbacks are chosen from."""
MOST_STEPS = 20_000
"""Without a pause; more are a loop that never waits."""
STEP = 1e-6
"""Seconds that a step takes: whoever asks to be called after next to no time would else be called at the same one."""
EPOCH = 1_767_225_600.0
"""The wall clock at the virtual time 0, in seconds since 1970."""


class NothingToDo(Exception):
    """Every task waits for something that nobody will do."""


class NeverWaits(Exception):
    """Tasks run on and on without any time passing."""


class SimulationLoop(asyncio.BaseEventLoop):
    """`random` decides every order. `after_step`: called after each step of a task that belongs to a process."""

    _ready: deque[events.Handle]
    _scheduled: list[events.TimerHandle]

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.network = Network(self, random)
        self.steps = 0
        self.after_step: Callable[[SimulatedTask], None] | None = None
        self._now = 0.0
        self._at_once = 0
        self.set_task_factory(SimulatedTask.make)

    def time(self) -> float:
        return self._now

    def wall_clock(self) -> float:
        """Return virtual seconds since 1970."""
        return EPOCH + self._now

    def jump(self, seconds: float) -> None:
        """Let time pass without anybody running, as on a machine that was asleep."""
        self._now += seconds

    def thaw(self, process: SimulatedProcess) -> None:
        """Let a frozen process go on with what it has not done meanwhile."""
        process.frozen = False
        self._ready.extend(process.held)
        process.held.clear()

    # --- what asyncio calls

    def _run_once(self) -> None:
        self._collect_due()
        handle = self._pop()
        if handle._cancelled:
            return
        process = handle._context.get(PROCESS)  # type: ignore[attr-defined]
        if process is not None and (process.dead or process.frozen):
            if not process.dead:
                process.held.append(handle)
            return
        self.steps += 1
        self._now += STEP
        self._at_once += 1
        if self._at_once > MOST_STEPS:
            raise NeverWaits(f"{MOST_STEPS} steps without a pause at {self._now:.3f} s: {handle!r}")
        handle._run()
        if process is not None and self.after_step is not None:
            task = getattr(handle._callback, "__self__", None)
            if isinstance(task, SimulatedTask):
                self.after_step(task)

    def _collect_due(self) -> None:
        scheduled = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not self._ready and not self._stopping:
            if not scheduled:
                raise NothingToDo
            if scheduled[0]._when > self._now:
                self._now = scheduled[0]._when
                self._at_once = 0
        while scheduled and scheduled[0]._when <= self._now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            self._ready.append(handle)

    def _pop(self) -> events.Handle:
        ready, random = self._ready, self.random
        if len(ready) > 1 and random.random() < CHANGED:
            place = random.randrange(min(len(ready), LOOKED_AT))
            handle = ready[place]
            if isinstance(getattr(handle._callback, "__self__", None), SimulatedTask):
                del ready[place]
                return handle
        return ready.popleft()

    def _process_events(self, event_list: object) -> None:
        raise NotImplementedError

    def _write_to_self(self) -> None:
        """Nobody has to be woken: there is no other thread."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Context | None = None) -> events.Handle:
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., Result], *args: Any) -> asyncio.Future[Result]:  # type: ignore[override]
        """Run it later, in this thread."""
        future = self.create_future()
        self.call_soon(_settle, future, func, args)
        return future

    # --- sockets

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        sock = options.get("sock")
        address = self.network.connected.pop(sock) if sock is not None else (host, port)
        if sock is not None:
            sock.close()
        return await self.network.connect(protocol_factory, address)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        self.network.check(address)
        self.network.connected[sock] = address

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Server:  # type: ignore[override]
        return self.network.listen(protocol_factory, (host, port))


def _settle(future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if future.cancelled():
        return
    try:
        result = func(*args)
    except Exception as error:  # noqa: BLE001 - as an executor does
        future.set_exception(error)
    else:
        future.set_result(result)
