"""Play many seeds: `make simulate SIM_SEEDS=1000`; `make simulate SIM_SEED=4711` plays one and tells its story.

SIM_SEEDS takes a number of seeds, or FIRST-LAST. Where no crash has met the product in them, although a process came to
wait there, a second play is aimed (SIM_AIMED: so many at most). Writes build/simulation.json (SIM_OUTPUT): the seeds,
what became of all questions, the breaches, and how often a crash met each await site. A seed that fails is shrunk; its
plan and its history are written beside the report. SIM_PLAN names the file of such a plan: it is played again, byte for
byte, and tells its story. Exit code 1 if a promise was broken.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

from tests.promises.jsonl import write
from tests.promises.judgement import judge
from tests.simulation.aiming import aim_of, aimed_plans
from tests.simulation.await_sites import sites
from tests.simulation.before import why_not
from tests.simulation.breaches import breaches_of
from tests.simulation.drawing import drawn
from tests.simulation.plan import Plan
from tests.simulation.play import Played, play
from tests.simulation.report import Outcome, Report
from tests.simulation.shrinking import shrunk

SEEDS = 300
CHUNK = 20
"""Seeds that a process of Python plays before the next one takes over: what crashed in them is never freed."""
SHRUNK = 10
"""Failing seeds that are shrunk, unless SIM_SHRUNK says another number."""


def main() -> int:
    if os.environ.get("PYTHONHASHSEED") != "0":  # or sets of texts have another order each time
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation.run"], os.environ | {"PYTHONHASHSEED": "0"})
    output = Path(os.environ.get("SIM_OUTPUT") or "build/simulation.json")
    output.parent.mkdir(parents=True, exist_ok=True)
    if path := os.environ.get("SIM_PLAN"):
        return _tell(Plan.from_json(Path(path).read_text(encoding="utf-8")), output.parent)
    if seed := os.environ.get("SIM_SEED"):
        return _tell(drawn(int(seed)), output.parent)
    sites()  # once for all processes
    if why_not():
        print(f"the version before takes no part: {why_not()}")
    began, report = time.perf_counter(), Report()
    for outcome in outcomes([drawn(seed) for seed in _seeds(os.environ.get("SIM_SEEDS") or str(SEEDS))]):
        report.take(_shown(outcome))
    for outcome in outcomes(aimed_plans(report, int(os.environ.get("SIM_AIMED") or sys.maxsize))):
        report.take_aimed(_shown(outcome))
    found = report.to_json(time.perf_counter() - began)
    output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    print(
        f"{report.seeds} seeds and {report.aimed} aimed plays, {found['plays_an_hour']} an hour;"
        f" {len(report.failed)} failed; {found['sites_reached']} of {found['sites']} await sites were reached,"
        f" {found['sites_hit']:.1%} were crashed at; {output}"
    )
    for outcome in report.failed[: int(os.environ.get("SIM_SHRUNK") or SHRUNK)]:
        _shrink(outcome, output.parent)
    for site in report.denied():
        print(f"a process came to wait at {site}, where none can, says suspending.py")
    return 1 if report.failed or report.denied() else 0


def outcomes(plans: Sequence[Plan]) -> Iterator[Outcome]:
    """Play all of them, in as many processes as there are cores."""
    chunks = [plans[begin : begin + CHUNK] for begin in range(0, len(plans), CHUNK)]
    # Not concurrent.futures: with a limit of tasks a process its pool may stop for ever (python/cpython#115634).
    with get_context("fork").Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        for found in pool.imap(_play_all, chunks):
            yield from found


def outcome_of(plan: Plan) -> Outcome:
    return _outcome(plan, play(plan))


def _outcome(plan: Plan, played: Played) -> Outcome:
    questions = Counter(judge(played.history).counts())
    return Outcome(plan, breaches_of(played), questions, played.hit, dict(played.came), played.steps)


def _play_all(plans: Sequence[Plan]) -> list[Outcome]:
    return [outcome_of(plan) for plan in plans]


def _shown(outcome: Outcome) -> Outcome:
    aim = "".join(f", aimed at {aim}" for crash in outcome.plan.crashes if (aim := aim_of(crash)))
    for breach in outcome.breaches:
        print(f"seed {outcome.plan.seed}{aim}: {breach}", flush=True)
    return outcome


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last) + 1) if last else range(1, int(first) + 1)


def _shrink(outcome: Outcome, directory: Path) -> None:
    wanted = {_kind(breach) for breach in outcome.breaches}
    plan = shrunk(outcome.plan, lambda one: bool(wanted & {_kind(b) for b in outcome_of(one).breaches}))
    _write(plan, play(plan), directory)


def _kind(breach: str) -> str:
    """Return what kind of breach it is, without whom it concerns."""
    return breach.partition(":")[0].partition(" ")[0]


def _tell(plan: Plan, directory: Path) -> int:
    played = play(plan)
    for line in played.log:
        print(json.dumps(line, ensure_ascii=False, default=str))
    breaches = breaches_of(played)
    print("\n".join(breaches) or "every promise was kept")
    _write(plan, played, directory)
    return 1 if breaches else 0


def _write(plan: Plan, played: Played, directory: Path) -> None:
    stem = directory / f"simulation-{plan.seed}"
    stem.with_suffix(".plan.json").write_text(plan.to_json() + "\n")
    write(played.history, stem.with_suffix(".history.jsonl"))
    print(f"seed {plan.seed}: {stem}.plan.json, {stem}.history.jsonl")


if __name__ == "__main__":
    sys.exit(main())
