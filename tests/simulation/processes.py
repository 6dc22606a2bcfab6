"""A process of the product as a group of tasks: what it starts is its own, and a crash ends all of it at once."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.network import Endpoint

PROCESS: ContextVar["SimulatedProcess | None"] = ContextVar("PROCESS", default=None)
"""The process that the running code belongs to; None: the world around it."""


class SimulatedTask(asyncio.Task[Any]):
    """A task with a hash that is the same in each run, so that sets of tasks have the same order."""

    _numbers = count()

    def __init__(self, *args: Any, **options: Any) -> None:
        self.number = next(self._numbers)
        self.process = PROCESS.get()
        super().__init__(*args, **options)
        if self.process is not None:
            self.process.tasks[self] = None
            self.add_done_callback(self.process.forget)

    def __hash__(self) -> int:
        return self.number

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel it, unless its process loses that."""
        if self.process is not None and self.process.to_lose and _waits_for(self):
            self.process.to_lose -= 1
            return True
        return super().cancel(msg)

    @classmethod
    def make(cls, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> "SimulatedTask":
        return cls(work, loop=loop, **options)

    @classmethod
    def count_anew(cls) -> None:
        cls._numbers = count()


@dataclass(eq=False)
class SimulatedProcess:
    """`run` gets the event that tells it to stop, as every composition root does."""

    name: str
    run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]
    dead: bool = False
    frozen: bool = False
    held: list[asyncio.Handle] = field(default_factory=list)
    """What would have run meanwhile."""
    tasks: dict[SimulatedTask, None] = field(default_factory=dict)
    endpoints: "dict[Endpoint, None]" = field(default_factory=dict)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    main: asyncio.Task[None] | None = None
    to_lose: int = 0
    """So many cancellations get lost, of tasks that are in `asyncio.wait_for`."""

    def start(self) -> None:
        context = copy_context()
        context.run(PROCESS.set, self)
        loop = asyncio.get_running_loop()
        self.main = context.run(loop.create_task, self.run(self.stopping), name=self.name)

    def stop(self) -> None:
        """Tell it to end, as SIGTERM does."""
        self.stopping.set()

    def crash(self) -> None:
        """End it as SIGKILL does: none of its code runs any more, and its connections are cut."""
        self.dead = True
        for task in self.tasks:
            task._log_destroy_pending = False
        for endpoint in list(self.endpoints):
            endpoint.cut()

    def forget(self, task: Any) -> None:
        self.tasks.pop(task, None)


def _waits_for(task: SimulatedTask) -> bool:
    """Return whether `asyncio.wait_for` is on the stack of `task`."""
    part = task.get_coro()
    while part is not None:
        if getattr(part, "cr_code", None) is asyncio.wait_for.__code__:
            return True
        part = getattr(part, "cr_await", None)
    return False
