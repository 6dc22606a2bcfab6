"""Each planted fault breaks a promise that the product keeps, and a seed finds it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.drawing import drawn
from tests.simulation.planted.faults import FOUND, ROOT, can_find, does_apply, found, known

QUICK = (
    "another_id_each_time",
    "conflict_ignored",
    "expired_is_sent",
    "only_the_newest_piece",
    "worker_waits_for_its_fetch",
)
"""Those that `make test` lets a seed find: five parts of the product, one each. The others are for `make test-full`."""
AGAIN = "make simulate-planted PLANTED={name}"


def searched(names: tuple[str, ...], output: Path) -> dict[str, dict[str, Any]]:
    """Return what the seeds of found.toml, and of a few others, say."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.planted.run"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PLANTED": ",".join(names), "SIM_OUTPUT": str(output)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert output.exists(), done.stderr[-4000:]
    report: dict[str, dict[str, Any]] = json.loads(output.read_text(encoding="utf-8"))
    return report


def test_every_patch_applies() -> None:
    assert {fault.name: why_not for fault in known() if (why_not := does_apply(fault))} == {}


def test_each_fault_is_listed_with_a_seed_that_can_find_it() -> None:
    assert found().keys() == {fault.name for fault in known()}, f"{FOUND} is made by {AGAIN.format(name='...')}"
    for fault in known():
        seed = int(str(found()[fault.name]["seed"]))
        assert 1 <= seed <= 2000
        assert can_find(fault, drawn(seed)), fault.name


@pytest.mark.timeout(600)
def test_seeds_find_what_is_planted_and_nothing_without_it(tmp_path: Path) -> None:
    """A seed counts only if the product without the fault keeps its promises with it."""
    report = searched(QUICK, tmp_path / "planted.json")
    assert {name: "breach" in told for name, told in report.items()} == dict.fromkeys(QUICK, True)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", [fault.name for fault in known() if fault.name not in QUICK])
def test_a_seed_finds_each_other_fault(name: str, tmp_path: Path) -> None:
    assert "breach" in searched((name,), tmp_path / "planted.json")[name], AGAIN.format(name=name)
