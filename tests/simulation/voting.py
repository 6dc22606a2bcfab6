"""What a plan has besides if the owner keeps readers' votes: how often who reacts to an answer."""

from dataclasses import replace
from random import Random

from tests.simulation.grouping import EDGE
from tests.simulation.plan import SAID_UNTIL, Plan, Saying

OFTEN = 0.25
"""How likely a plan with a user's account has votes."""
VOTES = (6, 12)
SINCE = 3.0
"""Seconds from the beginning, as the first answers take their time."""


def with_votes(plan: Plan) -> Plan:
    """Return the plan with votes if its seed draws them. The version before keeps none."""
    chance = Random(f"votes {plan.seed}")
    if EDGE not in plan.edges or plan.has_version_before or chance.random() >= OFTEN:
        return plan
    users = [user for user in range(plan.users) if plan.edges[user % len(plan.edges)] == EDGE]
    votes = [
        Saying(round(chance.uniform(SINCE, SAID_UNTIL), 3), chance.choice(users), EDGE, "vote")
        for _ in range(chance.randint(*VOTES))
    ]
    sayings = sorted((*plan.sayings, *votes), key=lambda saying: saying.at)
    return replace(plan, settings=(*plan.settings, ("feedback", True)), sayings=tuple(sayings))
