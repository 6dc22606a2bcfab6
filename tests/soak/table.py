"""The tables that are printed: a row for each measure of each process and store."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

MIB = 1024 * 1024
IN_MIB = ("rss", "private", "log", "store")


def tables(report: dict[str, Any]) -> Iterator[Table]:
    for kind in ("lives", "stores"):
        table = Table("name", "measure", "first third", "second", "last", "an hour", "second half: an hour")
        for name, measures in report[kind].items():
            for measure, growth in measures.items():
                values = [*growth["levels"], growth["slope"], growth["later_slope"]]
                table.add_row(name, measure, *(_text(measure, value) for value in values))
        yield table


def _text(measure: str, value: float) -> str:
    in_mib = measure in IN_MIB or measure.endswith(".bytes")
    return f"{value / MIB:,.2f} MiB" if in_mib else f"{value:,.1f}"
