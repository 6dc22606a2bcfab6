"""What a command shows of how far it is, in a terminal and where there is none."""

import io
from datetime import timedelta

import pytest
from rich.console import Console
from rich.progress import Progress

from events.runtime.clock import SystemClock
from training.progress import LINE_INTERVAL, progress_bars


class Ticking(SystemClock):
    """Time passes when it is told to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


def lines(clock: Ticking, steps: int, seconds: float) -> list[str]:
    written = io.StringIO()
    with progress_bars(Console(file=written, width=40), clock) as shown:
        with shown.stage("Loading [the] model"):
            pass
        with shown.stage("Training", steps) as stage:
            for step in range(1, steps + 1):
                clock.time += seconds
                stage.update(step, f"loss {1 / step:.3f}")
                with shown.stage("Validating", 2) as inner:
                    inner.advance()
    assert written.getvalue().isprintable() or set(filter(lambda c: not c.isprintable(), written.getvalue())) == {"\n"}
    return written.getvalue().splitlines()


def test_where_there_is_no_terminal_each_stage_is_a_line_and_how_far_it_is_one_now_and_then(clock):
    assert lines(clock, 4, LINE_INTERVAL / 2) == [
        "Loading [the] model",
        "Training: 0/4",
        "Training: 2/4, 0:00:30 left, loss 0.500",
        "Training: 4/4, loss 0.250",
    ]
    assert len(lines(clock, 10_000, 0.001)) == 3


@pytest.mark.parametrize("slow", [0, 90])
def test_the_time_left_is_that_of_the_pace_since_the_first_update(clock, slow):
    with progress_bars(Console(quiet=True), clock) as shown, shown.stage("Training", 11, done=0) as stage:
        assert stage.seconds_left is None
        clock.time += slow  # what is compiled or read first
        stage.update(1)
        assert stage.seconds_left is None
        clock.time += 4
        stage.update(3)
        assert stage.seconds_left == 16
        clock.time += 10
        assert stage.seconds_left == 6
        clock.time += 10
        assert stage.seconds_left == 0


def test_what_was_done_before_is_no_part_of_the_pace(clock):
    with progress_bars(Console(quiet=True), clock) as shown, shown.stage("Training", 100, done=50) as stage:
        stage.update(50)
        clock.time += 10
        stage.update(60)
        assert stage.seconds_left == 40


def test_each_update_may_end_the_work(clock):
    def check():
        raise InterruptedError

    with progress_bars(Console(quiet=True), clock, check) as shown, shown.stage("Encoding", 2) as stage:
        stage.show(1)
        with pytest.raises(InterruptedError):
            list(stage.track("ab"))


@pytest.mark.parametrize("width", [60, 80, 200])
def test_in_a_terminal_each_stage_is_one_line_however_wide_it_is(clock, width):
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=width, legacy_windows=False, color_system=None)
    with progress_bars(console, clock) as shown:
        with shown.stage("Encoding validation", 2) as stage:
            stage.advance()
        with shown.stage("Training", 907) as stage:
            stage.update(1)
            clock.time += timedelta(seconds=2).total_seconds()
            stage.update(2, "loss 3.561 (val. 3.586)")
    last = written.getvalue().rpartition("\x1b[2K")[2].splitlines()
    assert [line.split()[0] for line in last[:2]] == ["Encoding", "Training"]
    assert len(last) == 3  # the cursor is shown again
    assert "2/907, 0:30:10 left, loss" in last[1]
    assert "3.561 (val. 3.586)" in last[1] or width < 80


def test_a_bar_fills_although_its_total_is_known_only_later(clock, monkeypatch):
    drawn = []
    monkeypatch.setattr(Progress, "update", lambda self, task, **given: drawn.append(given))
    with (
        progress_bars(Console(file=io.StringIO(), force_terminal=True), clock) as shown,
        shown.stage("Training") as stage,
    ):
        stage.total = 10
        stage.update(5)
    assert drawn[0] == {"total": 10, "completed": 5}
