"""`python -m benchmarks.plots`: from build/bench.json to the plots and tables of docs/performance.md.

It writes what stands between a pair of `<!-- results: PART -->` and `<!-- end -->` in the page, and nothing else.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import RUNS, Results
from benchmarks.targets import TARGETS, verdict

RESULTS = Path("build/bench.json")
PAGE, PLOTS = Path("docs/performance.md"), Path("docs/performance")

IN_FLIGHT = (1, 16, 64)
PLACE = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Everything that build/bench.json has figures for; the other parts of the page stay as they are."""
    results = Results(RESULTS).read()
    PLOTS.mkdir(exist_ok=True)
    for part, draw in {"messaging": messaging, "scaling": scaling}.items():
        if part in results:
            _save(draw(results[part]), part)
    PAGE.write_text(with_results(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    click.echo(f"written: {PAGE} and the plots in {PLOTS}")


def with_results(page: str, results: Mapping[str, Any]) -> str:
    """`page` with the tables of the parts that `results` has."""

    def fill(place: re.Match[str]) -> str:
        before, part, after = place.groups()
        return before + "\n".join(_section(part, results)) + "\n" + after if part in results else place.group()

    return PLACE.sub(fill, page)


def _section(part: str, results: Mapping[str, Any]) -> Iterator[str]:
    run = results.get(RUNS, {}).get(part, {})
    if run:
        yield (
            f"{run['at'][:10]}, commit `{run['commit']}`, {run['cpu']}, {run['cores']} cores, "
            f"load average {run['load_average']} at the start, {run['seconds']} s:"
        )
        yield ""
    yield "| figure | measured | target |"
    yield "| --- | --- | --- |"
    # What is nested is too long for a page.
    rows = [(f"{part}.{name}", figure) for name, figure in results[part].items() if not isinstance(figure, Mapping)]
    for key, figure in sorted(rows, key=lambda row: row[0] not in TARGETS):
        target = f"{TARGETS[key]}, {verdict(key, figure)}" if key in TARGETS else ""
        yield f"| `{key}` | {figure} | {target} |"


def messaging(figures: Mapping[str, Any]) -> Figure:
    """Answers a second and milliseconds, ours beside the bare one's."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    rates, times = figure.subplots(1, 2)
    names = {"timokha generate": "", "bare nats-py": "bare_"}
    _grouped(rates, {name: [figures[f"{key}per_second_{n}"] for n in IN_FLIGHT] for name, key in names.items()})
    rates.set(title="Answers a second", xlabel="requests in flight")
    _grouped(times, {name: [figures[f"{key}p50_ms_{n}"] for n in IN_FLIGHT] for name, key in names.items()})
    times.set(title="Median round trip, ms", xlabel="requests in flight", yscale="log")
    rates.legend()
    return figure


def _grouped(axes: Axes, series: Mapping[str, Sequence[float]]) -> None:
    for side, (name, values) in enumerate(series.items()):
        bars = axes.bar([place + 0.4 * side for place in range(len(values))], values, 0.4, label=name)
        axes.bar_label(bars, fmt="{:.4g}")
    axes.set_xticks([place + 0.2 for place in range(len(IN_FLIGHT))], [str(number) for number in IN_FLIGHT])


def scaling(figures: Mapping[str, Any]) -> Figure:
    """Throughput against the number of functions, and so many times one function's."""
    counts = [int(key.rpartition("_")[2]) for key in figures if key.startswith("per_second_")]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    one = figures["per_second_1"]
    axes.plot(counts, [count * one for count in counts], linestyle="--", color="grey", label="one function × N")
    axes.plot(counts, [figures[f"per_second_{count}"] for count in counts], marker="o", label="measured")
    axes.set(xscale="log", yscale="log", xlabel="functions", title="Answers a second")
    axes.set_xticks(counts, [str(count) for count in counts], minor=False)
    axes.legend()
    return figure


def _save(figure: Figure, name: str) -> None:
    # The same figures give the same file.
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(PLOTS / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
