"""`python -m benchmarks.plots`: from build/bench.json to the plots and tables of the docs.

It writes what stands between a pair of `<!-- results: PART -->` and `<!-- end -->` in a page, and nothing else;
between `<!-- computed: NAME -->` and `<!-- end -->` a table of benchmarks/sizes, whose simulation takes a minute.
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
from benchmarks.sizes import sections
from benchmarks.sizes.figures import Measured
from benchmarks.sizes.needs import Assumed
from benchmarks.sizes.prices import Prices
from benchmarks.targets import SERIES, TARGETS, flat, verdict

RESULTS = Path("build/bench.json")
PAGES = (Path("docs/performance.md"), Path("docs/kubernetes.md"), Path("docs/scaling.md"))
PLOTS = Path("docs/performance")

IN_FLIGHT = (1, 16, 64)
_TOO_LONG = ("engines.ways.", "engines.default_model.rounds.", *SERIES)
"""For a page; the ways have a table of their own."""
COMPUTED = re.compile(r"(<!-- computed: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
PLACE = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Everything that build/bench.json has figures for; the other parts of the pages stay as they are."""
    results = Results(RESULTS).read()
    PLOTS.mkdir(exist_ok=True)
    for part, draw in DRAWN.items():
        if part in results:
            _save(draw(results[part]), part)
    tables = sections.all_of(Measured.of(results["capacity"]), Assumed(), Prices()) if "capacity" in results else {}
    for page in PAGES:
        text = with_results(page.read_text(encoding="utf-8"), results)
        page.write_text(with_tables(text, tables), encoding="utf-8")
    click.echo(f"written: {', '.join(map(str, PAGES))} and the plots in {PLOTS}")


def with_results(page: str, results: Mapping[str, Any]) -> str:
    """`page` with the tables of the parts that `results` has."""

    def fill(place: re.Match[str]) -> str:
        before, part, after = place.groups()
        return before + "\n".join(_section(part, results)) + "\n" + after if part in results else place.group()

    return PLACE.sub(fill, page)


def with_tables(page: str, tables: Mapping[str, Sequence[str]]) -> str:
    """`page` with the computed tables that there are."""

    def fill(place: re.Match[str]) -> str:
        before, name, after = place.groups()
        return before + "\n".join(tables[name]) + "\n" + after if name in tables else place.group()

    return COMPUTED.sub(fill, page)


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
    rows = [row for row in flat({part: results[part]}) if not row[0].startswith(_TOO_LONG)]
    for key, figure in sorted(rows, key=lambda row: row[0] not in TARGETS):
        target = f"{TARGETS[key]}, {verdict(key, figure)}" if key in TARGETS else ""
        yield f"| `{key}` | {figure} | {target} |"
    if "ways" in results[part]:
        yield from ways(results[part]["ways"])


def ways(figures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A table: seconds to an answer with so many requests at once, and in brackets to its first token; p50 / p99."""
    crowds = _crowds(figures)
    yield ""
    yield f"| way | {' | '.join(f'{crowd} at once' for crowd in crowds)} | tokens/s at most | start to answer | MB |"
    yield "| --- |" + " --- |" * (len(crowds) + 3)
    for name, way in figures.items():
        if "skipped" in way:
            yield f"| {name} | {way['skipped']} |" + " |" * (len(crowds) + 2)
            continue
        cells = [_seconds(way[str(crowd)]) if str(crowd) in way else "" for crowd in crowds]
        fastest = max(way[str(crowd)]["tokens_per_second"] for crowd in crowds if str(crowd) in way)
        start = way.get("first_answer_seconds", "")
        yield f"| {name} | {' | '.join(cells)} | {fastest} | {start} | {way['peak_memory_mb']} |"


def _crowds(figures: Mapping[str, Mapping[str, Any]]) -> list[int]:
    """How many requests at once there were, in any of the ways."""
    return sorted({int(key) for way in figures.values() for key in way if key.isdecimal()})


def _seconds(crowd: Mapping[str, float]) -> str:
    answer, first = (f"{crowd[f'{what}_p50']:.3g} / {crowd[f'{what}_p99']:.3g}" for what in ("answer", "first_token"))
    return answer if first == answer else f"{answer} ({first})"


def engines(figures: Mapping[str, Any]) -> Figure:
    """Tokens a second of each way, with one request and with most at once."""
    measured = {name: way for name, way in figures["ways"].items() if "skipped" not in way}
    crowds = _crowds(measured)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for side, crowd in enumerate((crowds[0], crowds[-1])):
        rates = [way.get(str(crowd), {}).get("tokens_per_second", 0) for way in measured.values()]
        bars = axes.barh([place + 0.4 * side for place in range(len(rates))], rates, 0.4, label=f"{crowd} at once")
        axes.bar_label(bars, [f"{rate:.3g}" if rate else "" for rate in rates], padding=2)
    axes.set_yticks([place + 0.2 for place in range(len(measured))], list(measured))
    axes.invert_yaxis()
    axes.set(title="New tokens a second", xscale="log")
    axes.legend(loc="lower right")
    return figure


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


def elastic(figures: Mapping[str, Any]) -> Figure:
    """Lag and functions by time, while a burst of questions is answered."""
    seconds, lags, functions, _ = zip(*figures["points"], strict=True)
    figure = Figure(figsize=(8, 4), layout="constrained")
    lag, count = figure.subplots(2, sharex=True)
    lag.fill_between(seconds, lags, step="post", alpha=0.5)
    lag.set(title=f"{figures['questions']} questions at once: lag", ylim=0)
    count.step(seconds, functions, where="post")
    count.set(title="Functions", xlabel="seconds", ylim=0)
    return figure


DRAWN = {"engines": engines, "messaging": messaging, "scaling": scaling, "elastic": elastic}


def _save(figure: Figure, name: str) -> None:
    # The same figures give the same file.
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(PLOTS / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
