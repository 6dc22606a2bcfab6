"""In some seeds users ask with formatting, which an answer repeats, and Telegram refuses some messages with any."""

from dataclasses import replace
from random import Random

from tests.simulation.plan import SAID_UNTIL, Blow, Plan

SHARE = 0.06
REFUSALS = (2, 4)
"""How many times it begins to refuse such messages."""


def with_styles(plan: Plan) -> Plan:
    """Return the plan with questions that have formatting, if its seed draws them. They ask as those without do."""
    chance = Random(f"styles {plan.seed}")
    if chance.random() >= SHARE or plan.has_version_before:
        return plan
    said = (replace(one, what="formatted") if one.what == "question" else one for one in plan.sayings)
    blows = [
        Blow(round(chance.uniform(0, SAID_UNTIL), 3), "telegram_styles_refused", whom, round(chance.random(), 3))
        for whom in chance.choices(plan.edges, k=chance.randint(*REFUSALS))
    ]
    return replace(plan, sayings=tuple(said), blows=(*plan.blows, *blows))
