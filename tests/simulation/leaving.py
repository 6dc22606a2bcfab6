"""What a plan has besides if people connect a bot: they change that, or leave; others delete their questions."""

from dataclasses import replace
from random import Random

from tests.simulation.connections import EDGES
from tests.simulation.plan import SAID_UNTIL, Blow, Plan, Saying

SAYINGS = {
    "withdraw": 4,
    "owner_write": 3,
    "owner_report": 2,
    "owner_change": 3,
    "owner_change_unseen": 2,
    "owner_mute": 2,
    "owner_start": 1,
    "owner_cancel_named": 1,
    "stranger": 2,
    "formatted": 3,
}
"""What persons and others do, and how often, compared with each other."""
SAID = (6, 12)
LEAVES = 0.6
"""How likely somebody leaves; since when:"""
SINCE = 8.0
GOING = (
    "owner_leave",
    "owner_leave_long",
    "owner_leave_for_ever",
    "owner_leave_connected",
    "owner_leave_after_all",
    "owner_remove",
    "owner_remove_long",
    "owner_remove_for_ever",
)
BLOW_KINDS = {"edge_connection_lost": 3, "edge_draft_refused": 3, "edge_centre_refused": 2, "edge_centre_signed_out": 2}
BLOWS = (1, 2)
ELSEWHERE = 0.4
"""How likely the account of one of them is in another data centre than the bot."""


def with_persons(plan: Plan) -> Plan:
    """Return the plan with all this if its accounts are those of persons with a bot."""
    if not set(plan.edges) <= set(EDGES):
        return plan
    chance = Random(f"persons {plan.seed}")
    said = [_saying(chance, plan, _what(chance)) for _ in range(chance.randint(*SAID))]
    if chance.random() < LEAVES:
        said.append(_saying(chance, plan, chance.choice(GOING), since=SINCE))
    blows = [_blow(chance, plan) for _ in range(chance.randint(*BLOWS))]
    elsewhere = chance.choice(plan.edges) if chance.random() < ELSEWHERE else ""
    sayings = sorted((*plan.sayings, *said), key=lambda saying: saying.at)
    return replace(plan, sayings=tuple(sayings), blows=(*plan.blows, *blows), elsewhere=elsewhere)


def _what(chance: Random) -> str:
    return chance.choices(list(SAYINGS), list(SAYINGS.values()))[0]


def _blow(chance: Random, plan: Plan) -> Blow:
    (what,) = chance.choices(list(BLOW_KINDS), list(BLOW_KINDS.values()))
    return Blow(round(chance.uniform(0, SAID_UNTIL), 3), what, chance.choice(plan.edges), round(chance.random(), 3))


def _saying(chance: Random, plan: Plan, what: str, since: float = 0.0) -> Saying:
    user = chance.randrange(plan.users)
    return Saying(round(chance.uniform(since, SAID_UNTIL), 3), user, plan.edges[user % len(plan.edges)], what)
