"""Make a plan that fails smaller, as long as it fails in the same way."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulation.plan import COMMAND, Plan

One = TypeVar("One")
MOST_TRIES = 200


def shrunk(plan: Plan, fails: Callable[[Plan], bool], *, most: int = MOST_TRIES) -> Plan:
    """Return the smallest plan that was found to fail, after at most so many tries."""
    tries = iter(range(most))
    smaller: Plan | None = plan
    while smaller is not None:
        plan = smaller
        smaller = next((one for one in _smaller(plan) if next(tries, None) is not None and fails(one)), None)
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Yield plans with less in them, those with the most left out first."""
    for crashes in _parts(plan.crashes):
        yield replace(plan, crashes=crashes)
    for blows in _parts(plan.blows):
        yield replace(plan, blows=blows)
    for sayings in _parts(plan.sayings):
        yield replace(plan, sayings=sayings)
    for posted in _parts(plan.posted):
        yield replace(plan, posted=posted)
    for before in _parts(plan.before):
        yield replace(plan, before=before)
    last = max((saying.user for saying in plan.sayings), default=0)
    if last + 1 < plan.users:
        yield replace(plan, users=last + 1)
    used = {saying.edge for saying in plan.sayings}
    edges = tuple(edge for edge in plan.edges if edge in used or edge == plan.edges[0])
    if len(edges) < len(plan.edges):
        yield _with_what_runs(replace(plan, edges=edges))
    if plan.group and not any("group" in one.what for one in (*plan.sayings, *plan.blows)):
        yield replace(plan, group="")
    if plan.both:
        yield _with_what_runs(replace(plan, both=False))
    if plan.rabbitmq:
        yield _with_what_runs(replace(plan, rabbitmq=False))
    if plan.codec and not plan.posted:
        yield _with_what_runs(replace(plan, codec=""))


def _with_what_runs(plan: Plan) -> Plan:
    """Return the plan without what becomes of processes that it no longer has."""
    crashes = tuple(crash for crash in plan.crashes if crash.process in (*plan.processes, COMMAND))
    before = tuple(name for name in plan.before if name in plan.processes)
    return replace(plan, crashes=crashes, before=before)


def _parts(whole: Sequence[One]) -> Iterator[tuple[One, ...]]:
    """Yield what is left without a half, a quarter, and each one."""
    size = len(whole)
    while size > 0:
        size = size // 2 if size > 1 else 0
        step = size or 1
        for begin in range(0, len(whole), step):
            yield (*whole[:begin], *whole[begin + step :])
        if step == 1:
            return
