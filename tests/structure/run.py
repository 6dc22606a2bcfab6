"""Measure how the product's code is structured: `make structure`, or `make structure ARGS="--verbose"`.

`static` and `journey` say what exactly is counted.
"""

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import click

from tests.structure import journey, static

ROOT = Path(__file__).parents[2]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--verbose", is_flag=True, help="Name the files under 40 lines, and a question's functions in order.")
@click.option("--static", "only_static", is_flag=True, help="Ask no question.")
def main(*, as_json: bool, verbose: bool, only_static: bool) -> None:
    """Measure files, functions, private functions used once, and the path of one question."""
    figures = static.measure(static.read(ROOT))
    asked = None if only_static else journey.measure(ROOT, static.PACKAGES)
    if asked:
        figures |= asked.figures
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
        return
    click.echo(table(figures, verbose=verbose))
    if asked and verbose:
        click.echo(path(asked))


def table(figures: Mapping[str, object], *, verbose: bool) -> str:
    return "\n".join(line for name, value in figures.items() for line in rows(name, value, verbose=verbose))


def rows(name: str, value: object, *, verbose: bool) -> list[str]:
    """Return a figure's line, and one for each file that it names."""
    label = f"{name.replace('_', ' '):<56}"
    match value:
        case {"once": int(once), "of": int(count)}:
            return [f"{label}{once} of {count} ({once / count:.0%})"]
        case dict():
            files = [f"  {file} ({lines})" for file, lines in value.items()]
            return [f"{label}{len(value)}", *(files if verbose or name == "files_over_400_lines" else [])]
    return [f"{label}{value:g}"]


def path(asked: journey.Journey) -> str:
    """Return the functions in the order in which a reader meets them, those of a file on one line."""
    files = groupby(asked.reading, key=lambda call: call.file)
    return "\n".join(f"{file}: {', '.join(call.function for call in calls)}" for file, calls in files)


if __name__ == "__main__":
    main()
