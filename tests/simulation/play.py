"""Play one plan from its beginning to the end, and return its history."""

import asyncio
import gc
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any
from unittest.mock import patch

import click

from tests.promises.history import History
from tests.simulation import before
from tests.simulation.await_sites import Site
from tests.simulation.blows import Blows
from tests.simulation.broker_faults import BrokerFaults
from tests.simulation.bugs import Bugs
from tests.simulation.crashes import Crashes
from tests.simulation.determinism import determined
from tests.simulation.edge_faults import EdgeFaults
from tests.simulation.loop import NeverWaits, NothingToDo, SimulationLoop
from tests.simulation.models import Models
from tests.simulation.people import People
from tests.simulation.persons import erased_sooner
from tests.simulation.plan import AIMED, ENDING, RUNNING, SAID_UNTIL, STARTING, Plan
from tests.simulation.populating import populate
from tests.simulation.processes import SimulatedTask
from tests.simulation.registers import Registers
from tests.simulation.telling import all_rest, history_of
from tests.simulation.votes import Votes
from tests.simulation.worker_faults import WorkerFaults
from tests.simulation.world import world

Look = Callable[[SimulatedTask], None]
READY = 60.0
"""Seconds, virtual ones, in which all edges are ready."""
CALM = 240.0
"""Likewise in which all comes to rest when everything has been said and done."""
LOOK = 0.5
"""Seconds between two looks whether it has."""
GRACE = 40.0
"""In which every process has ended that was told to."""


@dataclass(frozen=True)
class Played:
    """`broken`: what kept the plan from being played to its end, empty if nothing. `steps`: of the loop's.

    `hit`, `came`: as of Crashes.
    """

    history: History
    hit: Counter[Site]
    came: Mapping[Site, str]
    log: list[dict[str, Any]]
    broken: str
    steps: int
    seconds: float


def play(plan: Plan, *, look: Look | None = None) -> Played:
    """Play it in a loop of its own; the same plan gives the same history, byte for byte.

    `look` gets each task after each of its steps, from when all edges are ready until everything is told to end.
    """
    if plan.has_version_before and not before.why_not():
        before.load()
    chance = Random(plan.chances)
    loop = SimulationLoop(Random(chance.getrandbits(64)))
    asyncio.set_event_loop(loop)
    with _quiet(), determined(loop, chance), erased_sooner():
        try:
            return loop.run_until_complete(_played(plan, loop, chance, look))
        except (NothingToDo, NeverWaits) as error:  # the loop itself has ended, and nothing can be told any more
            return Played(History(()), Counter(), {}, [], f"{type(error).__name__}: {error}", loop.steps, loop.time())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


async def _played(plan: Plan, loop: SimulationLoop, chance: Random, look: Look | None) -> Played:
    async with world(loop, chance) as made:
        registers = Registers(made.nats.store)
        at_brokers, bugs, workers, models = BrokerFaults(made), Bugs(made), WorkerFaults(made), Models(made)
        with ExitStack() as stack:
            stack.enter_context(made.log.taken())
            stack.enter_context(registers.recorded())
            for one in (at_brokers, bugs, workers, models):
                stack.enter_context(one.at_work())
            people = People(made, plan, chance)
            blows = Blows(made, chance, EdgeFaults(made, people, registers), at_brokers, bugs, workers, models)
            crashes = Crashes(plan.crashes, lambda crash: blows.crash(crash.process, crash.down))
            made.on_crash = crashes.note
            broken = ""
            try:
                await _run(people, blows, crashes, look)
            except TimeoutError as error:
                broken = f"{type(error).__name__}: {error}"
            if not broken and blows.is_under_way:  # it would excuse everything that came later
                broken = "an emptied store was never taken up"
            history = History((*history_of(plan, made, people, blows).lines, *registers.updates))
            return Played(history, crashes.hit, crashes.came, made.log.lines, broken, loop.steps, loop.time())


async def _run(people: People, blows: Blows, crashes: Crashes, look: Look | None) -> None:
    _prepare(people, blows)
    await _start(people, blows, crashes)
    await _go_on(people, blows, crashes, look)
    await _end(people, crashes)


def _prepare(people: People, blows: Blows) -> None:
    people.invite()
    populate(people)
    blows.talk, blows.foreign.server = people.talk, people.foreign
    people.votes.update((edge, Votes(people, edge)) for edge in people.plan.edges)
    people.greet()
    people.watch()


async def _start(people: People, blows: Blows, crashes: Crashes) -> None:
    """Start all processes, and wait until all edges are ready and know who has connected them."""
    made = people.world
    made.loop.after_step = crashes.after_step
    for crash in (*crashes.of(AIMED), *crashes.of(STARTING)):
        crashes.arm(crash)
    for process in made.processes.values():
        process.start()
    await _until(lambda: all(made.is_ready(edge) for edge in people.plan.edges), READY)
    for person in people.persons:
        person.connect()
    await _until(lambda: all(person.is_known for person in people.persons), READY)
    await _until(lambda: blows.group.is_followed, READY)


async def _go_on(people: People, blows: Blows, crashes: Crashes, look: Look | None) -> None:
    """Let all be said and go wrong, and wait until it has come to rest."""
    made, plan = people.world, people.plan
    _schedule(people, blows, crashes)
    if people.foreign:
        people.foreign.begin()
    if people.program:
        people.program.begin(plan.posted)
    made.loop.after_step = _both(crashes.after_step, look)
    await asyncio.sleep(max([SAID_UNTIL, *(saying.at for saying in plan.sayings)]) + LOOK)
    # Of a gap after which nothing comes a client learns when it connects again; otherwise it asks after 15 minutes.
    blows.telegram.cut_everybody()
    await _until(lambda: all_rest(made, people, blows), CALM, fails=False)


def _schedule(people: People, blows: Blows, crashes: Crashes) -> None:
    later, plan = people.world.loop.call_later, people.plan
    for crash in (*crashes.of(STARTING), *crashes.of(RUNNING)):
        later(crash.by, crashes.overtake, crash)
    for crash in crashes.of(RUNNING):
        later(crash.since, crashes.arm, crash)
    for saying in plan.sayings:
        later(saying.at, people.do, saying)
    for blow in plan.blows:
        later(blow.at, blows.strike, blow)


async def _end(people: People, crashes: Crashes) -> None:
    """Tell all processes to end, and wait until they have."""
    made = people.world
    made.loop.after_step = crashes.after_step
    for crash in crashes.of(ENDING):
        crashes.arm(crash)
    if people.program:
        people.program.end()
    if people.foreign:
        people.foreign.end()
    for process in made.processes.values():
        process.closed = True
        process.stop()
    await _until(lambda: not any(process.process for process in made.processes.values()), GRACE, fails=False)
    made.loop.after_step = None


def _both(first: Look, second: Look | None) -> Look:
    def look(task: SimulatedTask) -> None:
        if second:
            second(task)
        first(task)

    return look if second else first


async def _until(holds: Any, most: float, *, fails: bool = True) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + most
    while not holds():
        if loop.time() >= end:
            if fails:
                raise TimeoutError(f"not ready after {most:.0f} s")
            return
        await asyncio.sleep(LOOK)


@contextmanager
def _quiet() -> Iterator[None]:
    """What crashed is collected unfinished: Python would tell of each of its coroutines, and `timokha setup` prints."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    collects = gc.isenabled()
    gc.disable()
    try:
        with patch.object(click, "echo", lambda _: None), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                yield
            finally:
                gc.collect()
    finally:
        sys.unraisablehook = hook
        if collects:
            gc.enable()
