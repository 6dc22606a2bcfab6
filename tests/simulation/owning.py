"""What a plan has besides if the owner of the user's account makes more use of the rules: each kind has its chance."""

from dataclasses import replace
from random import Random

from edge.userbot.people import WROTE_FIRST
from tests.simulation.grouping import EDGE
from tests.simulation.plan import APPROVE_FOR, APPROVING, SAID_UNTIL, Blow, Plan, Saying

NAMES = 0.2
"""How likely a plan with a user's account has orders by username; how many, which, and how often which:"""
ORDERS = (4, 8)
NAMED = {"owner_pause_named": 3, "owner_cancel_named": 2, "owner_deny_named": 2, "owner_misname": 1}
UNNAMED = 0.5
"""How likely Telegram does not let names be looked up for a while."""

FIRST_WRITERS = 0.12
"""How likely a plan has a list for which it is looked up who wrote first. No other list may be changed meanwhile."""
LISTS = ("allow", "allow", "deny")
REFUSED = ("silence", "line")
LIMITED = 0.15
"""How likely all chats together get a few answers a day only:"""
LIMITS = (4, 8)
SPAMMER = 0.12
"""How likely Telegram takes the account for a spammer, where nothing else pauses all chats; how often:"""
TIMES = (1, 2)

BOTS_OWNER = 0.5
"""How likely a bot, where it is alone, has an owner, who approves answers; what they order, and how often:"""
OF_BOTS_OWNER = {"owner_report": 2, "owner_cancel": 1, "owner_pause": 1, "owner_deny": 1}
BOTS_ORDERS = (2, 5)

PACED = 0.1
"""How likely an account sends few messages a second, and looks into few chats; which number:"""
RATES = (1, 2, 3)


def with_owner(plan: Plan) -> Plan:
    """Return the plan with what its seed draws. The version before carries out its owner's orders in other words."""
    if plan.has_version_before:
        return plan
    plan = _with_pace(plan, Random(f"paces {plan.seed}"))
    if EDGE not in plan.edges:
        return _with_bots_owner(plan, Random(f"bots' owners {plan.seed}"))
    plan = _with_names(plan, Random(f"names {plan.seed}"))
    plan = _with_first_writers(plan, Random(f"first writers {plan.seed}"))
    return _with_spammer(_with_limit(plan, Random(f"limits {plan.seed}")), Random(f"spammers {plan.seed}"))


def _with_pace(plan: Plan, chance: Random) -> Plan:
    if chance.random() >= PACED:
        return plan
    return replace(plan, settings=tuple((dict(plan.settings) | {"sends_per_second": chance.choice(RATES)}).items()))


def _with_names(plan: Plan, chance: Random) -> Plan:
    if chance.random() >= NAMES:
        return plan
    orders = [_saying(chance, plan, NAMED) for _ in range(chance.randint(*ORDERS))]
    blows = [_blow(chance, "telegram_names_flooded")] if chance.random() < UNNAMED else []
    return replace(plan, sayings=_sorted(*plan.sayings, *orders), blows=(*plan.blows, *blows))


def _with_first_writers(plan: Plan, chance: Random) -> Plan:
    if chance.random() >= FIRST_WRITERS or _has_triggers(plan) or _says(plan, "owner_deny"):
        return plan
    settings = (chance.choice(LISTS), WROTE_FIRST), ("refused", chance.choice(REFUSED))
    return replace(plan, settings=(*plan.settings, *settings))


def _with_limit(plan: Plan, chance: Random) -> Plan:
    if chance.random() >= LIMITED or _has_triggers(plan):
        return plan
    return replace(plan, settings=(*plan.settings, ("max_answers_per_day_for_all", chance.randint(*LIMITS))))


def _with_spammer(plan: Plan, chance: Random) -> Plan:
    if chance.random() >= SPAMMER or _says(plan, "owner_pause"):
        return plan
    blows = [_blow(chance, "spammer") for _ in range(chance.randint(*TIMES))]
    return replace(plan, blows=(*plan.blows, *blows))


def _with_bots_owner(plan: Plan, chance: Random) -> Plan:
    if chance.random() >= BOTS_OWNER:
        return plan
    orders = [
        replace(_saying(chance, plan, OF_BOTS_OWNER), edge=plan.edges[0]) for _ in range(chance.randint(*BOTS_ORDERS))
    ]
    settings = dict(plan.settings) | {"bots_owner": True, **dict([APPROVING]), "approve_for": APPROVE_FOR}
    return replace(plan, settings=tuple(settings.items()), sayings=_sorted(*plan.sayings, *orders))


def _has_triggers(plan: Plan) -> bool:
    return "triggers" in dict(plan.settings)


def _says(plan: Plan, what: str) -> bool:
    return any(saying.what.startswith(what) for saying in plan.sayings)


def _saying(chance: Random, plan: Plan, weights: dict[str, int]) -> Saying:
    (what,) = chance.choices(list(weights), list(weights.values()))
    return Saying(round(chance.uniform(0, SAID_UNTIL), 3), chance.choice(_users(plan)), EDGE, what)


def _users(plan: Plan) -> list[int]:
    """Those who write to the account, or to the bot that is alone."""
    users, edges = range(plan.users), plan.edges
    return [user for user in users if edges[user % len(edges)] == EDGE] or list(users)


def _blow(chance: Random, what: str) -> Blow:
    return Blow(round(chance.uniform(0, SAID_UNTIL), 3), what, EDGE, round(chance.random(), 3))


def _sorted(*sayings: Saying) -> tuple[Saying, ...]:
    return tuple(sorted(sayings, key=lambda saying: saying.at))
