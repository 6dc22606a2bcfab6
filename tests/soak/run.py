"""Many users for a long time, with kills, and what grows: `make soak SOAK_MINUTES=40 SOAK_USERS=200 SOAK_SEED=1`.

Writes build/soak.json (SOAK_OUTPUT); exit code 1 if something grows without bound, or the storm's judge finds a fault.
SOAK_DIRECTORY keeps the logs and samples.jsonl, a line for each ten seconds.
"""

import asyncio
import json
import logging
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.chaos import recorded
from tests.chaos.faults import Faults
from tests.chaos.report import report_of
from tests.chaos.run import come_to_rest
from tests.chaos.storm import Storm
from tests.chaos.world import World, has_rabbitmq, world
from tests.promises.history import History
from tests.promises.jsonl import read, write
from tests.promises.judgement import judge
from tests.soak import census
from tests.soak.growth import faults, growths, kept, long_lives
from tests.soak.kills import Kills
from tests.soak.processes import running
from tests.soak.sampling import Samples
from tests.soak.table import tables
from tests.soak.users import SteadyCrowd

SETTINGS = {
    "GENERATE_ENGINE": "echo",
    "GENERATE_ECHO_DELAY": "0.3",
    "GENERATE_SLOTS": "4",
    "USERBOT_SENDS_PER_SECOND": "200",
    "LOG_LEVEL": "info",
}
WARM_UP = 0.25
"""The share of the time before what grows is measured: caches and histories fill up meanwhile."""


def main() -> int:
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(2**32))
    minutes = float(os.environ.get("SOAK_MINUTES") or 40)
    users = int(os.environ.get("SOAK_USERS") or 200)
    output = Path(os.environ.get("SOAK_OUTPUT") or "build/soak.json")
    kept = os.environ.get("SOAK_DIRECTORY")
    directory = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="timokha-soak-"))
    directory.mkdir(parents=True, exist_ok=True)
    for library in ("aio_pika", "aiormq"):  # a broker that is away for a moment
        logging.getLogger(library).setLevel(logging.CRITICAL)
    report = asyncio.run(soak(directory, seed, minutes, users))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    for table in tables(report):
        Console(width=160).print(table)
    for fault in report["faults"]:
        print(f"{fault}; logs in {directory}", file=sys.stderr)
    return 1 if report["faults"] else 0


async def soak(directory: Path, seed: int, minutes: float, users: int) -> dict[str, Any]:
    began, rabbitmq, counting = time.monotonic(), has_rabbitmq(), directory / "census"
    settings = {**SETTINGS, **census.settings(counting)}
    async with world(
        directory, rabbitmq=rabbitmq, accounts=False, owned=False, business=False, grouped=False, settings=settings
    ) as made:
        begin = time.monotonic()
        until, measured = begin + 60 * minutes, begin + 60 * minutes * WARM_UP
        crowd = SteadyCrowd(made, 0, random.Random(seed), until=until)
        crowd.invite(users)
        samples = Samples(made, counting)
        storm = _storm(made, crowd, seed)
        async with asyncio.TaskGroup() as group:
            group.create_task(samples.take(directory / "samples.jsonl", until))
            talking = group.create_task(crowd.run())
            group.create_task(Kills(storm, random.Random(seed + 1)).run(until))
            await asyncio.sleep(measured - time.monotonic())
            before, asked = await _inside(made, counting), len(crowd.asked)
            await asyncio.sleep(until - time.monotonic())
            asked = len(crowd.asked) - asked
            await come_to_rest(made, crowd)
            after = await _inside(made, counting)
            talking.cancel()
        lines = await recorded.lines(made, crowd, storm, {}, 0)
    write(History((*lines, *(end.line for end in made.ends))), directory / "history.jsonl")
    judgement = judge(read(directory / "history.jsonl"))
    made.chronicle.write(directory / "chronicle.txt")
    report = report_of(seed, made, storm, crowd, judgement, rabbitmq=rabbitmq, took=time.monotonic() - began)
    lives = long_lives(samples.lives, measured, until)
    grown = {name: {what: one.told() for what, one in found.items()} for name, found in lives.items()}
    stores = {name: growths(series, measured, until) for name, series in samples.stores.items()}
    added = {name: _added(before[name], after[name]) for name in sorted(before.keys() & after.keys())}
    return {
        **report,
        "minutes": minutes,
        "users": users,
        "measured_questions": asked,
        "lives": grown,
        "stores": {name: {what: one.told() for what, one in found.items()} for name, found in stores.items()},
        "added_objects": added,
        "faults": [*report["faults"], *faults(lives), *kept({n: one["blocks"] for n, one in added.items()}, asked)],
    }


def _storm(made: World, crowd: SteadyCrowd, seed: int) -> Storm:
    """It counts what is killed, for the judge."""
    chance = random.Random(seed + 2)
    return Storm(made, crowd, 0, [], Faults(made, crowd, chance), chance, chance, lambda: None)


async def _inside(made: World, counting: Path) -> dict[str, dict[str, Any]]:
    """What is inside our processes, by name and id."""
    ours = [process for process in running(made) if process.ours]
    found = {f"{one.name} {one.pid}": await census.counted(counting, one.pid, thoroughly=True) for one in ours}
    return {name: counts for name, counts in found.items() if counts}


def _added(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The types and tasks of which there are more, the most first."""
    told: dict[str, Any] = {"blocks": after["blocks"] - before["blocks"]}
    for what in ("types", "task_names"):
        more = {name: count - before[what].get(name, 0) for name, count in after[what].items()}
        told[what] = dict(sorted(((n, c) for n, c in more.items() if c > 0), key=lambda one: -one[1])[:15])
    return told


if __name__ == "__main__":
    sys.exit(main())
