"""`timokha moon` runs, and what is wrong is one line with the right exit code."""

import subprocess
import sys

import pytest

from cli.moon import PHASES


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [([], 0, ""), (["--days", "40000"], 1, "are too far away"), (["--days", "-1"], 2, "MOON_DAYS")],
)
def test_it_ends_with_one_line(options: list[str], code: int, said: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "cli", "moon", *options], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ran.returncode, said in ran.stderr) == (code, True)
    assert (ran.stdout.strip() in PHASES) == (code == 0)
    assert len((ran.stdout + ran.stderr).splitlines()) == 1
