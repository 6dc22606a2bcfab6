"""A record's compare-and-set updates have one order in which each builds on the one before it.

Revisions are the store's: they grow, with gaps. An update whose answer was lost may have happened or not. A store that
is emptied begins anew: its keys are others.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.promises.history import History
from tests.promises.lines.stored import Update

NONE = 0
"""The revision of a record that is not there yet."""
OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
REMOVED = "removed"
"""Not an update: the record was removed, up to the revision that was expected. It may have been cut short."""


def not_linearizable(history: History) -> Iterator[str]:
    by_key: dict[str, list[Update]] = defaultdict(list)
    for update in history.of(Update):
        by_key[update.key].append(update)
    for key, updates in by_key.items():
        yield from (f"register {key}: {why}" for why in (*_unfounded(updates), *_against_time(updates)))
        yield from (f"register {key}: {why}" for why in _refused_wrongly(updates))


def _done(updates: Sequence[Update]) -> list[tuple[int, Update]]:
    """Those that certainly happened, in the order of their revisions."""
    done = [(one.revision, one) for one in updates if one.result == OK and one.revision is not None]
    return sorted(done, key=lambda pair: pair[0])


def _unfounded(updates: Sequence[Update]) -> Iterator[str]:
    """What does not build on the one before it, perhaps by way of some whose answer was lost."""
    lost, before = [one for one in updates if one.result in (UNKNOWN, REMOVED)], NONE
    for revision, update in _done(updates):
        if revision in (before, update.expected) or revision < update.expected:
            yield f"revision {revision} does not follow {max(before, update.expected)}"
        elif not _leads(before, update.expected, [one for one in lost if one.began <= update.ended]):
            yield f"revision {revision} builds on {update.expected}, while {before} came before it"
        elif any(_had_removed(one, update) for one in updates):
            yield f"revision {revision} builds on {update.expected}, which was removed"
        before = revision


def _leads(before: int, base: int, lost: Sequence[Update]) -> bool:
    """Whether updates whose answers were lost can have made `base` of `before`: what they made is not known.

    A record that was removed begins anew.
    """
    if base == NONE and any(one.result == REMOVED and one.expected >= before for one in lost):
        return True
    return base == before or (before < base and any(one.expected == before for one in lost))


def _had_removed(removed: Update, update: Update) -> bool:
    """Whether what the update builds on was gone when it began."""
    return removed.result == REMOVED and NONE < update.expected <= removed.expected and removed.ended < update.began


def _against_time(updates: Sequence[Update]) -> Iterator[str]:
    """What was over before the one that it builds on had begun."""
    for (older, first), (revision, second) in pairwise(_done(updates)):
        if second.ended < first.began:
            yield f"revision {revision} was there before {older}"


def _refused_wrongly(updates: Sequence[Update]) -> Iterator[str]:
    """A refusal while the record had the revision that was expected, all the time."""
    made = {revision: update.ended for revision, update in _done(updates)} | {NONE: 0.0}
    for refused in (one for one in updates if one.result == FAILED):
        others = (one for one in updates if one.expected == refused.expected and one.result != FAILED)
        was_there = made.get(refused.expected, refused.began) < refused.began
        if was_there and not any(other.began < refused.ended for other in others):
            yield f"an update of revision {refused.expected} was refused, though that was the latest"
