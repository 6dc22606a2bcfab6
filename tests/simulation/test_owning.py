"""What plans have besides if their owners make more use of the rules."""

from dataclasses import replace

import pytest

from tests.simulation import owning
from tests.simulation.drawing import drawn
from tests.simulation.grouping import EDGE
from tests.simulation.owning import NAMED
from tests.simulation.plan import Plan

SEEDS = range(400)
USUAL_RATE = 200
BLOWS = ("telegram_names_flooded", "spammer")
SETTINGS = ("allow", "deny", "refused", "max_answers_per_day_for_all")


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    return [drawn(seed) for seed in SEEDS]


def test_owners_make_more_use_of_the_rules_in_some_plans(plans: list[Plan]) -> None:
    named = [plan for plan in plans if plan.names_people]
    listed = [plan for plan in plans if plan.first_writers]
    limited = [plan for plan in plans if "max_answers_per_day_for_all" in dict(plan.settings)]
    flooded = [plan for plan in plans if any(blow.what == "spammer" for blow in plan.blows)]
    for found in (named, listed, limited, flooded):
        assert 5 < len(found) < 80
        assert all(EDGE in plan.edges and not plan.has_version_before for plan in found)
    paced = [plan for plan in plans if dict(plan.settings)["sends_per_second"] != USUAL_RATE]
    assert 20 < len(paced) < 80
    owned = [plan for plan in plans if plan.has_bots_owner]
    assert 5 < len(owned) < 80
    assert all(plan.edges == ("bot",) and not plan.has_version_before for plan in owned)
    assert {saying.what for plan in named for saying in plan.sayings} >= {*NAMED}
    assert {plan.first_writers for plan in listed} == {"allow", "deny"}


def test_what_owners_do_besides_leaves_the_rest_of_a_plan_as_it_is(monkeypatch, plans: list[Plan]) -> None:
    """A seed without it is played as before."""
    for chance in ("NAMES", "FIRST_WRITERS", "LIMITED", "SPAMMER"):
        monkeypatch.setattr(owning, chance, 0.0)
    monkeypatch.setattr(owning, "BOTS_OWNER", 0.0)
    monkeypatch.setattr(owning, "RATES", (USUAL_RATE,))
    for plan in plans:
        if plan.has_bots_owner or dict(plan.settings)["sends_per_second"] != USUAL_RATE:
            continue  # it says what others say as well
        said = tuple(saying for saying in plan.sayings if saying.what not in NAMED)
        blows = tuple(blow for blow in plan.blows if blow.what not in BLOWS)
        settings = tuple((name, value) for name, value in plan.settings if name not in SETTINGS)
        assert replace(plan, sayings=said, blows=blows, settings=settings) == drawn(plan.seed)
