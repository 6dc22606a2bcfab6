"""Every process ends when it is told to."""

from collections.abc import Iterator

from tests.promises.history import History
from tests.promises.lines.processes import FORCED, Process


def late_endings(history: History) -> Iterator[str]:
    for end in history.of(Process):
        if end.how == FORCED or (end.told_at is not None and end.ended_at is None):
            yield f"forced kill: {end.process} had not ended in time"
        elif end.told_at is not None and end.ended_at is not None:
            took = end.ended_at - end.told_at
            if took > end.within:
                yield f"{end.process} took {took:.1f} s to end, {end.within:.1f} allowed"
