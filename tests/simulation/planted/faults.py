"""Planted faults: patches that break the product, each in a way that a seed must find."""

import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.simulation.plan import APPROVING, Plan

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
FOUND = HERE / "found.toml"
"""By name: the seed that finds the fault, and the breach."""
PACKAGES = ("bridge", "cli", "edge", "events", "functions", "observability", "tests/promises", "tests/simulation")
LEFT_OUT = shutil.ignore_patterns("voice", "static", "*.patch")
SEEDS = "Seeds: "
"""The line of a patch that says which seeds can find it: words of `can_find`, space-separated."""


@dataclass(frozen=True)
class Fault:
    """`why`: what it breaks, and which commit mended it, if one did. `only`: what a seed needs to find it."""

    name: str
    why: str
    only: tuple[str, ...]

    @property
    def patch(self) -> Path:
        return HERE / f"{self.name}.patch"


def known() -> list[Fault]:
    """Return all of them, by name."""
    return [_read(path) for path in sorted(HERE.glob("*.patch"))]


def found() -> dict[str, dict[str, object]]:
    return tomllib.loads(FOUND.read_text(encoding="utf-8"))


def can_find(fault: Fault, plan: Plan) -> bool:
    """Return whether the plan has what the fault needs."""
    settings, blows = dict(plan.settings), {blow.what for blow in plan.blows}
    has = {
        "rabbitmq": plan.rabbitmq,
        "twin": "triggers" in settings,
        "owner": any(saying.what.startswith("owner_") for saying in plan.sayings),
        "bot": "bot" in plan.edges,
        "live": settings["live"],
        "program": bool(plan.codec),
        "group": bool(plan.group),
        "approve": APPROVING in plan.settings,
        **{f"when_busy={kind}": settings["when_busy"] == kind for kind in ("ignore", "queue")},
    }
    sayings = {saying.what for saying in plan.sayings}
    return all(has[word] if word in has else word in blows | sayings for word in fault.only)


def does_apply(fault: Fault) -> str:
    """Return why not, empty if it does."""
    return _git_apply(fault, ROOT, "--check")


@contextmanager
def planted(fault: Fault) -> Iterator[Path]:
    """Yield a directory with a copy of the product, and of what plays it, that has the fault."""
    with TemporaryDirectory(prefix="planted-") as made:
        directory = Path(made)
        for package in PACKAGES:
            shutil.copytree(ROOT / package, directory / package, ignore=LEFT_OUT)
        shutil.copy(ROOT / "tests" / "__init__.py", directory / "tests" / "__init__.py")
        if why_not := _git_apply(fault, directory):
            raise ValueError(f"{fault.name} does not apply: {why_not}")
        yield directory


def _read(path: Path) -> Fault:
    head = path.read_text(encoding="utf-8").partition("--- a/")[0].splitlines()
    only = next((line.removeprefix(SEEDS).split() for line in head if line.startswith(SEEDS)), [])
    return Fault(path.stem, " ".join(line for line in head if not line.startswith(SEEDS)).strip(), tuple(only))


def _git_apply(fault: Fault, directory: Path, *options: str) -> str:
    done = subprocess.run(
        ["git", "apply", *options, str(fault.patch)], cwd=directory, capture_output=True, text=True, check=False
    )
    return done.stderr.strip() if done.returncode else ""
