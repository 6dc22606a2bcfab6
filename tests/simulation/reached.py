"""In which share of the seeds a process comes to wait at a site, from a table that `python -m` this module measures.

    python -m tests.simulation.reached 1-40

A plan chooses where to crash by it. A function whose sites have changed since is not in the table, and counts as one
that seeds seldom reach, as does everything new: an old table costs seeds, and nothing else.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.simulation.await_sites import Site, sites, suspended_at
from tests.simulation.processes import SimulatedTask

TABLE = Path(__file__).with_name("reached.json")
LEAST = 0.04
"""The share of what no seed of the measurement reached."""


def share(site: Site) -> float:
    """Return it, from LEAST to 1."""
    return _shares().get(site, LEAST)


@cache
def _shares() -> Mapping[Site, float]:
    measured = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    found = {}
    for name, known in _by_function().items():
        shares = measured.get(name, [])
        if len(shares) == len(known):
            found.update({site: max(one, LEAST) for site, one in zip(known, shares, strict=True)})
    return found


def _by_function() -> Mapping[str, list[Site]]:
    found: dict[str, list[Site]] = defaultdict(list)
    for site in sites():
        found[f"{site.file} {site.function}"].append(site)
    return found


def main(seeds: str) -> None:
    """Play seeds and write the table."""
    from tests.simulation import play  # plans are drawn with this module
    from tests.simulation.drawing import drawn

    first, _, last = seeds.partition("-")
    counts: Counter[Site] = Counter()
    for seed in range(int(first), int(last) + 1):
        came: set[Site] = set()
        play.play(drawn(seed), look=lambda task, came=came: _note(task, came))
        counts.update(came)
    total = int(last) + 1 - int(first)
    table = {name: [round(counts[site] / total, 2) for site in known] for name, known in _by_function().items()}
    lines = [f"{json.dumps(name)}: {json.dumps(shares)}" for name, shares in table.items() if any(shares)]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{sum(map(bool, counts.values()))} of {len(sites())} sites were reached by {total} seeds")


def _note(task: SimulatedTask, came: set[Site]) -> None:
    if not task.done():
        came.update(suspended_at(task))


if __name__ == "__main__":
    main(*sys.argv[1:])
