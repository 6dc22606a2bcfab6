"""The measured figures that sizes follow from: those of build/bench.json, else those that docs/scaling.md has."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from benchmarks.results import Results
from benchmarks.targets import flat

RESULTS, PAGE = Path("build/bench.json"), Path("docs/scaling.md")
PART = "capacity"
_ROW = re.compile(rf"^\| `{PART}\.([\w.]+)` \| ([\d.]+) \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Measured:
    """The keys of `capacity`, flat: `nats_3.per_second` and so on."""

    values: Mapping[str, float]

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        return cls({key.removeprefix(f"{PART}."): float(value) for key, value in flat({PART: figures})})

    @classmethod
    def newest(cls) -> Self:
        """Of this machine if they were measured here, else of the page."""
        found = Results(RESULTS).read()
        return cls.of(found[PART]) if PART in found else cls.published(PAGE.read_text(encoding="utf-8"))

    @classmethod
    def published(cls, page: str) -> Self:
        return cls({name: float(value) for name, value in _ROW.findall(page)})

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def answers_per_second(self, at_once: int) -> float:
        """What a worker writes with so many at once, by the processor time of an answer: all its cores are busy then.

        Between two measured crowds in proportion, beyond them as there.
        """
        prefix = "worker.cpu_seconds_"
        crowds = sorted(int(name.removeprefix(prefix)) for name in self.values if name.startswith(prefix))
        for low, high in pairwise(crowds):
            if low <= at_once <= high:
                below, above = (self["worker.cores"] / self[f"{prefix}{crowd}"] for crowd in (low, high))
                return below + (above - below) * (at_once - low) / (high - low)
        return self["worker.cores"] / self[f"{prefix}{crowds[0] if at_once < crowds[0] else crowds[-1]}"]
