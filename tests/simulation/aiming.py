"""Crash at what no crash has met: a seed in which a process waits there is played again, and then it crashes there.

Up to that crash the second play is the first one, so that it is met.
"""

from dataclasses import replace
from math import ceil
from random import Random

from tests.simulation.await_sites import Site
from tests.simulation.drawing import drawn
from tests.simulation.plan import AIMED, Crash, Plan
from tests.simulation.report import Report

DOWN = 4.0
"""Seconds for which a process is away afterwards, at most."""


def aimed_plans(report: Report, most: int) -> list[Plan]:
    """Return a plan for each site that was reached and not crashed at; of more than `most` some from everywhere."""
    missed = [(site, *report.reached[site]) for site in report.missed() if site in report.reached]
    return [aimed(*one) for one in missed[:: ceil(len(missed) / most) or 1]] if most else []


def aimed(site: Site, seed: int, process: str) -> Plan:
    """Return the plan of a seed with a crash of the process when it first waits there."""
    plan, down = drawn(seed), Random(f"aimed {seed} {site}").uniform(0, DOWN)
    crash = Crash(process, AIMED, ((site.file, site.line, 1),), 0.0, 0.0, round(down, 3))
    return replace(plan, crashes=(*plan.crashes, crash))


def aim_of(crash: Crash) -> str:
    """Return where an aimed crash happens, empty: it is no such crash."""
    return f"{crash.process} at {crash.sites[0][0]}:{crash.sites[0][1]}" if crash.phase == AIMED else ""
