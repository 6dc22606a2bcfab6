"""Seeds in which persons have connected a bot; only kurigram knows that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.sandbox.business_types import HAS_BUSINESS
from tests.simulation.connections import edges_of

pytestmark = pytest.mark.skipif(not HAS_BUSINESS, reason="pyrogram knows no business connections; kurigram does")
ROOT = Path(__file__).parents[2]
SEEDS = [seed for seed in range(1, 40) if edges_of(seed)]
"""The share of `.ci/run`."""


@pytest.mark.timeout(300)
def test_every_promise_is_kept_with_seeds_in_which_persons_have_connected_a_bot() -> None:
    play = (
        "import sys; from tests.simulation.drawing import drawn; from tests.simulation.run import outcome_of\n"
        "outcomes = [outcome_of(drawn(int(seed))) for seed in sys.argv[1:]]\n"
        "assert sum(one.questions['answered_once'] for one in outcomes) > 5 * len(outcomes), 'too few answers'\n"
        "sys.exit('\\n'.join(f'seed {one.seed}: {breach}' for one in outcomes for breach in one.breaches) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", play, *map(str, SEEDS)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
