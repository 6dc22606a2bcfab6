"""`make bench` without its measurements: parts, results and their targets."""

import asyncio
import sys
from types import ModuleType

import pytest
from click.testing import CliRunner
from rich.console import Console

from benchmarks import __main__ as bench
from benchmarks.path import Load, load
from benchmarks.plots import engines, messaging, scaling, ways, with_results, with_tables
from benchmarks.progress import tell
from benchmarks.results import Results
from benchmarks.targets import TARGETS, flat, table, verdict
from events.errors import TransportUnreachable


@pytest.fixture
def results(tmp_path) -> Results:
    return Results(tmp_path / "build" / "bench.json")


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=200)


@pytest.fixture
def make_part(monkeypatch):
    def make(name, measure) -> None:
        module = ModuleType(f"benchmarks.{name}")
        module.measure = measure
        monkeypatch.setitem(sys.modules, module.__name__, module)

    return make


def test_a_part_replaces_only_its_own_figures(make_part, results, console) -> None:
    make_part("one", lambda: {"a": 1, "b": 2})
    make_part("two", lambda: {"c": 3})
    assert bench.run(["one", "two"], results, console) == []
    make_part("one", lambda: {"a": 4})
    assert bench.run(["one"], results, console) == []
    found = results.read()
    assert found["one"] == {"a": 4}
    assert found["two"] == {"c": 3}
    assert set(found["runs"]) == {"one", "two"}
    assert {"at", "commit", "cpu", "cores", "load_average", "versions", "seconds"} <= set(found["runs"]["one"])


def test_a_part_may_be_a_coroutine_and_says_what_it_is_doing(make_part, results, console) -> None:
    async def measure():
        tell("round 1 of 1")
        return {"a": 1}

    make_part("one", measure)
    assert bench.run(["one"], results, console) == []
    assert results.read()["one"] == {"a": 1}


def test_a_part_that_fails_is_named_has_no_figures_and_the_next_one_runs(make_part, results, console) -> None:
    make_part("one", lambda: {"a": 1})
    make_part("two", lambda: {"c": 3})
    bench.run(["one"], results, console)

    def measure():
        raise TransportUnreachable("nats-server is not installed")

    make_part("one", measure)
    assert bench.run(["one", "two"], results, console) == ["one"]
    assert "one failed: nats-server is not installed" in console.export_text()
    assert set(results.read()) == {"two", "runs"}


def test_a_part_whose_packages_are_missing_says_which(make_part, results, console) -> None:
    def measure():
        import no_such_package  # noqa: F401

    make_part("one", measure)
    assert bench.run(["one"], results, console) == ["one"]
    assert "one failed: no_such_package is not installed" in console.export_text()


def test_an_unexpected_fault_is_shown_whole(make_part, results, console) -> None:
    make_part("one", lambda: 1 / 0)
    assert bench.run(["one"], results, console) == ["one"]
    assert "ZeroDivisionError" in console.export_text()


