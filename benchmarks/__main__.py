"""`python -m benchmarks [PART]`: measures what the product promises about its speed; `make bench` runs it.

The figures go to build/bench.json, a part's in place of those it had there, and to a table beside their targets.
"""

import asyncio
import inspect
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from benchmarks import machine, progress
from benchmarks.results import Part, Results
from benchmarks.targets import table
from events.errors import TimokhaError

PARTS = (
    "engines",
    "messaging",
    "bridge",
    "scaling",
    "elastic",
    "capacity",
    "start",
    "chats",
    "bursts",
    "voice",
    "past",
    "training",
)
"""Modules of this package; each one's `measure()` returns its figures."""

RESULTS = Path("build/bench.json")


@click.command()
@click.argument("part", type=click.Choice(PARTS), required=False)
def main(part: str | None) -> None:
    """Measure everything, or one PART."""
    console, results = Console(), Results(RESULTS)
    console.print(machine.summary())
    failed = run([part] if part else PARTS, results, console)
    console.print(table(results.read()))
    console.print(f"written to {RESULTS}")
    if failed:
        console.print(f"[red]failed: {', '.join(failed)}")
        sys.exit(1)


def run(parts: Sequence[str], results: Results, console: Console) -> list[str]:
    """Measure `parts` one after the other; the names of those that failed. They have no figures then."""
    failed = []
    for number, part in enumerate(parts, 1):
        with _shown(f"{part} ({number} of {len(parts)})", console) as tell:
            progress.listen(tell)
            try:
                results.write(part, _measured(part))
            except Exception as error:  # noqa: BLE001 - the other parts still run
                results.remove(part)
                failed.append(part)
                _explain(part, error, console)
    return failed


def _measured(part: str) -> Part:
    facts, began = machine.facts(), time.monotonic()
    measure: Callable[[], object] = import_module(f"benchmarks.{part}").measure
    found = measure()
    figures = asyncio.run(found) if inspect.iscoroutine(found) else found
    assert isinstance(figures, dict)
    return Part(figures, {**facts, "seconds": round(time.monotonic() - began)})


def _explain(part: str, error: Exception, console: Console) -> None:
    if isinstance(error, ModuleNotFoundError):
        console.print(f"[red]{part} failed: {error.name} is not installed; `make bench` brings it")
    elif isinstance(error, TimokhaError):
        console.print(f"[red]{part} failed: {error}", markup=True)
    else:
        console.print(f"[red]{part} failed:")
        console.print_exception()


@contextmanager
def _shown(part: str, console: Console) -> Iterator[Callable[[str], None]]:
    """A line that lives while the part is measured."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}"),
    )
    with Progress(*columns, console=console) as shown:
        task: TaskID = shown.add_task(part, total=1, doing="")
        yield lambda doing: shown.update(task, doing=doing)
        shown.update(task, completed=1, doing="")


if __name__ == "__main__":
    main()
