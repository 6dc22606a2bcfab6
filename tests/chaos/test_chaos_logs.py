"""What a log or an exit code tells of a process: a flood of lines, and an end that is none of SIGTERM's."""

from types import SimpleNamespace

import pytest

from tests.chaos.chronicle import Chronicle
from tests.chaos.logbook import busiest
from tests.chaos.processes import End
from tests.chaos.report import _bad_ends
from tests.promises.lines.disturbances import Disturbance


def test_a_flood_of_log_lines_is_seen_in_its_ten_seconds(tmp_path) -> None:
    log = tmp_path / "userbot.log"
    lines = [f'{{"event": "x", "time": "2026-11-25T12:00:{second:02}Z"}}\n' for second in [1, 9, 10, 11, 12, 25]]
    log.write_text("".join(lines) + "no json\n")
    assert busiest(log) == 3


@pytest.mark.parametrize(
    ("code", "lived", "away", "is_bad"),
    [
        (0, 60.0, (), False),
        (1, 60.0, ("rabbitmq",), True),
        (1, 2.0, (), True),
        (1, 2.0, ("generate",), True),
        (1, 2.0, ("rabbitmq",), False),
        (-15, 2.0, (), False),
        (-15, 60.0, (), True),
    ],
)
def test_an_exit_code_after_sigterm_is_excused_only_by_a_start_that_could_not_succeed(
    code, lived, away, is_bad
) -> None:
    end = End("bridge", "terminated", code, lived, told_at=99.9, ended_at=100.0)
    chronicle = Chronicle([Disturbance("kill", whom, 90.0, 99.0) for whom in away])
    world = SimpleNamespace(ends=[end], left_behind=[], chronicle=chronicle)
    assert bool(_bad_ends(world)) == is_bad
