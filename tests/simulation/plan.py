"""What happens in a seed: who says what and when, and what goes wrong. It is data, so that a failing one can shrink."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from edge.userbot.people import WROTE_FIRST
from tests.simulation.connections import process_of
from tests.simulation.requests import EVENTS, Posted

SAID_UNTIL = 30.0
"""Seconds, virtual ones, in which everything is said and goes wrong."""
STARTING, RUNNING, ENDING = PHASES = "starting", "running", "ending"
"""When a crash comes: before all edges have been ready, afterwards, or while everything is told to end."""
AIMED = "aimed"
"""Or at any of these times, and only where it is planned."""
COMMAND = "setup"
"""A process that does one thing, and ends with an error if it can't."""
VERSION_CHANGED = "version_changed"
APPROVING = ("approve", "listed")
"""The setting with which the answers of some users need approval."""
APPROVE_FOR = 5
"""Seconds that an owner has for it."""


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


def _crash_of(given: dict[str, Any]) -> Crash:
    return Crash(**given | {"sites": tuple((file, line, occasion) for file, line, occasion in given["sites"])})
