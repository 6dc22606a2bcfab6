"""Show progress: a bar with the time left in a terminal or a notebook, elsewhere a plain line every 30 seconds."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.text import Text

from events.errors import TimokhaError
from events.runtime.clock import Clock
from events.runtime.terminal import drawing

T = TypeVar("T")
Stopped = Callable[[], bool]
"""Returns whether the work is to stop."""
LINE_INTERVAL = 30.0
"""Minimum seconds between two plain lines about one stage."""
_PER_SECOND = 4
_WIDTH = 10


@dataclass(slots=True)
class ProgressStage:
    """A step of a command. `update` is cheap and raises what the command's `check` raises."""

    name: str
    total: float | None
    """In the unit of `done`; None if unknown."""
    clock: Clock
    display: "_Display"
    check: Callable[[], None]
    done: float = 0
    note: str = ""
    _counted: tuple[float, float] | None = field(default=None, init=False)
    """(done, time) at the first update; the work before it is often slower, so it does not count for the pace."""
    _updated: float = field(default=0, init=False)

    def update(self, done: float, note: str | None = None) -> None:
        """Set how much of `total` is done, and a `note` such as the loss."""
        self.check()
        self.show(done, note)

    def show(self, done: float, note: str | None = None) -> None:
        """Do the same as `update`, without the check."""
        self.done = done
        self.note = self.note if note is None else note
        self._updated = self.clock.monotonic()
        self._counted = self._counted or (done, self._updated)
        self.display.update_stage(self)

    def advance(self, count: float = 1) -> None:
        self.update(self.done + count)

    def track(self, items: Iterable[T]) -> Iterator[T]:
        """Yield `items`, and count each as done."""
        for item in items:
            yield item
            self.advance()

    @property
    def seconds_left(self) -> float | None:
        """Return the seconds left at the pace so far, or None if that is not known yet."""
        if self.total is None or self._counted is None or self.done <= self._counted[0]:
            return None
        pace = (self._updated - self._counted[1]) / (self.done - self._counted[0])
        return max((self.total - self.done) * pace - (self.clock.monotonic() - self._updated), 0)


class ProgressBars:
    """Shows the stages of a command, which follow one another or are nested."""

    def __init__(self, display: "_Display", clock: Clock, check: Callable[[], None]) -> None:
        self._display = display
        self._clock = clock
        self.check = check
        self._depth = 0

    @contextmanager
    def stage(self, name: str, total: float | None = None, *, done: float = 0) -> Iterator[ProgressStage]:
        """Show the stage `name` while the block runs; a nested stage disappears when it ends."""
        stage = ProgressStage(name, total, self._clock, self._display, self.check, done)
        self._display.begin_stage(stage, inner=self._depth > 0)
        self._depth += 1
        try:
            yield stage
        finally:
            self._depth -= 1
            self._display.end_stage(stage, inner=self._depth > 0)


@contextmanager
def progress_bars(console: Console, clock: Clock, check: Callable[[], None] = lambda: None) -> Iterator[ProgressBars]:
    """Show stages on `console` while the block runs; `check` may raise to end the work."""
    if not (console.is_interactive or console.is_jupyter):
        yield ProgressBars(_LineDisplay(console, clock), clock, check)
        return
    columns = (_NameColumn(), BarColumn(bar_width=_WIDTH), _StateColumn())
    with drawing(console.file), Progress(*columns, console=console, refresh_per_second=_PER_SECOND) as progress:
        yield ProgressBars(_BarDisplay(progress), clock, check)
        progress.refresh()  # in a notebook rich skips the last update


def say(console: Console, line: str) -> None:
    """Print `line` unchanged: without markup, wrapping or colour."""
    console.print(line, soft_wrap=True, highlight=False, markup=False, emoji=False)


def check(stopped: Stopped) -> None:
    """Raise TimokhaError if `stopped`."""
    if stopped():
        raise TimokhaError("stopped before the end, nothing was written: run it again")


class _Display(Protocol):
    def begin_stage(self, stage: ProgressStage, *, inner: bool) -> None: ...

    def update_stage(self, stage: ProgressStage) -> None: ...

    def end_stage(self, stage: ProgressStage, *, inner: bool) -> None: ...


class _NameColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(task.description, overflow="ellipsis", no_wrap=True)


class _StateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(_describe(task.fields["stage"]), overflow="ellipsis", no_wrap=True)


class _BarDisplay:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[int, TaskID] = {}

    def begin_stage(self, stage: ProgressStage, *, inner: bool) -> None:
        name = f"  {stage.name}" if inner else stage.name
        self._tasks[id(stage)] = self._progress.add_task(
            name, total=stage.total, completed=int(stage.done), stage=stage
        )

    def update_stage(self, stage: ProgressStage) -> None:
        self._progress.update(self._tasks[id(stage)], total=stage.total, completed=stage.done)

    def end_stage(self, stage: ProgressStage, *, inner: bool) -> None:
        task = self._tasks.pop(id(stage))
        if inner:
            self._progress.remove_task(task)
        else:
            self._progress.update(task, total=stage.total or 1, completed=stage.done if stage.total else 1)


class _LineDisplay:
    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._last = 0.0
        self._line = ""

    def begin_stage(self, stage: ProgressStage, *, inner: bool) -> None:
        if not inner:
            self._print_stage(stage)

    def update_stage(self, stage: ProgressStage) -> None:
        if self._clock.monotonic() - self._last >= LINE_INTERVAL:
            self._print_stage(stage)

    def end_stage(self, stage: ProgressStage, *, inner: bool) -> None:
        if not inner and stage.done:
            self._print_stage(stage)

    def _print_stage(self, stage: ProgressStage) -> None:
        self._last = self._clock.monotonic()
        text, before = _describe(stage), self._line
        self._line = f"{stage.name}: {text}" if text else stage.name
        if self._line != before:
            say(self._console, self._line)


def _describe(stage: ProgressStage) -> str:
    amount = f"{int(stage.done)}/{stage.total:g}" if stage.total else ""
    left = stage.seconds_left
    time = f"{timedelta(seconds=round(left))} left" if left else ""
    return ", ".join(filter(None, (amount, time, stage.note)))
