"""The simulation as a whole: a seed replays byte for byte, and every promise is kept with each of many seeds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.promises.jsonl import read
from tests.promises.linearizable import OK
from tests.promises.lines.messages import Asked
from tests.promises.lines.stored import Update
from tests.simulation.drawing import drawn

ROOT = Path(__file__).parents[2]
SEEDS, AIMED = "1-100", "60"
"""The share of `make test`, and how many aimed plays at most."""


def test_a_seed_replays_byte_for_byte_in_another_process_from_the_file_of_its_plan(tmp_path: Path) -> None:
    """With the hashes of texts that `tests.simulation.run` sees to: others change the order of sets somewhere."""
    plan = tmp_path / "plan.json"
    plan.write_text(drawn(3).to_json(), encoding="utf-8")
    first = tmp_path / "first.jsonl"
    play = (
        "import sys; from pathlib import Path; from tests.promises.jsonl import write;"
        " from tests.simulation.plan import Plan; from tests.simulation.play import play;"
        " write(play(Plan.from_json(Path(sys.argv[1]).read_text())).history, Path(sys.argv[2]))"
    )
    python("-c", play, str(plan), str(first), PYTHONHASHSEED="0")
    python("-m", "tests.simulation.run", SIM_PLAN=str(plan), SIM_OUTPUT=str(tmp_path / "simulation.json"))
    assert first.read_bytes() == (tmp_path / "simulation-3.history.jsonl").read_bytes()
    history = read(first)
    assert len(history.of(Asked)) >= 12
    assert any(update.result == OK for update in history.of(Update))


def python(*arguments: str, **environment: str) -> str:
    """Return what it says, and see to it that all went well."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.timeout(900)
def test_every_promise_is_kept_with_each_of_many_seeds(tmp_path: Path) -> None:
    python(
        "-m",
        "tests.simulation.run",
        SIM_SEEDS=SEEDS,
        SIM_AIMED=AIMED,
        SIM_SHRUNK="0",
        SIM_OUTPUT=str(tmp_path / "simulation.json"),
    )
