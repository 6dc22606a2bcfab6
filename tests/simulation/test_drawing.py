"""Plans: what is drawn for a seed, of each part of it, and that a plan survives a file."""

from dataclasses import replace

import pytest

from tests.simulation import both_ways, connections, edge_blows, grouping, leaving, rare_blows, styling
from tests.simulation.backups import Backups
from tests.simulation.bugs import Bugs
from tests.simulation.drawing import drawn
from tests.simulation.edge_faults import EdgeFaults
from tests.simulation.foreign_faults import ForeignFaults
from tests.simulation.grouping import FORUM, PLAIN
from tests.simulation.late_faults import LateFaults
from tests.simulation.lost_cancellations import LostCancellations
from tests.simulation.model_server import SPOILT
from tests.simulation.models import Models
from tests.simulation.nats_refusals import NatsRefusals
from tests.simulation.plan import Plan
from tests.simulation.rabbit_faults import RabbitFaults
from tests.simulation.requests import EVENTS, ORIGINAL
from tests.simulation.stops import Stops
from tests.simulation.unrecorded import Unrecorded
from tests.simulation.worker_faults import WorkerFaults


def test_a_plan_survives_its_way_through_a_file() -> None:
    plans = [drawn(seed) for seed in range(1, 60)]
    assert [Plan.from_json(plan.to_json()) for plan in plans] == plans
    assert len({plan.to_json() for plan in plans}) == len(plans)


def test_a_plan_has_users_questions_and_faults() -> None:
    for plan in (drawn(seed) for seed in range(1, 200)):
        assert plan.users >= 3
        assert sum(saying.what in ("question", "formatted", "piece") for saying in plan.sayings) >= 12
        assert len(plan.blows) >= 6


def test_blows_at_an_edge_leave_the_rest_of_a_plan_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [drawn(seed) for seed in range(1, 60)]
    monkeypatch.setattr(edge_blows, "SHARE", 0)
    without = [drawn(seed) for seed in range(1, 60)]
    kinds = {f"edge_{kind}" for kind in edge_blows.KINDS | edge_blows.OF_CHATS | edge_blows.OF_STATE}
    others = [tuple(blow for blow in plan.blows if blow.what not in kinds) for plan in plans]
    assert 10 < sum(len(plan.blows) > len(blows) for plan, blows in zip(plans, others, strict=True)) < 50
    assert [replace(plan, blows=blows) for plan, blows in zip(plans, others, strict=True)] == without


def test_every_blow_at_an_edge_can_be_struck() -> None:
    kinds = edge_blows.KINDS | edge_blows.OF_CHATS | edge_blows.OF_STATE
    assert [kind for kind in kinds if not hasattr(EdgeFaults, f"_{kind}")] == []


