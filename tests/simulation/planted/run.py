"""Plant faults and let seeds find them: `make simulate-planted`, all of them; `PLANTED=name,name`: only these.

The seed that has found a fault before goes first (found.toml), then those of SIM_SEEDS, FIRST-LAST, 1-2000, until one
breaks a promise that the product without the fault keeps. Writes build/planted.json (SIM_OUTPUT): the seed, the breach,
and how many seeds were played. Exit code 1 if a fault was not found.
"""

import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.drawing import drawn
from tests.simulation.planted.faults import ROOT, Fault, can_find, found, known, planted

MOST = 2000
"""Seeds within which each fault has to be found."""
CHUNK = 10
"""Seeds that a process of Python plays before the next one takes over: what crashed in them is never freed."""
OURS = ("bridge", "cli", "edge", "events", "functions", "observability", "tests")
VENDORS = ("aio_pika", "aiolimiter", "fluent.runtime", "nats.js", "pydantic_settings", "pyrogram", "structlog")
"""What takes long to import, and is the same with and without the fault."""


def main() -> int:
    if os.environ.get("PYTHONHASHSEED") != "0":  # as in tests.simulation.run
        os.execve(sys.executable, [sys.executable, "-m", __spec__.name], os.environ | {"PYTHONHASHSEED": "0"})
    for vendor in VENDORS:
        importlib.import_module(vendor)
    wanted = (os.environ.get("PLANTED") or ",".join(fault.name for fault in known())).split(",")
    first, _, last = (os.environ.get("SIM_SEEDS") or f"1-{MOST}").partition("-")
    report = {}
    for fault in known():
        if fault.name in wanted:
            told = report[fault.name] = search(fault, range(int(first), int(last or first) + 1))
            print(f"{fault.name}: {told}", flush=True)
    output = Path(os.environ.get("SIM_OUTPUT") or "build/planted.json")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    missed = [name for name, told in report.items() if "breach" not in told]
    print(f"{len(report) - len(missed)} of {len(report)} found; {', '.join(missed) or 'none'} missed; {output}")
    return 1 if missed or len(report) < len(wanted) else 0


def search(fault: Fault, seeds: Sequence[int]) -> dict[str, object]:
    """Return the seed that finds the fault, and the breach; how many were played in any case."""
    before = int(str(found().get(fault.name, {}).get("seed", 0)))
    order = (seed for seed in (before, *seeds) if seed and (seed == before or can_find(fault, drawn(seed))))
    played = 0
    with planted(fault) as directory:
        while chunk := list(islice(order, 1 if not played and before else CHUNK)):
            for seed, breaches in _play(directory, chunk):
                played += 1
                if breaches and (new := _new(breaches, seed)):
                    return {"seed": seed, "breach": new[0], "seeds": played}
    return {"seeds": played}


def _new(breaches: list[str], seed: int) -> list[str]:
    """Return those of a kind that the product without the fault does not have with this seed."""
    kinds = {_kind(breach) for _, found in _play(ROOT, [seed]) for breach in found}
    return [breach for breach in breaches if _kind(breach) not in kinds]


def _kind(breach: str) -> str:
    return breach.partition(":")[0].partition(" ")[0]


def _play(directory: Path, seeds: list[int]) -> Iterator[tuple[int, list[str]]]:
    """Yield the breaches of each seed up to the first that has any, of the product in `directory`."""
    with get_context("fork").Pool(1, _move_to, (str(directory),)) as pool:
        for seed in seeds:
            breaches = pool.apply(_breaches, (seed,))
            yield seed, breaches
            if breaches:
                return


def _move_to(directory: str) -> None:
    """Import what is in this directory from now on, and nothing of ours from elsewhere."""
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.path[:] = [directory, *(path for path in sys.path if Path(path or ".").resolve() != ROOT)]
    sys.path_importer_cache.clear()


def _breaches(seed: int) -> list[str]:
    drawing, run = (importlib.import_module(f"tests.simulation.{name}") for name in ("drawing", "run"))
    return list(run.outcome_of(drawing.drawn(seed)).breaches)


if __name__ == "__main__":
    sys.exit(main())
