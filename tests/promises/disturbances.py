"""What was out of order in a run, and when: what the judge explains a silence with."""

from collections.abc import Collection
from dataclasses import dataclass, field

from tests.promises.lines.disturbances import Disturbance


@dataclass
class Disturbances:
    disturbances: list[Disturbance] = field(default_factory=list)

    def concerning(self, account: str) -> "Disturbances":
        """What one edge could notice."""
        return Disturbances([noted for noted in self.disturbances if noted.account in ("", account)])

    def of(self, *what: str) -> list[Disturbance]:
        return [noted for noted in self.disturbances if noted.what in what]

    def longest(self, begin: float, end: float, *, whom: Collection[str], slack: float) -> float:
        """Seconds of the longest stretch in which one of them was out of order, or had been until `slack` before."""
        longest, start, until = 0.0, begin, begin
        for noted in sorted(self.disturbances, key=lambda noted: noted.began):
            if noted.whom not in whom:
                continue
            if noted.ended + slack <= begin or noted.began >= end:
                continue
            if noted.began > until:
                start = noted.began
            until = max(until, min(noted.ended + slack, end))
            longest = max(longest, until - max(start, begin))
        return longest

    def longest_quiet(self, begin: float, end: float, *, slack: float) -> float:
        """Seconds of the longest stretch in which all was in order, and had been for `slack` before."""
        longest, since = 0.0, begin
        for noted in sorted(self.disturbances, key=lambda noted: noted.began):
            if noted.touches(begin, end, slack=slack):
                longest = max(longest, noted.began - since)
                since = max(since, noted.ended + slack)
        return max(longest, end - since)
