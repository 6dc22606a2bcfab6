"""`timokha trace`: print a trace as a waterfall, a line for each span, or list the newest traces."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.settings import TraceSettings
from events.errors import SettingsError, TimokhaError
from observability import names
from observability.telemetry import Telemetry
from observability.trace_reader import RecordedSpan, Trace, read

LISTED = 20


class NoSuchTrace(TimokhaError):
    """The trace file has no such trace."""


async def main(settings: TraceSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Print one trace; without an id and `--last` list the newest."""
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
    """Return the newest trace that matches `wanted`, or the newest of all. Raises NoSuchTrace."""
    found = [trace for trace in traces if wanted is None or trace.matches(wanted)]
    if not found:
        raise NoSuchTrace(f"no trace of {wanted!r}; `timokha trace` lists the newest")
    return found[-1]


BAR_WIDTH = 24
"""Characters; with it a waterfall fits into a terminal of 80 columns, nested as a question's spans are."""
EIGHTHS = " ▏▎▍▌▋▊▉"
TEN_MILLISECONDS = timedelta(milliseconds=10)


def waterfall(trace: Trace) -> RenderableType:
    """Return the trace as a table of spans with bars; times are relative to its start."""
    total = trace.end - trace.start
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("span", "service"):
        table.add_column(heading, no_wrap=True)
    for heading in ("start", "took"):
        table.add_column(heading, no_wrap=True, justify="right")
    table.add_column("", no_wrap=True, min_width=BAR_WIDTH)
    for depth, span in trace.tree():
        style = _style(span)
        took = span.end - span.start
        cells = (span.service, milliseconds(span.start - trace.start), milliseconds(took), _bar(span, trace, total))
        table.add_row(Text(" " * depth) + Text(_label(span)), *cells, style=style)
    return Group(Text(_heading(trace), style="bold"), Text(f"trace {trace.trace_id}", style="dim"), table)


def listing(traces: Sequence[Trace]) -> RenderableType:
    """Return a table with one line for each trace."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("request", "trace", "started (UTC)", "took", "attempts", "errors"):
        table.add_column(heading, no_wrap=True)
    for trace in traces:
        attempts = str(trace.attempts) if trace.attempts else ""
        took, started = milliseconds(trace.end - trace.start), f"{trace.start:%m-%d %H:%M:%S}"
        row = (trace.request_id, trace.trace_id[:8], started, took, attempts, ", ".join(trace.errors))
        table.add_row(*row, style="red" if trace.errors else "")
    return table


def milliseconds(duration: timedelta) -> str:
    """Format a duration: 0.4 ms, 38 ms, 12.3 s."""
    if abs(duration) >= 1000 * TEN_MILLISECONDS:
        return f"{duration.total_seconds():.1f} s"
    value = duration / timedelta(milliseconds=1)
    return f"{value:.0f} ms" if abs(duration) >= TEN_MILLISECONDS else f"{value:.1f} ms"


def _heading(trace: Trace) -> str:
    took = milliseconds(trace.end - trace.start)
    return f"{trace.request_id or trace.spans[0].name}  {trace.start:%Y-%m-%d %H:%M:%S} UTC  {took}"


def _label(span: RecordedSpan) -> str:
    attempt = span.attributes.get(names.ATTEMPT, 1)
    error = span.attributes.get(names.ERROR_TYPE)
    return span.name + (f" #{attempt}" if attempt > 1 else "") + (f" ✗ {error}" if error else "")


def _style(span: RecordedSpan) -> str:
    if span.attributes.get(names.ERROR_TYPE):
        return "red"
    return "dim" if span.name.startswith(f"{names.QUEUE} ") else ""


def _bar(span: RecordedSpan, trace: Trace, total: timedelta) -> str:
    scale = BAR_WIDTH * len(EIGHTHS) / max(total / timedelta(microseconds=1), 1)
    start = int((span.start - trace.start) / timedelta(microseconds=1) * scale)
    length = max(1, round((span.end - span.start) / timedelta(microseconds=1) * scale))
    # The block characters grow from the left only, so a bar starts on a whole character.
    full, rest = divmod(length, len(EIGHTHS))
    return " " * (start // len(EIGHTHS)) + "█" * full + EIGHTHS[rest].strip()
