"""What `<!-- computed: NAME -->` in a page stands for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from benchmarks.sizes import tables
from benchmarks.sizes.day import Waiting, day
from benchmarks.sizes.figures import Measured
from benchmarks.sizes.needs import Assumed, Needs, limits, needs
from benchmarks.sizes.prices import Prices, cost

USERS = (1, 100, 10_000, 1_000_000)


def all_of(
    measured: Measured, assumed: Assumed, prices: Prices, users: Sequence[int] = USERS
) -> Mapping[str, list[str]]:
    """The lines of each table by its name."""
    sizes = [needs(number, measured, assumed) for number in users]
    days = dict(_days(sizes, measured, assumed))
    chosen = {one.users: days[one.users, assumed.lag_threshold] for one in sizes}
    costs = {one.users: cost(one, prices, _core_hours(one, chosen[one.users], measured)) for one in sizes}
    return {
        "limits": list(tables.limits(list(limits(measured, assumed)), assumed)),
        "sizes": list(tables.needs(sizes, assumed)),
        "waits": list(tables.waits(days)),
        "costs": list(tables.costs(costs)),
    }


def _days(sizes: Sequence[Needs], measured: Measured, assumed: Assumed) -> Iterator[tuple[tuple[int, int], Waiting]]:
    """Each, and where there are several workers also with as many questions a worker as it has slots."""
    for one in sizes:
        thresholds = {assumed.lag_threshold, assumed.slots} if one.workers > 1 else {assumed.lag_threshold}
        for threshold in sorted(thresholds):
            yield (one.users, threshold), day(one, measured, replace(assumed, lag_threshold=threshold))


def _core_hours(needed: Needs, found: Waiting, measured: Measured) -> float:
    return found.worker_hours * needed.clusters * measured["worker.cores"]
