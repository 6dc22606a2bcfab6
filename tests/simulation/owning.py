"""What a plan has besides if the owner of the user's account makes more use of the rules: each kind has its chance."""

from dataclasses import replace
from random import Random

from tests.simulation.grouping import EDGE
from tests.simulation.plan import SAID_UNTIL, Blow, Plan, Saying

NAMES = 0.2
"""How likely a plan with a user's account has orders by username; how many, which, and how often which:"""
ORDERS = (4, 8)
NAMED = {"owner_pause_named": 3, "owner_cancel_named": 2, "owner_deny_named": 2, "owner_misname": 1}
UNNAMED = 0.5
"""How likely Telegram does not let names be looked up for a while."""


def with_owner(plan: Plan) -> Plan:
    """Return the plan with what its seed draws. The version before carries out its owner's orders in other words."""
    if EDGE not in plan.edges or plan.has_version_before:
        return plan
    return _with_names(plan, Random(f"names {plan.seed}"))


def _with_names(plan: Plan, chance: Random) -> Plan:
    if chance.random() >= NAMES:
        return plan
    orders = [_saying(chance, plan, NAMED) for _ in range(chance.randint(*ORDERS))]
    blows = [_blow(chance, "telegram_names_flooded")] if chance.random() < UNNAMED else []
    return replace(plan, sayings=_sorted(*plan.sayings, *orders), blows=(*plan.blows, *blows))


def _saying(chance: Random, plan: Plan, weights: dict[str, int]) -> Saying:
    (what,) = chance.choices(list(weights), list(weights.values()))
    return Saying(round(chance.uniform(0, SAID_UNTIL), 3), chance.choice(_users(plan)), EDGE, what)


def _users(plan: Plan) -> list[int]:
    """Those who write to the account."""
    return [user for user in range(plan.users) if plan.edges[user % len(plan.edges)] == EDGE]


def _blow(chance: Random, what: str) -> Blow:
    return Blow(round(chance.uniform(0, SAID_UNTIL), 3), what, EDGE, round(chance.random(), 3))


def _sorted(*sayings: Saying) -> tuple[Saying, ...]:
    return tuple(sorted(sayings, key=lambda saying: saying.at))
