"""Where the processes of a plan crash: more often at the places that few seeds reach."""

from collections.abc import Sequence
from functools import cache
from random import Random

from tests.simulation.await_sites import Site, sites
from tests.simulation.connections import PROCESS as BUSINESS
from tests.simulation.plan import PHASES, RUNNING, SAID_UNTIL, Crash, Plan
from tests.simulation.reached import share

PHASE_WEIGHTS = (2, 6, 2)
OCCASIONS = 6
"""How often a process comes to a site, at most, before the crash there; to one that few seeds reach:"""
FEW_OCCASIONS = 2
OFTEN = 0.5
"""Of the seeds, from when on they are many."""
MET = 1.5
"""How many of its sites a process comes to on average, before it crashes at the first one."""
OF_A_PHASE = 0.02
"""How likely a site is chosen for the short time of a start or an end, through which all processes go the same way."""
OVERTAKEN = (3.0, 12.0)
"""Seconds after which a crash comes wherever the process is."""


def drawn_crash(chance: Random, plan: Plan) -> Crash:
    """A process with more sites crashes more often."""
    known = {process: _sites_of(process) for process in plan.processes}
    (process,) = chance.choices(list(known), [len(found) for found in known.values()])
    (phase,) = chance.choices(PHASES, PHASE_WEIGHTS)
    chosen = _chosen(chance, known[process], seldom_first=phase == RUNNING)
    since = round(chance.uniform(0, SAID_UNTIL - OVERTAKEN[1]), 3) if phase == RUNNING else 0.0
    by = round(since + chance.uniform(*OVERTAKEN), 3)
    return Crash(process, phase, chosen, since, by, round(chance.uniform(0, 4), 3))


def _chosen(chance: Random, known: Sequence[Site], *, seldom_first: bool) -> tuple[tuple[str, int, int], ...]:
    """Where a process crashes. One that few seeds reach is chosen more often, so that all are crashed at alike."""
    found = []
    for site in known:
        most = OCCASIONS if share(site) >= OFTEN else FEW_OCCASIONS
        if chance.random() < (MET / len(known) / share(site) if seldom_first else OF_A_PHASE):
            found.append((site.file, site.line, chance.randint(1, most if seldom_first else 1)))
    return tuple(found)


@cache
def _sites_of(process: str) -> Sequence[Site]:
    return [site for site in sites() if _runs(process, site.file)]


def _runs(process: str, file: str) -> bool:
    """Whether a process of this name runs the file."""
    if file.startswith("edge/"):
        return process == BUSINESS or (process in ("userbot", "bot") and not file.startswith("edge/business"))
    if file.startswith("bridge/"):
        return process in ("bridge", "bridge-in")
    if file.startswith("functions/generate"):
        return process.startswith("generate")
    if file.startswith("functions/worker"):
        return process.startswith("generate") or process == "bridge"  # outwards
    if file.startswith("events/rabbitmq"):
        return process in ("bridge", "bridge-in", "generate-rabbitmq")
    return True
