"""What the storm did, and when: what the judge explains a silence with."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

FOR_EVER = float("inf")


@dataclass
class Disturbance:
    """Something was out of order from `began` to `ended`, in seconds of the monotonic clock.

    `what` is the kind of fault, `whom` a kind of process, `telegram`, or a stream's name. `account`: the kind of the
    only edge that it concerned, if there is one.
    """

    what: str
    whom: str
    began: float
    ended: float = FOR_EVER
    account: str = ""

    def touches(self, begin: float, end: float, *, slack: float = 0.0) -> bool:
        return self.began <= end and self.ended + slack >= begin


@dataclass
class Chronicle:
    disturbances: list[Disturbance] = field(default_factory=list)

    @contextmanager
    def during(self, what: str, whom: str, account: str = "") -> Iterator[Disturbance]:
        noted = Disturbance(what, whom, time.monotonic(), account=account)
        self.disturbances.append(noted)
        try:
            yield noted
        finally:
            noted.ended = time.monotonic()

    def concerning(self, account: str) -> "Chronicle":
        """What one edge could notice."""
        return Chronicle([noted for noted in self.disturbances if noted.account in ("", account)])

    def of(self, *what: str) -> list[Disturbance]:
        return [noted for noted in self.disturbances if noted.what in what]

    def write(self, path: Path) -> None:
        """A line each, in UTC, to lay beside the logs."""
        ahead = time.time() - time.monotonic()
        lines = [
            f"{datetime.fromtimestamp(noted.began + ahead, UTC):%H:%M:%S.%f} {noted.ended - noted.began:6.2f} s  "
            f"{noted.what} {noted.whom} {noted.account}".rstrip()
            + "\n"
            for noted in self.disturbances
        ]
        path.write_text("".join(lines))

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
