"""Kill everything at random under load, and count: `make chaos CHAOS_KILLS=100 CHAOS_QUESTIONS=3000 CHAOS_SEED=7`.

Writes build/chaos.json (CHAOS_OUTPUT); exit code 1 if a question was lost, answered twice, or somebody was left busy.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from judge import Verdict, calm, judge, percentiles, recoveries
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from storm import Storm
from users import Crowd
from world import KINDS, World, has_rabbitmq, world

from events.errors import TransportError

SETTINGS = {
    "GENERATE_ENGINE": "echo",
    "GENERATE_ECHO_DELAY": "0.3",
    "GENERATE_SLOTS": "4",
    "GENERATE_ATTEMPTS": "20",
    "USERBOT_DEADLINE": "90",
    "USERBOT_SENDS_PER_SECOND": "200",
    "LOG_LEVEL": "info",
}
USERS = 40
CALM = 180.0
"""Seconds to come to rest when the storm is over."""


def main() -> int:
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(2**32))
    kills = int(os.environ.get("CHAOS_KILLS") or 30)
    questions = int(os.environ.get("CHAOS_QUESTIONS") or 600)
    output = Path(os.environ.get("CHAOS_OUTPUT") or "build/chaos.json")
    kept = os.environ.get("CHAOS_DIRECTORY")
    directory = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="timokha-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)
    report = asyncio.run(chaos(directory, seed, kills, questions))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    faults = report.pop("faults")
    Console().print_json(data=report)
    for fault in faults:
        print(f"{fault}; logs in {directory}", file=sys.stderr)
    return 1 if faults else 0


async def chaos(directory: Path, seed: int, kills: int, questions: int) -> dict[str, object]:
    rabbitmq = has_rabbitmq()
    if not rabbitmq:
        print("RabbitMQ is not installed here: the bridge and what is behind it stay out", file=sys.stderr)
    began = time.monotonic()
    async with world(directory, rabbitmq=rabbitmq, settings=SETTINGS) as made:
        crowd = Crowd(made, questions, random.Random(seed))
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        ) as progress:
            asked, struck = (
                progress.add_task(name, total=n) for name, n in (("questions", questions), ("kills", kills))
            )
            storm = Storm(made, crowd, kills, rabbitmq, random.Random(seed + 1), lambda: progress.advance(struck))
            async with asyncio.TaskGroup() as group:
                talking = group.create_task(crowd.run(min(USERS, questions)))
                storming = group.create_task(storm.run())
                while not (storming.done() and crowd.complete):
                    progress.update(asked, completed=len(crowd.asked))
                    await asyncio.sleep(0.2)
                progress.update(asked, completed=len(crowd.asked))
                await come_to_rest(made, crowd)
                # Whoever waits now was ignored while busy, and would wait until the patience is over.
                talking.cancel()
        verdict = await judge(made, crowd)
    return report_of(seed, questions, storm, crowd, verdict, rabbitmq=rabbitmq, took=time.monotonic() - began)


async def come_to_rest(made: World, crowd: Crowd) -> None:
    """Everything has arrived and nobody is busy, or CALM is over; what is wrong then is for `judge` to say."""
    until = time.monotonic() + CALM
    async with made.looking() as (chats, _):
        while time.monotonic() < until:
            try:
                if await calm(chats, crowd):
                    break
            except TransportError:
                pass
            await asyncio.sleep(0.5)
    # Whatever would answer a second time would do so by now.
    await asyncio.sleep(3)


def report_of(
    seed: int, questions: int, storm: Storm, crowd: Crowd, verdict: Verdict, *, rabbitmq: bool, took: float
) -> dict[str, object]:
    return {
        "seed": seed,
        "questions": questions,
        "answered_once": verdict.answered_once,
        "answered_twice": verdict.answered_twice,
        "failed_told": verdict.failed_told,
        "lost": verdict.lost,
        "ignored_busy": verdict.ignored_busy,
        "left_busy": verdict.left_busy,
        "thinking_twice": verdict.thinking_twice,
        "kills": {kind: storm.killed[kind] for kind in KINDS},
        "freezes": storm.freezes,
        "cuts": storm.cuts,
        "recovery_seconds": percentiles(recoveries(storm, crowd)),
        "rabbitmq": rabbitmq,
        "seconds": round(took, 1),
        "faults": verdict.faults,
    }


if __name__ == "__main__":
    sys.exit(main())
