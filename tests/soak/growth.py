"""What grew, and whether that may be: slopes of all series over a span of time."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tests.soak.processes import SANDBOX
from tests.soak.sampling import Series
from tests.soak.slopes import HOUR, Samples, later_half, slope, thirds

LONG = 0.95
"""The share of the span from which a life is a long one."""
MOST = {"handles": 6.0, "threads": 2.0, "tasks": 6.0, "private": 8.0 * 1024 * 1024}
"""That may be added in an hour, in both halves of the span."""
MOST_BLOCKS = 0.5
"""That may be added for each question. Their slope would be that of garbage which waits to be collected."""
MADE_ONCE = 2000
"""Blocks that are added whatever is asked, e.g. with the first fault of a kind."""
NOT_OURS = ("nats", "rabbitmq", SANDBOX)
"""Brokers' memory is theirs; the sandbox keeps all messages, for the judge."""


MOST_LEFT = {"blocks": (1, 0.5), "private": (3, 1024.0), **dict.fromkeys(("tasks", "handles", "threads"), (1, 0.001))}
"""The rounds before it is counted, in which memory is shared out, and how much a question may leave in a process.

One object that is kept is a block or more.
"""
Rounds = list[tuple[int, dict[str, Any]]]
"""How many questions had been asked, and what the process had then."""


@dataclass(frozen=True)
class Growth:
    """`levels`: the medians of the first, the second and the last third; slopes are an hour's."""

    levels: list[float]
    slope: float
    later_slope: float

    def exceeds(self, most: float) -> bool:
        """Whether it grows faster than that, and still does in the second half."""
        return min(self.slope, self.later_slope) > most

    def told(self) -> dict[str, object]:
        return {name: value if name == "levels" else round(value, 3) for name, value in asdict(self).items()}


def growths(series: Series, begin: float, end: float) -> dict[str, Growth]:
    """By measure, of the samples within the span."""
    within = {name: [one for one in samples if begin <= one[0] <= end] for name, samples in series.items()}
    return {name: _growth(samples) for name, samples in within.items() if len(samples) > 1}


def _growth(samples: Samples) -> Growth:
    return Growth(thirds(samples), slope(samples), slope(later_half(samples)))


def long_lives(lives: Mapping[tuple[str, int], Series], begin: float, end: float) -> dict[str, dict[str, Growth]]:
    """The processes that lived nearly all of the span, by name."""
    return {
        name: growths(series, begin, end)
        for (name, _), series in lives.items()
        if _lived(series["rss"], begin, end) >= LONG * (end - begin)
    }


def _lived(samples: Samples, begin: float, end: float) -> float:
    within = [at for at, _ in samples if begin <= at <= end]
    return within[-1] - within[0] if within else 0.0


def faults(lives: Mapping[str, Mapping[str, Growth]]) -> list[str]:
    """One line for each measure of our processes that grows without bound."""
    return [
        f"{name}: {measure} grow by {growth.slope:.1f} an hour, {growth.later_slope:.1f} in the second half"
        for name, measures in lives.items()
        for measure, growth in measures.items()
        if name not in NOT_OURS and measure in MOST and growth.exceeds(MOST[measure])
    ]


def kept(added_blocks: Mapping[str, int], questions: int) -> list[str]:
    """One line for each process that has more blocks of memory, without garbage, than so many questions may leave."""
    return [
        f"{name}: {added} blocks more after {questions} questions"
        for name, added in added_blocks.items()
        if added > MADE_ONCE + MOST_BLOCKS * questions
    ]


def leaks(name: str, rounds: Rounds) -> list[str]:
    """One line for each measure of which questions leave something, with the types of which there are more."""
    before, after = rounds[0][1]["types"], rounds[-1][1]["types"]
    more = {kind: count - before.get(kind, 0) for kind, count in after.items() if count > before.get(kind, 0)}
    left = {
        measure: slope([(asked, counts[measure]) for asked, counts in rounds[warm_up:]]) / HOUR
        for measure, (warm_up, _) in MOST_LEFT.items()
    }
    return [
        f"{name}: a question leaves {per_question:.3f} {measure}; more objects: {more}"
        for measure, per_question in left.items()
        if per_question > MOST_LEFT[measure][1]
    ]
