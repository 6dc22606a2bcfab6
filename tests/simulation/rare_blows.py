"""Which blows a plan has that lead where others seldom do. Each family has chances of its own.

`stops.py`, `nats_refusals.py`, `models.py`, `bugs.py`, `backups.py`, `rabbit_faults.py`, `worker_faults.py`,
`late_faults.py`, `unrecorded.py` and `lost_cancellations.py` strike them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from tests.simulation.connections import edges_of
from tests.simulation.plan import SAID_UNTIL, Blow, Plan


@dataclass(frozen=True)
class Family:
    """`kinds`, and how often, compared with each other. `share`: of the seeds that have such blows, `count` of them.

    `outward`: kinds where requests go to workers on RabbitMQ; `inward`: where another program asks over it.
    `plain`: only where there is no RabbitMQ, nor a group, nor a bot that persons have connected.
    `grouped`: only where there is a group.
    """

    name: str
    share: float
    count: tuple[int, int]
    kinds: Mapping[str, int]
    outward: Mapping[str, int] = field(default_factory=dict)
    inward: Mapping[str, int] = field(default_factory=dict)
    plain: bool = False
    grouped: bool = False

    def drawn(self, plan: Plan) -> Iterator[Blow]:
        chance = Random(f"{self.name} blows {plan.seed}")
        if chance.random() >= self.share or (self.plain and not _is_plain(plan)) or (self.grouped and not plan.group):
            return
        kinds = {**self.kinds, **(self.outward if plan.rabbitmq else {}), **(self.inward if plan.codec else {})}
        if not kinds:
            return
        for _ in range(chance.randint(*self.count)):
            (what,) = chance.choices(list(kinds), list(kinds.values()))
            at, whom = round(chance.uniform(0, SAID_UNTIL), 3), chance.choice(plan.edges)
            yield Blow(at, f"{self.name}_{what}", whom, round(chance.random(), 3))


FAMILIES = (
    Family(
        "stop",
        share=0.2,
        count=(1, 2),
        kinds={"slow": 4, "frozen": 3, "connecting": 3},
        outward={"outward": 4},
        inward={"inward": 4},
    ),
    Family(
        "refused",
        share=0.3,
        count=(1, 2),
        kinds={"small": 8, "payload": 2, "forbidden": 2, "unmade": 2, "junk": 1, "setup": 1},
    ),
    Family("model", share=0.25, count=(1, 2), kinds={"mute": 3, "verbose": 3, "down": 2, "immense": 3}),
    Family("bug", share=0.25, count=(1, 3), kinds={"step": 6, "reply": 1}),
    Family(
        "rabbit",
        share=0.6,
        count=(3, 5),
        kinds={},
        outward={
            "alone": 6,
            "aimed": 5,
            "stopping": 3,
            "stopping_anew": 3,
            "given_up": 3,
            "made_anew": 4,
            "handed_back": 4,
        },
        inward={"aimed": 5, "stopping": 3, "stopping_anew": 3, "given_up": 3, "reshaped": 3, "made_anew": 4},
    ),
    Family("backup", share=0.2, count=(1, 1), kinds={"running": 1, "stopped": 1}, plain=True),
    Family(
        "late",
        share=0.1,
        count=(2, 4),
        kinds={"forgotten": 3, "gone_back": 3, "ends_early": 3, "nothing": 2, "unknown": 3, "typing": 4},
    ),
    Family("taken", share=0.2, count=(1, 2), kinds={"muted": 1}, grouped=True),
    Family("worker", share=0.6, count=(1, 3), kinds={}, outward={"stuck": 2, "quick": 3}),
    Family("lost", share=0.15, count=(1, 2), kinds={"stopping": 3, "working": 1}),
)


def _is_plain(plan: Plan) -> bool:
    return not (plan.rabbitmq or plan.codec or plan.group or edges_of(plan.seed))


def with_rare_blows(plan: Plan) -> Plan:
    """Return the plan with those that its seed draws. The version before may not know what to do about them."""
    if plan.has_version_before:
        return plan
    return replace(plan, blows=(*plan.blows, *(blow for family in FAMILIES for blow in family.drawn(plan))))
