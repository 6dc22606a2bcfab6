"""Progress on the terminal, and a way to stop in the middle."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from events.errors import TimokhaError
from training.data.telegram.export_reader import Chat, ExportFile

Stopped = Callable[[], bool]
"""Whether somebody wants the work to end."""


def reading(export: ExportFile, console: Console, stopped: Stopped) -> Iterator[tuple[Chat, Any]]:
    """The items of `export`, with a bar. Raises TimokhaError when `stopped`."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Reading the export", total=os.fstat(export.file.fileno()).st_size)

        def on_read(size: int) -> None:
            check(stopped)
            progress.update(task, completed=size)

        export.on_read = on_read
        yield from export.items()
        progress.refresh()  # rich leaves out the last look in a notebook


def check(stopped: Stopped) -> None:
    if stopped():
        raise TimokhaError("stopped before the end, nothing was written: run it again")
