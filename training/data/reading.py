"""Read an export into a workspace, in order and with a progress bar."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from training.data.collector import MessageCollector
from training.data.ordering import assign_topics, sort_messages
from training.data.telegram.export_reader import ExportedChat, ExportFile
from training.data.workspace import Workspace
from training.progress import Stopped, check, say


def store_messages(
    export: ExportFile,
    collector: MessageCollector,
    workspace: Workspace,
    console: Console,
    stopped: Stopped,
    *,
    wanted: Callable[[ExportedChat], bool] = lambda chat: True,
) -> None:
    """Store the messages of the `wanted` chats of `export`, and report what was wrong with the file."""
    items = (one for one in _read_items(export, console, stopped) if wanted(one[0]))
    workspace.add_messages(collector.messages(items))
    for line in export.findings():
        say(console, line)
    if collector.reordered:
        say(console, f"{collector.reordered} messages came after newer ones: all are sorted by time.")


def _read_items(export: ExportFile, console: Console, stopped: Stopped) -> Iterator[tuple[ExportedChat, Any]]:
    """Yield the items of `export` and show a progress bar. Raises TimokhaError when `stopped`."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Reading the export", total=os.fstat(export.file.fileno()).st_size)

        def on_read(size: int) -> None:
            check(stopped)
            progress.update(task, completed=size)

        export.on_read = on_read
        yield from export.items()
        progress.refresh()  # in a notebook rich skips the last update


def resolve_and_sort(workspace: Workspace, collector: MessageCollector) -> int:
    """Resolve replies, sort messages that are out of order, and return the number of forum topics."""
    workspace.resolve_replies()
    topics = assign_topics(workspace, collector.topics)
    if topics or collector.reordered:
        sort_messages(workspace)
    return topics
