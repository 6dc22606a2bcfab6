"""What happens in a seed: who says what and when, and what goes wrong. It is data, so that a failing one can shrink."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from random import Random
from typing import Any, Self

from edge.userbot.people import WROTE_FIRST
from tests.promises.lines import BOT
from tests.simulation import broker_blows, edge_blows
from tests.simulation.await_sites import Site, sites
from tests.simulation.connections import PROCESS as BUSINESS
from tests.simulation.connections import edges_of, process_of
from tests.simulation.reached import share
from tests.simulation.requests import CODECS, EVENTS, Posted, drawn_requests

USERS = (3, 5)
QUESTIONS = (12, 16)
BLOWS = (6, 10)
CRASHES = (2, 4)
PROGRAM = 0.25
"""The share of plans with a program that asks over RabbitMQ; how much more goes wrong there:"""
MORE_BLOWS = (2, 4)
VERSIONS = 0.25
"""The share of plans in which the version before takes part, and the share of the processes that it begins as:"""
BEFORE = 0.5
VERSION_CHANGED = "version_changed"
MENDED_SINCE = ("delivered_twice", "edge_record_broken")
"""Blows after which the version before breaks a promise: its workers give up what is answered; a draft stays behind."""
LOST_BY_BOTS = "telegram_stuck"
"""Likewise of a bot: after five differences that don't advance it takes up what comes then, and not what it missed."""
STARTING, RUNNING, ENDING = PHASES = "starting", "running", "ending"
"""When a crash comes: before all edges have been ready, afterwards, or while everything is told to end."""
AIMED = "aimed"
"""Or at any of these times, and only where it is planned."""
PHASE_WEIGHTS = (2, 6, 2)
COMMAND = "setup"
"""A process that does one thing, and ends with an error if it can't."""
SAID_UNTIL = 30.0
"""Seconds, virtual ones, in which everything is said and goes wrong."""
FOLLOWS = 0.3
"""How likely a user says something right after the last thing."""
OCCASIONS = 6
"""How often a process comes to a site, at most, before the crash there; to one that few seeds reach:"""
FEW_OCCASIONS = 2
OFTEN = 0.5
"""Of the seeds, from when on they are many."""
MET = 1.5
"""How many of its sites a process comes to on average, before it crashes at the first one."""
OF_A_PHASE = 0.02
"""How likely a site is chosen for the short time of a start or an end, through which all processes go the same way."""
OVERTAKEN = (3.0, 12.0)
"""Seconds after which a crash comes wherever the process is."""

SAYINGS = {"question": 12, "piece": 0, "edit": 0, "delete": 0, "delete_history": 1}
"""What users do, and how often, compared with each other."""
OF_TWIN = {"piece": 8, "edit": 2, "delete": 2}
"""Likewise where users need no prefix."""
OF_OWNER = {"owner_write": 3, "owner_report": 1, "owner_cancel": 1, "owner_pause": 1, "owner_deny": 1}
"""Likewise where owners write and give orders as well."""
APPROVING = ("approve", "listed")
"""The setting with which the answers of some users need approval."""
APPROVE_FOR = 5
"""Seconds that an owner has for it."""
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


@dataclass(frozen=True, slots=True)
class Saying:
    """`user` says or does `what` to the account of the edge `edge`, `at` seconds from the beginning."""

    at: float
    user: int
    edge: str
    what: str


@dataclass(frozen=True, slots=True)
class Blow:
    """`what` hits `whom`; `size`: how long or how often, from 0 to 1, of what that kind of blow has at most."""

    at: float
    what: str
    whom: str
    size: float


@dataclass(frozen=True, slots=True)
class Crash:
    """`process` crashes when one of its tasks waits at one of `sites`: file, line, and for the how manieth time.

    At the latest it does at `by`; it can from `since` on, both seconds from when the edges were ready: in the phase
    `running`, whose first second that is. An aimed one knows no times. `down`: seconds.
    """

    process: str
    phase: str
    sites: tuple[tuple[str, int, int], ...]
    since: float
    by: float
    down: float


@dataclass(frozen=True, slots=True)
class Plan:
    """`chances`: of the order of everything. `settings`: of the userbots.

    `codec`: of another program that asks over RabbitMQ and of its bridge, empty: there is none. `posted`: what it asks.
    `group`: the kind of the group in which the user's account is, likewise.
    """

    seed: int
    chances: int
    users: int
    edges: tuple[str, ...]
    rabbitmq: bool
    settings: tuple[tuple[str, Any], ...]
    sayings: tuple[Saying, ...]
    blows: tuple[Blow, ...]
    crashes: tuple[Crash, ...]
    codec: str = ""
    posted: tuple[Posted, ...] = ()
    before: tuple[str, ...] = ()
    """The processes that are the version before at first."""
    group: str = ""
    both: bool = False
    """The program's bridge also sends requests out, to workers on RabbitMQ."""
    elsewhere: str = ""
    """The edge whose account is in another data centre, empty: none."""

    @property
    def processes(self) -> list[str]:
        outward = ["bridge"] if self.rabbitmq else []
        outward += ["generate-rabbitmq"] if self.rabbitmq or (self.both and self.codec == EVENTS) else []
        answering = dict.fromkeys(process_of(edge) for edge in self.edges)
        return [*answering, "generate-1", "generate-2", *outward, *(["bridge-in"] if self.codec else [])]

    @property
    def has_version_before(self) -> bool:
        return bool(self.before) or any(blow.what == VERSION_CHANGED for blow in self.blows)

    @property
    def names_people(self) -> bool:
        """Whether the owner calls people by their usernames."""
        return any(saying.what.endswith("named") for saying in self.sayings)

    @property
    def has_bots_owner(self) -> bool:
        return "bots_owner" in dict(self.settings)

    @property
    def first_writers(self) -> str:
        """What becomes of people who wrote first: allow, deny, or empty, if that does not matter."""
        return next((name for name, value in self.settings if value == WROTE_FIRST), "")

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        given = json.loads(text)
        given |= {
            "edges": tuple(given["edges"]),
            "settings": tuple((name, value) for name, value in given["settings"]),
            "sayings": tuple(Saying(**one) for one in given["sayings"]),
            "blows": tuple(Blow(**one) for one in given["blows"]),
            "crashes": tuple(_crash_of(one) for one in given["crashes"]),
            "before": tuple(given.get("before", ())),
            "posted": tuple(Posted(**one) for one in given.get("posted", ())),
        }
        return cls(**given)


