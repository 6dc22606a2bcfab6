"""What plans have besides if their owners make more use of the rules."""

from dataclasses import replace

from tests.simulation import owning
from tests.simulation.grouping import EDGE
from tests.simulation.owning import NAMED
from tests.simulation.plan import Plan, drawn

SEEDS = range(400)


def plans() -> list[Plan]:
    return [drawn(seed) for seed in SEEDS]


def test_owners_call_people_by_name_in_some_plans() -> None:
    named = [plan for plan in plans() if plan.names_people]
    assert 20 < len(named) < 80
    assert all(EDGE in plan.edges and not plan.has_version_before for plan in named)
    assert {saying.what for plan in named for saying in plan.sayings} >= {*NAMED}


def test_what_owners_do_besides_leaves_the_rest_of_a_plan_as_it_is(monkeypatch) -> None:
    """A seed without it is played as before."""
    with monkeypatch.context() as context:
        context.setattr(owning, "NAMES", 0.0)
        without = plans()
    for plan, before in zip(plans(), without, strict=True):
        said = tuple(saying for saying in plan.sayings if saying.what not in NAMED)
        blows = tuple(blow for blow in plan.blows if blow.what != "telegram_names_flooded")
        assert replace(plan, sayings=said, blows=blows) == before
