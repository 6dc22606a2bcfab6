"""Progress on the terminal, and a way to stop in the middle."""

from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from events.errors import TimokhaError
from training.export_file import Chat, ExportFile

Stopped = Callable[[], bool]
"""Whether somebody wants the work to end."""

_EVERY = 1000


def reading(export: ExportFile, size: int, console: Console, stopped: Stopped) -> Iterator[tuple[Chat, Any]]:
    """The items of `export`, with a bar; `size` in bytes. Raises TimokhaError when `stopped`."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Reading the export", total=size)
        for number, item in enumerate(export.items()):
            if number % _EVERY == 0:
                progress.update(task, completed=export.file.tell())
                check(stopped)
            yield item
        progress.update(task, completed=size)


def check(stopped: Stopped) -> None:
    if stopped():
        raise TimokhaError("stopped before the end, nothing was written: run it again")