def test_the_command_measures_the_part_it_is_told_and_fails_with_it(make_part, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_part("start", lambda: {"first_answer_seconds": 2.5})
    done = CliRunner().invoke(bench.main, ["start"])
    assert done.exit_code == 0
    assert "first_answer_seconds" in done.output
    assert set(Results(bench.RESULTS).read()) == {"start", "runs"}
    make_part("start", lambda: 1 / 0)
    assert CliRunner().invoke(bench.main, ["start"]).exit_code == 1
    assert CliRunner().invoke(bench.main, ["nothing"]).exit_code == 2


def test_every_target_is_of_a_part_that_is_measured() -> None:
    assert {key.partition(".")[0] for key in TARGETS} == set(bench.PARTS)


@pytest.mark.parametrize(
    ("key", "figure", "judged"),
    [
        ("messaging.overhead_p50_ratio", 1.15, "met"),
        ("messaging.overhead_p50_ratio", 1.16, "missed"),
        ("scaling.efficiency_16", 0.95, "met"),
        ("scaling.efficiency_16", 0.94, "missed"),
        ("scaling.efficiency_16", None, "missed"),
        ("scaling.per_second_1", 4.9, ""),
    ],
)
def test_a_figure_is_judged_by_its_target(key, figure, judged) -> None:
    assert verdict(key, figure) == judged


def test_the_table_has_every_figure_nested_ones_too_but_no_series(console) -> None:
    results = {
        "engines": {"ways": {"openvino": {"p50": 1.25}}},
        "elastic": {"lost": 0, "points": [(0.0, 1, 2, 3)]},
        "start": {"first_answer_seconds": 9},
        "runs": {"x": {}},
    }
    assert dict(flat(results)) == {
        "engines.ways.openvino.p50": 1.25,
        "elastic.lost": 0,
        "elastic.points": [(0.0, 1, 2, 3)],
        "start.first_answer_seconds": 9,
    }
    console.print(table(results))
    printed = console.export_text()
    assert "engines.ways.openvino.p50" in printed
    assert "missed" in printed
    assert "elastic.points" not in printed, "a plot shows it"


async def test_a_load_makes_its_trips_with_no_more_in_flight_than_it_may() -> None:
    now = most = trips = 0

    async def trip() -> None:
        nonlocal now, most, trips
        now += 1
        most, trips = max(most, now), trips + 1
        await asyncio.sleep(0)
        now -= 1

    measured = await load(trip, in_flight=3, count=10)
    assert (most, trips, len(measured.trips), len(measured.ends)) == (3, 10, 10, 10)


def test_the_steady_rate_leaves_out_both_ends() -> None:
    measured = Load(trips=[1.0] * 6, ends=[10.0, 11.0, 11.5, 12.0, 12.5, 20.0], seconds=10)
    assert measured.steady_per_second(edge=2) == pytest.approx(2 / (12.0 - 11.0))


def test_the_page_gets_the_tables_of_the_parts_that_have_figures_and_nothing_else_changes() -> None:
    page = "a\n<!-- results: start -->\nold\n<!-- end -->\nb\n<!-- results: bridge -->\nkept\n<!-- end -->\n"
    results = {"start": {"first_answer_seconds": 9, "more": {"x": 1}}, "engines": {"ways": {}}}
    assert with_results(page, results) == (
        "a\n<!-- results: start -->\n| figure | measured | target |\n| --- | --- | --- |\n"
        "| `start.first_answer_seconds` | 9 | ≤ 1.5, missed |\n| `start.more.x` | 1 |  |\n<!-- end -->\n"
        "b\n<!-- results: bridge -->\nkept\n<!-- end -->\n"
    )


def test_the_page_gets_the_computed_tables_and_nothing_else_changes() -> None:
    page = "a\n<!-- computed: sizes -->\nold\n<!-- end -->\nb\n<!-- computed: others -->\nkept\n<!-- end -->\n"
    assert with_tables(page, {"sizes": ["| 1 |", "| 2 |"]}) == page.replace("old", "| 1 |\n| 2 |")
    assert with_results(page, {"start": {}}) == page


WAYS = {
    "slow": {
        "1": {
            "first_token_p50": 9.0,
            "first_token_p99": 9.0,
            "answer_p50": 9.0,
            "answer_p99": 9.0,
            "tokens_per_second": 6.7,
        },
        "peak_memory_mb": 7,
    },
    "ours": {
        "first_answer_seconds": 2.5,
        **{
            str(crowd): {
                "first_token_p50": 0.1,
                "first_token_p99": 0.2,
                "answer_p50": 1.0 * crowd,
                "answer_p99": 1.5 * crowd,
                "tokens_per_second": 60.0,
            }
            for crowd in (1, 8, 20, 32)
        },
        "peak_memory_mb": 8,
    },
    "theirs": {"skipped": "not installed"},
}


def test_every_way_has_its_line() -> None:
    lines = list(ways(WAYS))
    assert lines[-3:] == [
        "| slow | 9 / 9 |  |  |  | 6.7 |  | 7 |",
        "| ours | 1 / 1.5 (0.1 / 0.2) | 8 / 12 (0.1 / 0.2) | 20 / 30 (0.1 / 0.2) | 32 / 48 (0.1 / 0.2) "
        "| 60.0 | 2.5 | 8 |",
        "| theirs | not installed | | | | | | |",
    ]
    assert len({line.count("|") for line in lines[1:]}) == 1


def test_the_plots_are_drawn_from_what_the_parts_return() -> None:
    sides = {
        f"{side}{name}_{n}": 1.0 for side in ("", "bare_") for name in ("p50_ms", "per_second") for n in (1, 16, 64)
    }
    assert len(messaging(sides).axes) == 2
    [axes] = scaling({"per_second_1": 5.0, "per_second_2": 9.9, "efficiency_2": 0.99}).axes
    assert list(axes.lines[1].get_ydata()) == [5.0, 9.9]
    [axes] = engines({"ways": WAYS}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["slow", "ours"]
