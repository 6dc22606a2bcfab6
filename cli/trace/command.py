"""`timokha trace`: prints one trace, or a list of the newest."""

import asyncio

import click
from rich.console import Console

from cli.trace.settings import TraceSettings
from cli.trace.waterfall import listing, waterfall
from events.errors import SettingsError, TimokhaError
from observability.telemetry import Telemetry
from observability.trace_reader import Trace, read

LISTED = 20


class NoSuchTrace(TimokhaError):
    """The trace file has nothing of the kind."""


async def main(settings: TraceSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Without an id and `--last` the newest traces are listed."""
    if settings.trace_file is None:
        raise SettingsError("TIMOKHA_TRACE_FILE is missing: set it, to the same file, for every process and for this")
    recorded = read(settings.trace_file)
    traces = recorded.traces
    if recorded.garbage:
        click.echo(f"timokha: {settings.trace_file}: {recorded.garbage} lines are no spans and were skipped", err=True)
    if not traces:
        raise NoSuchTrace(f"{settings.trace_file} has no spans; ask something, and set TIMOKHA_TRACE_FILE everywhere")
    console = Console()
    if settings.id or settings.last:
        console.print(waterfall(_chosen(traces, settings.id)))
    else:
        console.print(listing(traces[-LISTED:]))


def _chosen(traces: list[Trace], wanted: str | None) -> Trace:
    """The newest that is meant. Raises NoSuchTrace."""
    found = [trace for trace in traces if wanted is None or trace.matches(wanted)]
    if not found:
        raise NoSuchTrace(f"no trace of {wanted!r}; `timokha trace` lists the newest")
    return found[-1]
