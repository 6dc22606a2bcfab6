"""How the plan of a seed is drawn: the same seed gives the same plan.

What only some plans have is drawn elsewhere, from chances of its own, so that it leaves the rest of a plan as it is.
"""

from dataclasses import replace
from random import Random
from typing import Any

from tests.simulation import broker_blows, edge_blows
from tests.simulation.both_ways import with_both_ways
from tests.simulation.connections import edges_of
from tests.simulation.crashing import drawn_crash
from tests.simulation.grouping import with_group
from tests.simulation.leaving import with_persons
from tests.simulation.owning import with_owner
from tests.simulation.plan import APPROVE_FOR, APPROVING, SAID_UNTIL, Blow, Plan, Saying
from tests.simulation.rare_blows import with_rare_blows
from tests.simulation.requests import CODECS, drawn_requests
from tests.simulation.styling import with_styles
from tests.simulation.updating import with_version_before
from tests.simulation.voting import with_votes

USERS = (3, 5)
QUESTIONS = (12, 16)
BLOWS = (6, 10)
CRASHES = (2, 4)
PROGRAM = 0.25
"""The share of plans with a program that asks over RabbitMQ; how much more goes wrong there:"""
MORE_BLOWS = (2, 4)
FOLLOWS = 0.3
"""How likely a user says something right after the last thing."""

SAYINGS = {"question": 12, "piece": 0, "edit": 0, "delete": 0, "delete_history": 1}
"""What users do, and how often, compared with each other."""
OF_TWIN = {"piece": 8, "edit": 2, "delete": 2}
"""Likewise where users need no prefix."""
OF_OWNER = {"owner_write": 3, "owner_report": 1, "owner_cancel": 1, "owner_pause": 1, "owner_deny": 1}
"""Likewise where owners write and give orders as well."""
BLOW_KINDS = {
    "nats_killed": 4,
    "nats_frozen": 2,
    "nats_cut": 4,
    "nats_without_leader": 3,
    "nats_slow": 2,
    "puback_lost": 5,
    "update_answer_lost": 5,
    "delivered_twice": 4,
    "store_emptied": 1,
    "stream_deleted": 1,
    "consumer_deleted": 2,
    "rabbitmq_killed": 2,
    "rabbitmq_cut": 2,
    "confirm_lost": 3,
    "returned": 1,
    "requeued": 3,
    "telegram_cut": 4,
    "telegram_away": 3,
    "telegram_answer_lost": 5,
    "telegram_flood": 3,
    "telegram_busy": 4,
    "telegram_gap": 4,
    "telegram_doubled": 3,
    "telegram_turned_round": 3,
    "telegram_stuck": 2,
    "telegram_not_taken": 2,
    "process_crashed": 6,
    "process_stopped": 3,
    "process_frozen": 3,
}


def drawn(seed: int) -> Plan:
    """Return the plan of a seed."""
    chance = Random(f"plan {seed}")
    edges = chance.choice((("userbot",), ("userbot",), ("userbot", "bot"), ("bot",)))
    edges = edges_of(seed) or edges
    rabbitmq, twin, owner = chance.random() < 0.35, chance.random() < 0.3, chance.random() < 0.3
    users = chance.randint(*USERS)
    plan = Plan(
        seed, chance.getrandbits(64), users, edges, rabbitmq, _settings(chance, twin=twin, owner=owner), (), (), ()
    )
    weights = SAYINGS | (OF_TWIN if twin else {}) | (OF_OWNER if owner else {})
    sayings = _sayings(chance, plan, weights)
    blows = [_blow(chance, plan) for _ in range(chance.randint(*BLOWS))]
    blows += [Blow(*one) for one in edge_blows.drawn(seed, edges, SAID_UNTIL)]
    crashes = [drawn_crash(chance, plan) for _ in range(chance.randint(*CRASHES))]
    plan = replace(plan, sayings=sayings, blows=tuple(blows), crashes=tuple(crashes))
    plan = _with_program(plan, Random(f"program {seed}"))
    at_brokers = broker_blows.drawn(seed, SAID_UNTIL, rabbitmq=plan.rabbitmq, program=bool(plan.codec))
    plan = replace(plan, blows=(*plan.blows, *(Blow(*one) for one in at_brokers)))
    plan = with_votes(with_version_before(with_group(plan)))
    return with_styles(with_persons(with_owner(with_rare_blows(with_both_ways(plan)))))


def _with_program(plan: Plan, chance: Random) -> Plan:
    """Add a program that asks over RabbitMQ, and more that goes wrong, to some plans."""
    if chance.random() >= PROGRAM:
        return plan
    codec = chance.choice(CODECS)
    plan = replace(plan, codec=codec, posted=drawn_requests(chance, codec, SAID_UNTIL))
    blows = [_blow(chance, plan) for _ in range(chance.randint(*MORE_BLOWS))]
    return replace(plan, blows=(*plan.blows, *blows), crashes=(*plan.crashes, drawn_crash(chance, plan)))


def _settings(chance: Random, *, twin: bool, owner: bool) -> tuple[tuple[str, Any], ...]:
    found = {
        "live": chance.random() < 0.5,
        "when_busy": chance.choice(("ignore", "queue", "queue")),
        "thinking": chance.choice(("line", "line", "typing", "reaction")),
        "deadline": chance.choice((30, 60)),
        "sends_per_second": 200,
    }
    if twin:
        found |= {"triggers": "private", "debounce": 1.5}
    if owner and chance.random() < 0.5:
        found |= {**dict([APPROVING]), "approve_for": APPROVE_FOR}
    return tuple(found.items())


def _sayings(chance: Random, plan: Plan, weights: dict[str, int]) -> tuple[Saying, ...]:
    found, left = [], chance.randint(*QUESTIONS)
    last = 0.0
    while left:
        at = last + chance.uniform(0, 0.4) if chance.random() < FOLLOWS else chance.uniform(0, SAID_UNTIL)
        what = chance.choices(list(weights), list(weights.values()))[0]
        user = chance.randrange(plan.users)
        found.append(Saying(round(at, 3), user, plan.edges[user % len(plan.edges)], what))
        left -= what in ("question", "piece")
        last = min(at, SAID_UNTIL)
    return tuple(sorted(found, key=lambda saying: saying.at))


def _blow(chance: Random, plan: Plan) -> Blow:
    known = [kind for kind in BLOW_KINDS if plan.rabbitmq or plan.codec or not _of_rabbitmq(kind)]
    what = chance.choices(known, [BLOW_KINDS[kind] for kind in known])[0]
    whom = chance.choice(plan.processes) if what.startswith(("process", "nats_cut")) else chance.choice(plan.edges)
    return Blow(round(chance.uniform(0, SAID_UNTIL), 3), what, whom, round(chance.random(), 3))


def _of_rabbitmq(kind: str) -> bool:
    return kind.startswith("rabbitmq") or kind in ("confirm_lost", "returned", "requeued")
