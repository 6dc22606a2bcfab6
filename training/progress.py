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
"""Whether the work is to end."""
EVERY = 30.0
"""Seconds between two plain lines about one stage, at least."""
_PER_SECOND = 4
_WIDTH = 10


@dataclass(slots=True)
class ProgressStage:
    """A step of a command. `update` is cheap and raises what the command's `check` raises."""

    name: str
    total: float | None
    """In the unit of `done`; None if unknown."""
    clock: Clock
    shown: "_Shown"
    check: Callable[[], None]
    done: float = 0
    note: str = ""
    _counted: tuple[float, float] | None = field(default=None, init=False)
    """(done, time) at the first update: the work before it is often slower."""
    _updated: float = field(default=0, init=False)

    def update(self, done: float, note: str | None = None) -> None:
        """Set how much of `total` is done, and a `note` such as the loss."""
        self.check()
        self.show(done, note)

    def show(self, done: float, note: str | None = None) -> None:
        """`update` without the check."""
        self.done = done
        self.note = self.note if note is None else note
        self._updated = self.clock.monotonic()
        self._counted = self._counted or (done, self._updated)
        self.shown.changed(self)

    def advance(self, count: float = 1) -> None:
        self.update(self.done + count)

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """Yield `items` and count each as done."""
        for item in items:
            yield item
            self.advance()

    @property
    def left(self) -> float | None:
        """Return the seconds left at the pace so far, or None if not known yet."""
        if self.total is None or self._counted is None or self.done <= self._counted[0]:
            return None
        pace = (self._updated - self._counted[1]) / (self.done - self._counted[0])
        return max((self.total - self.done) * pace - (self.clock.monotonic() - self._updated), 0)


class ProgressBars:
    """Shows the stages of a command, which follow one another or are nested."""

    def __init__(self, shown: "_Shown", clock: Clock, check: Callable[[], None]) -> None:
        self._shown = shown
        self._clock = clock
        self.check = check
        self._depth = 0

    @contextmanager
    def stage(self, name: str, total: float | None = None, *, done: float = 0) -> Iterator[ProgressStage]:
        """Show the stage `name` while the block runs; a nested stage disappears when it ends."""
        stage = ProgressStage(name, total, self._clock, self._shown, self.check, done)
        self._shown.begun(stage, inner=self._depth > 0)
        self._depth += 1
        try:
            yield stage
        finally:
            self._depth -= 1
            self._shown.ended(stage, inner=self._depth > 0)


@contextmanager
def progress_bars(console: Console, clock: Clock, check: Callable[[], None] = lambda: None) -> Iterator[ProgressBars]:
    """Show stages on `console` while the block runs; `check` may raise to end the work."""
    if not (console.is_interactive or console.is_jupyter):
        yield ProgressBars(_Lines(console, clock), clock, check)
        return
    columns = (_Name(), BarColumn(bar_width=_WIDTH), _State())
    with drawing(console.file), Progress(*columns, console=console, refresh_per_second=_PER_SECOND) as progress:
        yield ProgressBars(_Drawn(progress), clock, check)
        progress.refresh()  # in a notebook rich skips the last update


def say(console: Console, line: str) -> None:
    """Print `line` unchanged: without markup, wrapping or colour."""
    console.print(line, soft_wrap=True, highlight=False, markup=False, emoji=False)


def check(stopped: Stopped) -> None:
    """Raise TimokhaError if `stopped`."""
    if stopped():
        raise TimokhaError("stopped before the end, nothing was written: run it again")


class _Shown(Protocol):
    def begun(self, stage: ProgressStage, *, inner: bool) -> None: ...

    def changed(self, stage: ProgressStage) -> None: ...

    def ended(self, stage: ProgressStage, *, inner: bool) -> None: ...


class _Name(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(task.description, overflow="ellipsis", no_wrap=True)


class _State(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(_said(task.fields["stage"]), overflow="ellipsis", no_wrap=True)


class _Drawn:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[int, TaskID] = {}

    def begun(self, stage: ProgressStage, *, inner: bool) -> None:
        name = f"  {stage.name}" if inner else stage.name
        self._tasks[id(stage)] = self._progress.add_task(
            name, total=stage.total, completed=int(stage.done), stage=stage
        )

    def changed(self, stage: ProgressStage) -> None:
        self._progress.update(self._tasks[id(stage)], total=stage.total, completed=stage.done)

    def ended(self, stage: ProgressStage, *, inner: bool) -> None:
        task = self._tasks.pop(id(stage))
        if inner:
            self._progress.remove_task(task)
        else:
            self._progress.update(task, total=stage.total or 1, completed=stage.done if stage.total else 1)


class _Lines:
    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._last = 0.0
        self._line = ""

    def begun(self, stage: ProgressStage, *, inner: bool) -> None:
        if not inner:
            self._say(stage)

    def changed(self, stage: ProgressStage) -> None:
        if self._clock.monotonic() - self._last >= EVERY:
            self._say(stage)

    def ended(self, stage: ProgressStage, *, inner: bool) -> None:
        if not inner and stage.done:
            self._say(stage)

    def _say(self, stage: ProgressStage) -> None:
        self._last = self._clock.monotonic()
        said, before = _said(stage), self._line
        self._line = f"{stage.name}: {said}" if said else stage.name
        if self._line != before:
            say(self._console, self._line)


def _said(stage: ProgressStage) -> str:
    amount = f"{int(stage.done)}/{stage.total:g}" if stage.total else ""
    left = stage.left
    time = f"{timedelta(seconds=round(left))} left" if left else ""
    return ", ".join(filter(None, (amount, time, stage.note)))
