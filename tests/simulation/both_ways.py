"""What a plan has besides if the program's bridge also sends requests out: workers on RabbitMQ, and what they do wrong.

With the original's codec these are model servers of somebody else's (`model_server.py`), with ours our own workers.
"""

from dataclasses import replace
from random import Random

from tests.simulation.plan import SAID_UNTIL, Blow, Plan
from tests.simulation.requests import EVENTS, ORIGINAL, Posted

SHARE = {EVENTS: 0.3, ORIGINAL: 0.7}
"""How likely the bridge of a plan with a program does so, by its codec."""
KINDS = {
    "empty": 2,
    "huge": 2,
    "not_utf8": 2,
    "dropped": 1,
    "late": 3,
    "twice": 2,
    "stranger": 2,
    "away": 2,
    "queue_deleted": 2,
    "queue_reshaped": 3,
    "bridge_restarted": 3,
}
"""What model servers do wrong, and how often, compared with each other."""
BLOWS = (3, 6)
BURST = (6, 10)
"""How many requests the program posts at once."""


def with_both_ways(plan: Plan) -> Plan:
    """Return the plan with such a bridge if its seed draws it. The version before may have other faults there."""
    chance = Random(f"both ways {plan.seed}")
    if not plan.codec or plan.has_version_before or chance.random() >= SHARE[plan.codec]:
        return plan
    at = chance.uniform(0, SAID_UNTIL)
    burst = [Posted(round(at + chance.uniform(0, 0.2), 3), "question") for _ in range(chance.randint(*BURST))]
    posted = sorted((*plan.posted, *burst), key=lambda one: one.at)
    blows = [_blow(chance) for _ in range(chance.randint(*BLOWS))] if plan.codec == ORIGINAL else []
    return replace(plan, both=True, posted=tuple(posted), blows=(*plan.blows, *blows))


def _blow(chance: Random) -> Blow:
    (what,) = chance.choices(list(KINDS), list(KINDS.values()))
    return Blow(round(chance.uniform(0, SAID_UNTIL), 3), f"foreign_{what}", "", round(chance.random(), 3))