def test_some_bridges_work_both_ways_and_other_plans_are_as_without(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [drawn(seed) for seed in range(1, 300)]
    both = [plan for plan in plans if plan.both]
    assert {plan.codec for plan in both} == {ORIGINAL, EVENTS}
    struck = {blow.what for plan in both for blow in plan.blows if blow.what.startswith("foreign_")}
    assert struck == {f"foreign_{kind}" for kind in both_ways.KINDS}
    wrong = {kind.removeprefix("foreign_") for kind in struck if not hasattr(ForeignFaults, f"_{kind[8:]}")}
    assert wrong == {*SPOILT, "twice", "stranger"} - {"huge_late"}
    monkeypatch.setattr(both_ways, "SHARE", dict.fromkeys(both_ways.SHARE, 0))
    assert [drawn(plan.seed) for plan in plans if not plan.both] == [plan for plan in plans if not plan.both]


def test_some_ask_with_formatting_and_other_plans_are_as_without(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [drawn(seed) for seed in range(1, 300)]
    monkeypatch.setattr(styling, "SHARE", 0)
    without = {plan.seed: drawn(plan.seed) for plan in plans}
    styled = [plan for plan in plans if plan != without[plan.seed]]
    assert 8 <= len(styled) <= 30
    assert not any(one.what == "question" for plan in styled for one in plan.sayings)
    assert all(any(one.what == "telegram_styles_refused" for one in plan.blows) for plan in styled)


RARE = {
    "stop": Stops,
    "refused": NatsRefusals,
    "model": Models,
    "bug": Bugs,
    "rabbit": RabbitFaults,
    "worker": WorkerFaults,
    "late": LateFaults,
    "taken": Unrecorded,
    "backup": Backups,
    "lost": LostCancellations,
}


def test_rare_blows_leave_the_rest_of_a_plan_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(f"{family.name}_" for family in rare_blows.FAMILIES)
    plans = [drawn(seed) for seed in range(1, 60)]
    monkeypatch.setattr(rare_blows, "FAMILIES", ())
    without = [drawn(seed) for seed in range(1, 60)]
    others = [tuple(blow for blow in plan.blows if not blow.what.startswith(names)) for plan in plans]
    assert [replace(plan, blows=blows) for plan, blows in zip(plans, others, strict=True)] == without


def test_some_plans_have_each_rare_blow_and_it_can_be_struck() -> None:
    struck = {blow.what for seed in range(1, 400) for blow in drawn(seed).blows}
    for family in rare_blows.FAMILIES:
        kinds = {**family.kinds, **family.outward, **family.inward}
        assert {f"{family.name}_{kind}" for kind in kinds} <= struck
        assert [kind for kind in kinds if not hasattr(RARE[family.name], f"_{kind}")] == []


def test_some_plans_have_a_group_with_all_that_is_said_there_and_others_are_as_without() -> None:
    plans = [drawn(seed) for seed in range(1, 200)]
    grouped = [plan for plan in plans if plan.group]
    assert len(grouped) >= 30
    assert {plan.group for plan in grouped} == {FORUM, PLAIN}
    said = {saying.what for plan in grouped for saying in plan.sayings}
    struck = {blow.what for plan in grouped for blow in plan.blows}
    assert set(grouping.SAYINGS) <= said
    assert set(grouping.BLOW_KINDS) <= struck
    others = [one.what for plan in plans if not plan.group for one in (*plan.sayings, *plan.blows)]
    assert not any("group" in what for what in others)


def test_readers_vote_in_some_plans_whose_owner_keeps_that() -> None:
    plans = [drawn(seed) for seed in range(1, 100)]
    voting = [plan for plan in plans if any(saying.what == "vote" for saying in plan.sayings)]
    assert 10 <= len(voting) <= 50
    assert voting == [plan for plan in plans if dict(plan.settings).get("feedback")]


def test_a_bot_that_persons_connect_takes_the_place_of_other_accounts_and_changes_no_other_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "HAS_BUSINESS", True)
    plans = [drawn(seed) for seed in range(1, 200)]
    connected = [plan for plan in plans if connections.PROCESS in plan.processes]
    assert 50 <= len(connected) <= 90
    assert {plan.edges for plan in connected} == {connections.EDGES}
    assert {plan.elsewhere for plan in connected} == {"", *connections.EDGES}
    said = {saying.what for plan in connected for saying in plan.sayings}
    struck = {blow.what for plan in connected for blow in plan.blows}
    assert {*leaving.SAYINGS, *leaving.GOING} <= said
    assert set(leaving.BLOW_KINDS) <= struck
    assert not any(plan.group or plan.has_version_before for plan in connected)
    monkeypatch.setattr(connections, "HAS_BUSINESS", False)
    others = [plan for plan in plans if plan not in connected]
    assert others == [drawn(plan.seed) for plan in others]


def test_every_blow_at_a_connection_can_be_struck() -> None:
    assert [kind for kind in leaving.BLOW_KINDS if not hasattr(EdgeFaults, kind.removeprefix("edge"))] == []
