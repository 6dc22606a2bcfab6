"""Change the pure rules, in one place at a time, and see whether a test fails: `make mutants`.

mutmut makes the changes and runs the tests, as pyproject.toml says, in build/mutants: a copy of this checkout, made
anew each time. MUTANTS: only those of these functions, as in `MUTANTS="edge.userbot.rules.* edge.userbot.triggers.*"`.
MUTANTS_AT_ONCE: how many are tested at a time, by default one a core. Writes build/mutants.json: how many of each file
were killed, and the survivors, those first that docs/mutants.md does not list. Exit code 1 if too few are killed.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

from tests.mutants.survivors import Survivor, listed

ROOT = Path(__file__).parents[2]
COPY = ROOT / "build/mutants"
REPORT = ROOT / "build/mutants.json"
PAGE = ROOT / "docs/mutants.md"
FLOOR = 85.0
"""Percent of the mutants that are killed at least."""
KILLED = {"killed", "timeout", "segfault"}


def main() -> int:
    wanted = (os.environ.get("MUTANTS") or "").split()
    copy_checkout()
    ran = subprocess.run(mutmut(*wanted), cwd=COPY, check=False)
    if ran.returncode:
        return ran.returncode
    os.chdir(COPY)  # where mutmut looks for its results
    statuses, survivors = read_results()
    killed, tested = (sum(counts) for counts in zip(*statuses.values(), strict=True))
    share = 100 * killed / max(tested, 1)
    known = set(listed(PAGE.read_text(encoding="utf-8")))
    survivors.sort(key=lambda survivor: survivor in known)
    write(share, statuses, survivors)
    new = [survivor for survivor in survivors if survivor not in known]
    print(*new, f"{killed} of {tested} mutants killed, {share:.1f} %; {len(new)} survivors", sep="\n", end="")
    print(f" that docs/mutants.md does not list, {len(survivors) - len(new)} that it does; {REPORT.relative_to(ROOT)}")
    return 0 if share >= FLOOR else 1


def copy_checkout() -> None:
    """Copy what git has, or would take."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    shutil.rmtree(COPY, ignore_errors=True)
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)


def mutmut(*wanted: str) -> list[str]:
    """Return the command that tests the mutants of these functions, all of them if none is named."""
    at_once = os.environ.get("MUTANTS_AT_ONCE") or str(os.cpu_count() or 1)
    return [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", at_once, *wanted]


def read_results() -> tuple[dict[str, tuple[int, int]], list[Survivor]]:
    """Return for each file how many mutants were killed and tested, and those that were not killed."""
    counts, survivors = {}, []
    for path in walk_mutatable_files():
        results = dict(_results(path))
        left = [name for name, status in results.items() if status not in KILLED]
        counts[str(path)] = (len(results) - len(left), len(results))
        survivors += [Survivor.of(name, get_diff_for_mutant(name, path=path)) for name in left]
    return counts, survivors


def _results(path: Path) -> Iterator[tuple[str, str]]:
    data = SourceFileMutationData(path=path)
    data.load()
    for name, exit_code in data.exit_code_by_key.items():
        if (status := status_by_exit_code[exit_code]) != "not checked":
            yield name, status


def write(share: float, counts: dict[str, tuple[int, int]], survivors: list[Survivor]) -> None:
    files = {path: {"killed": killed, "of": of} for path, (killed, of) in counts.items() if of}
    report = {"percent": round(share, 1), "files": files, "survivors": [asdict(survivor) for survivor in survivors]}
    REPORT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
