"""The version before: it has only its own modules, and runs beside this one in a seed."""

import sys
from collections import defaultdict
from itertools import count

import pytest

from tests.simulation import before
from tests.simulation.await_sites import frames
from tests.simulation.breaches import breaches_of
from tests.simulation.drawing import drawn
from tests.simulation.plan import Plan
from tests.simulation.play import play
from tests.simulation.processes import SimulatedTask

pytestmark = pytest.mark.skipif(bool(before.why_not()), reason=before.why_not())


def test_the_version_before_uses_nothing_of_this_one() -> None:
    before.load()
    mixed = [
        f"{name}: {thing}"
        for name, module in sys.modules.items()
        if name.startswith(f"{before.PREFIX}.")
        for thing, value in vars(module).items()
        if str(getattr(value, "__module__", "")).split(".")[0] in before.OURS
    ]
    assert mixed == []
    assert len([name for name in sys.modules if name.startswith(f"{before.PREFIX}.edge.")]) > 100


def test_an_edge_that_is_updated_and_taken_back_runs_as_both_versions() -> None:
    plan = next(plan for plan in map(drawn, count(1)) if _changes_edge(plan))
    trees: dict[str, set[bool]] = defaultdict(set)

    def look(task: SimulatedTask) -> None:
        if not task.done() and task.process:
            for frame in frames(task.get_coro()):
                if "/userbot/" in frame.f_code.co_filename:
                    trees[task.process.name].add(before.COMMIT in frame.f_code.co_filename)

    assert breaches_of(play(plan, look=look)) == []
    assert trees[plan.edges[0]] == {False, True}


def _changes_edge(plan: Plan) -> bool:
    changes = [blow for blow in plan.blows if blow.what == "version_changed" and blow.whom == plan.edges[0]]
    return len(changes) > 1


def test_a_bot_that_may_be_the_version_before_gets_no_difference_that_does_not_advance() -> None:
    plans = [drawn(seed) for seed in range(1, 301)]
    stuck = [plan for plan in plans if any(blow.what == "telegram_stuck" for blow in plan.blows)]
    assert {plan.edges for plan in stuck if plan.has_version_before} == {("userbot",)}
    assert ("bot",) in {plan.edges for plan in stuck}
