"""How soon after a kill questions are answered again."""

import statistics
from collections.abc import Sequence

from tests.chaos.edges import Edge
from tests.chaos.storm import Storm
from tests.chaos.users import Crowd, of_edge


def recoveries(storm: Storm, crowd: Crowd, edge: Edge) -> list[float]:
    """Seconds from each kill that concerned the edge to the first outcome of a question that it was asked later."""
    asked, found = of_edge(crowd, edge), []
    for killed_at, account in storm.killed_at:
        if account not in ("", edge.kind):
            continue
        later = [q.answered_at for q in asked if q.asked_at > killed_at and q.answered_at is not None]
        if later:
            found.append(min(later) - killed_at)
    return found


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {"p50": 0.0, "p99": 0.0}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [seconds[0]] * 99
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}