def drawn(seed: int) -> Plan:
    """Return the plan of a seed."""
    from tests.simulation.both_ways import with_both_ways  # they need this module
    from tests.simulation.grouping import with_group
    from tests.simulation.leaving import with_persons
    from tests.simulation.owning import with_owner
    from tests.simulation.rare_blows import with_rare_blows
    from tests.simulation.styling import with_styles
    from tests.simulation.voting import with_votes

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
    crashes = [_crash(chance, plan) for _ in range(chance.randint(*CRASHES))]
    plan = replace(plan, sayings=sayings, blows=tuple(blows), crashes=tuple(crashes))
    plan = _with_program(plan, Random(f"program {seed}"))
    at_brokers = broker_blows.drawn(seed, SAID_UNTIL, rabbitmq=plan.rabbitmq, program=bool(plan.codec))
    plan = replace(plan, blows=(*plan.blows, *(Blow(*one) for one in at_brokers)))
    plan = with_votes(_with_version_before(with_group(plan), Random(f"updates {seed}")))
    return with_styles(with_persons(with_owner(with_rare_blows(with_both_ways(plan)))))


def _with_version_before(plan: Plan, chance: Random) -> Plan:
    """Let some of the processes be the version before, and change while all goes on.

    Only with one edge, as two would both use what the last one has made of pyrogram, and without what the version
    before lacks or does wrong.
    """
    if chance.random() >= VERSIONS or len(plan.edges) > 1 or plan.group:
        return plan
    changes = [
        Blow(round(chance.uniform(0, SAID_UNTIL), 3), VERSION_CHANGED, whom, round(chance.random() / 2, 3))
        for whom in (plan.edges[0], *chance.sample(plan.processes, 2))
        for _ in range(chance.randint(0, 2))
    ]
    before = tuple(name for name in plan.processes if chance.random() < BEFORE)
    mended = {*MENDED_SINCE, *([LOST_BY_BOTS] if plan.edges[0] == BOT else ())}
    known = (blow for blow in plan.blows if blow.what not in mended)
    return replace(plan, before=before, blows=(*known, *changes))


def _with_program(plan: Plan, chance: Random) -> Plan:
    """Add a program that asks over RabbitMQ, and more that goes wrong, to some plans."""
    if chance.random() >= PROGRAM:
        return plan
    codec = chance.choice(CODECS)
    plan = replace(plan, codec=codec, posted=drawn_requests(chance, codec, SAID_UNTIL))
    blows = [_blow(chance, plan) for _ in range(chance.randint(*MORE_BLOWS))]
    return replace(plan, blows=(*plan.blows, *blows), crashes=(*plan.crashes, _crash(chance, plan)))


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


def _crash(chance: Random, plan: Plan) -> Crash:
    """A process with more sites crashes more often."""
    known = {process: _sites_of(process) for process in plan.processes}
    (process,) = chance.choices(list(known), [len(found) for found in known.values()])
    (phase,) = chance.choices(PHASES, PHASE_WEIGHTS)
    chosen = _chosen(chance, known[process], seldom_first=phase == RUNNING)
    since = round(chance.uniform(0, SAID_UNTIL - OVERTAKEN[1]), 3) if phase == RUNNING else 0.0
    by = round(since + chance.uniform(*OVERTAKEN), 3)
    return Crash(process, phase, chosen, since, by, round(chance.uniform(0, 4), 3))


def _chosen(chance: Random, known: Sequence[Site], *, seldom_first: bool) -> tuple[tuple[str, int, int], ...]:
    """Where a process crashes. One that few seeds reach is chosen more often, so that all are crashed at alike."""
    found = []
    for site in known:
        most = OCCASIONS if share(site) >= OFTEN else FEW_OCCASIONS
        if chance.random() < (MET / len(known) / share(site) if seldom_first else OF_A_PHASE):
            found.append((site.file, site.line, chance.randint(1, most if seldom_first else 1)))
    return tuple(found)


@cache
def _sites_of(process: str) -> Sequence[Site]:
    return [site for site in sites() if _runs(process, site.file)]


def _crash_of(given: dict[str, Any]) -> Crash:
    return Crash(**given | {"sites": tuple((file, line, occasion) for file, line, occasion in given["sites"])})


def _runs(process: str, file: str) -> bool:
    """Whether a process of this name runs the file."""
    if file.startswith("edge/"):
        return process == BUSINESS or (process in ("userbot", "bot") and not file.startswith("edge/business"))
    if file.startswith("bridge/"):
        return process in ("bridge", "bridge-in")
    if file.startswith("functions/generate"):
        return process.startswith("generate")
    if file.startswith("functions/worker"):
        return process.startswith("generate") or process == "bridge"  # outwards
    if file.startswith("events/rabbitmq"):
        return process in ("bridge", "bridge-in", "generate-rabbitmq")
    return True
