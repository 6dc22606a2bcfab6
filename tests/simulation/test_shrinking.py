"""A plan that fails shrinks to what it needs for that."""

import pytest

from edge.userbot.chat import own_messages
from tests.simulation.drawing import drawn
from tests.simulation.plan import Plan
from tests.simulation.run import outcome_of
from tests.simulation.shrinking import shrunk


def test_a_plan_shrinks_to_what_it_needs_to_fail() -> None:
    plan = drawn(2)
    saying, blow = plan.sayings[3], plan.blows[-1]

    def fails(one: Plan) -> bool:
        return saying in one.sayings and blow in one.blows

    small = shrunk(plan, fails)
    assert (small.sayings, small.blows, small.crashes) == ((saying,), (blow,), ())
    assert small.users == saying.user + 1
    assert small.edges in ((saying.edge,), (plan.edges[0], saying.edge))
    assert fails(small)


def test_a_failing_plan_gets_smaller_and_fails_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here because the userbot takes its own messages for the owner's."""
    monkeypatch.setattr(own_messages, "_with_sent", lambda record, _message_id: record)
    plan = drawn(1)

    def fails(one: Plan) -> bool:
        return any(breach.startswith("lost") for breach in outcome_of(one).breaches)

    assert fails(plan)
    small = shrunk(plan, fails, most=4)
    assert _size(small) < _size(plan)
    assert fails(Plan.from_json(small.to_json()))


def _size(plan: Plan) -> int:
    return len(plan.sayings) + len(plan.blows) + len(plan.crashes)
