"""build/bench.json: each part's figures under its name, and under `runs` where and when each was measured."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUNS = "runs"

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """What one run of a part found, and the facts of that run."""

    figures: Figures
    run: Figures


@dataclass(frozen=True, slots=True)
class Results:
    """The file at `path`; one that is not there has nothing in it."""

    path: Path

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def write(self, name: str, part: Part) -> None:
        """In place of what the part had; the other parts stay."""
        found = self.read()
        self._save({**found, name: part.figures, RUNS: {**found.get(RUNS, {}), name: part.run}})

    def remove(self, name: str) -> None:
        """A part that failed has no figures."""
        found = self.read()
        found.pop(name, None)
        found.get(RUNS, {}).pop(name, None)
        self._save(found)

    def _save(self, found: Mapping[str, object]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
