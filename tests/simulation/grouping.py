"""What a plan has besides if the user's account is in a group: what is said there, and which of it goes missing."""

from dataclasses import replace
from random import Random

from tests.simulation.plan import APPROVING, SAID_UNTIL, Blow, Plan, Saying

EDGE = "userbot"
OFTEN = 0.35
"""How likely a plan with a user's account has one."""
FORUM, PLAIN = "forum", "plain"
KINDS = (FORUM, FORUM, PLAIN)
SAYINGS = {
    "group_question": 5,
    "group_mention": 5,
    "group_reply": 4,
    "group_remark": 6,
    "group_edit": 1,
    "group_delete": 1,
    "group_delete_history": 1,
}
"""What its members do, and how often, compared with each other."""
SAID = (12, 20)
FOLLOWS = 0.4
"""How likely a member says something right after the last thing."""
BLOW_KINDS = {
    "group_missing": 4,
    "group_late": 3,
    "group_twice": 2,
    "group_too_long": 3,
    "group_history": 3,
    "group_stuck": 2,
    "group_muted": 2,
    "group_removed": 2,
    "group_slow": 2,
}
BLOWS = (2, 4)
TRIGGERS = "mentions,replies"


def with_group(plan: Plan) -> Plan:
    """Return the plan with a group if its seed draws one. Drafts about what is asked in groups are for other tests."""
    chance = Random(f"groups {plan.seed}")
    if EDGE not in plan.edges or APPROVING in plan.settings or chance.random() >= OFTEN:
        return plan
    sayings = sorted((*plan.sayings, *_sayings(chance, plan)), key=lambda saying: saying.at)
    blows = (*plan.blows, *(_blow(chance) for _ in range(chance.randint(*BLOWS))))
    settings = dict(plan.settings)
    settings |= {"triggers": ",".join(filter(None, (settings.get("triggers"), TRIGGERS))), "debounce": 1.5}
    return replace(
        plan, group=chance.choice(KINDS), settings=tuple(settings.items()), sayings=tuple(sayings), blows=blows
    )


def _sayings(chance: Random, plan: Plan) -> list[Saying]:
    found, last = list[Saying](), 0.0
    for _ in range(chance.randint(*SAID)):
        at = last + chance.uniform(0, 0.4) if chance.random() < FOLLOWS else chance.uniform(0, SAID_UNTIL)
        (what,) = chance.choices(list(SAYINGS), list(SAYINGS.values()))
        last = min(at, SAID_UNTIL)
        found.append(Saying(round(last, 3), chance.randrange(plan.users), EDGE, what))
    return found


def _blow(chance: Random) -> Blow:
    (what,) = chance.choices(list(BLOW_KINDS), list(BLOW_KINDS.values()))
    return Blow(round(chance.uniform(0, SAID_UNTIL), 3), what, EDGE, round(chance.random(), 3))
