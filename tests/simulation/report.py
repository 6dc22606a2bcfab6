"""What came of many seeds, and where a crash has met the product in them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.simulation.await_sites import Site, sites
from tests.simulation.plan import Plan


@dataclass
class Outcome:
    """What came of one plan. `breaches`: a line each, empty if every promise was kept. `hit`, `came`: as of Crashes."""

    plan: Plan
    breaches: list[str]
    questions: Counter[str]
    hit: Counter[Site]
    came: dict[Site, str]
    steps: int


@dataclass
class Report:
    """`reached`: by site, the first seed that came there, and its process. `aimed`: how many plays were aimed."""

    seeds: int = 0
    aimed: int = 0
    steps: int = 0
    questions: Counter[str] = field(default_factory=Counter)
    hit: Counter[Site] = field(default_factory=Counter)
    reached: dict[Site, tuple[int, str]] = field(default_factory=dict)
    failed: list[Outcome] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        self.seeds += 1
        self._count(outcome)
        for site, process in outcome.came.items():
            self.reached.setdefault(site, (outcome.plan.seed, process))

    def take_aimed(self, outcome: Outcome) -> None:
        self.aimed += 1
        self._count(outcome)

    def missed(self) -> Iterator[Site]:
        """Yield the sites that no crash has met so far."""
        return (site for site in sites() if not self.hit[site])

    def denied(self) -> list[Site]:
        """Return where a process came to wait although nothing can, as `suspending.py` says."""
        return sorted(set(self.reached) - set(sites()))

    def to_json(self, seconds: float) -> dict[str, object]:
        """Return all of it; `seconds`: how long it took."""
        missed = list(self.missed())
        return {
            "seeds": self.seeds,
            "aimed": self.aimed,
            "seconds": round(seconds, 1),
            "plays_an_hour": round((self.seeds + self.aimed) / seconds * 3600),
            "steps": self.steps,
            "questions": {kind: count for kind, count in self.questions.items() if count},
            "failed": {outcome.plan.seed: outcome.breaches for outcome in self.failed},
            "sites": len(sites()),
            "sites_reached": sum(site in self.reached for site in sites()),
            "sites_hit": round(1 - len(missed) / len(sites()), 4),
            "sites_missed": _named(missed),
            "sites_denied": _named(self.denied()),
            "crashes_by_site": {str(site): self.hit[site] for site in sites()},
        }

    def _count(self, outcome: Outcome) -> None:
        self.steps += outcome.steps
        self.questions.update(outcome.questions)
        self.hit.update(outcome.hit)
        if outcome.breaches:
            self.failed.append(outcome)


def _named(found: Iterable[Site]) -> list[str]:
    return [str(site) for site in found]
