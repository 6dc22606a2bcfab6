"""Kill everything at random under load, and count: `make chaos CHAOS_KILLS=100 CHAOS_QUESTIONS=3000 CHAOS_SEED=7`.

Writes build/chaos.json (CHAOS_OUTPUT); exit code 1 if a question was lost or answered twice, somebody was left busy, or
a process did not end at SIGTERM. CHAOS_FAULTS=outages=2,terminations=5 takes these faults only.
With CHAOS_BUSINESS=true, and kurigram, the edge is one of business connections, with two persons and without owners.
CHAOS_OWNER=true puts owners in charge: approval, pauses, orders, lists, limits, a timokha.toml that changes.
CHAOS_TWIN=true lets users write without the prefix as well: bursts, with typing, edits and deletions. Some of them also
ask the user's account in the topics of a group, where they talk about other things too.
With CHAOS_ACCOUNTS=true each process has its own account on NATS, as deploy/ ships it, and nothing is deleted that only
`timokha setup` could make anew.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from events.errors import TransportError
from tests.chaos import recorded
from tests.chaos.bursts import SETTINGS as SETTINGS_OF_BURSTS
from tests.chaos.bursts import Bursts
from tests.chaos.faults import Faults, planned
from tests.chaos.groups import Groups
from tests.chaos.owner import Owner
from tests.chaos.report import report_of
from tests.chaos.rest import calm
from tests.chaos.storm import Storm
from tests.chaos.users import Crowd
from tests.chaos.world import World, has_rabbitmq, world
from tests.promises.history import History
from tests.promises.jsonl import read, write
from tests.promises.judgement import judge
from tests.promises.lines.messages import Asked

SETTINGS = {
    "GENERATE_ENGINE": "echo",
    "GENERATE_ECHO_DELAY": "0.3",
    "GENERATE_SLOTS": "4",
    "USERBOT_SENDS_PER_SECOND": "200",
    "LOG_LEVEL": "info",
}
"""Deadline, attempts and graces are the defaults."""
USERS = 40
LIMIT = 1.3
"""The answers that a user may get in a day, as a share of an average user's questions."""
HOURLY = 0.4
"""Likewise in an hour to messages without the prefix."""
CALM = 240.0
"""Seconds to come to rest when the storm is over, longer than a deadline."""


def main() -> int:
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(2**32))
    kills = int(os.environ.get("CHAOS_KILLS") or 30)
    questions = int(os.environ.get("CHAOS_QUESTIONS") or 600)
    output = Path(os.environ.get("CHAOS_OUTPUT") or "build/chaos.json")
    kept = os.environ.get("CHAOS_DIRECTORY")
    directory = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="timokha-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)
    accounts = os.environ.get("CHAOS_ACCOUNTS") == "true"
    owned = os.environ.get("CHAOS_OWNER") == "true"
    chosen = os.environ.get("CHAOS_FAULTS")
    business = os.environ.get("CHAOS_BUSINESS") == "true"
    twin = os.environ.get("CHAOS_TWIN") == "true"
    if business + owned + twin > 1:
        print("CHAOS_BUSINESS, CHAOS_OWNER and CHAOS_TWIN exclude each other: choose one", file=sys.stderr)
        return 2
    report = asyncio.run(
        chaos(directory, seed, kills, questions, chosen, accounts=accounts, owned=owned, business=business, twin=twin)
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    faults = report.pop("faults")
    Console().print_json(data=report)
    for fault in faults:
        print(f"{fault}; logs in {directory}", file=sys.stderr)
    return 1 if faults else 0


async def chaos(
    directory: Path,
    seed: int,
    kills: int,
    questions: int,
    chosen: str | None,
    *,
    accounts: bool,
    owned: bool,
    business: bool,
    twin: bool,
) -> dict[str, Any]:
    rabbitmq = has_rabbitmq()
    if not rabbitmq:
        print("RabbitMQ is not installed here: the bridge and what is behind it stay out", file=sys.stderr)
    began = time.monotonic()
    settings = {**SETTINGS, "USERBOT_LIVE": random.Random(f"live {seed}").choice(("true", "false"))}
    users = max(1, min(USERS, questions // 4))
    limit = max(4, round(LIMIT * questions / users))
    if owned:
        settings |= {"USERBOT_MAX_ANSWERS_PER_DAY": str(limit), "USERBOT_MAX_ANSWERS_PER_DAY_FOR_ALL": str(questions)}
    hourly = max(5, round(HOURLY * questions / users))
    if twin:
        sign = random.Random(f"sign {seed}").choice(("line", "reaction", "typing"))
        settings |= {**SETTINGS_OF_BURSTS, "USERBOT_THINKING": sign, "USERBOT_MAX_WITHOUT_PREFIX_PER_HOUR": str(hourly)}
    async with world(
        directory, rabbitmq=rabbitmq, accounts=accounts, owned=owned, business=business, grouped=twin, settings=settings
    ) as made:
        crowd = Crowd(made, questions, random.Random(seed))
        crowd.invite(users)
        bursts = Bursts(made, crowd, hourly, random.Random(f"bursts {seed}"))
        groups = Groups(made, crowd, made.edges[0], bursts, random.Random(f"groups {seed}")).open() if twin else None
        crowd.bursts = groups
        owners = {
            edge.kind: Owner(made, crowd, edge, limit, random.Random(f"owner {seed} {edge.kind}"))
            for edge in made.edges
            if owned
        }
        await asyncio.gather(*(owner.begin() for owner in owners.values()))
        crowd.hushes = lambda question: (
            bursts.hushes(question) or (bool(owners) and owners[question.edge.kind].hushes(question))
        )
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        ) as progress:
            plan = planned(kills, chosen, random.Random(seed + 2), accounts=accounts, business=business, grouped=twin)
            faults = Faults(made, crowd, random.Random(seed + 3), groups)
            asked, struck = (
                progress.add_task(name, total=n) for name, n in (("questions", questions), ("kills", kills))
            )
            storm = Storm(
                made,
                crowd,
                kills,
                plan,
                faults,
                random.Random(seed + 1),
                random.Random(seed + 4),
                lambda: progress.advance(struck),
            )
            async with asyncio.TaskGroup() as group:
                talking = [group.create_task(crowd.run()), *(group.create_task(o.look()) for o in owners.values())]
                doing = [group.create_task(storm.run()), *(group.create_task(o.rule()) for o in owners.values())]
                while not (all(task.done() for task in doing) and crowd.complete):
                    progress.update(asked, completed=len(crowd.asked))
                    await asyncio.sleep(0.2)
                progress.update(asked, completed=len(crowd.asked))
                await come_to_rest(made, crowd)
                # Whoever waits now was ignored while busy, and would wait until the patience is over.
                for task in talking:
                    task.cancel()
        lines = await recorded.lines(made, crowd, storm, owners, hourly) + (groups.lines() if groups else [])
    write(History((*lines, *(end.line for end in made.ends))), directory / "history.jsonl")
    judgement = judge(read(directory / "history.jsonl"))
    made.chronicle.write(directory / "chronicle.txt")
    made.write_chats(directory / "chats.txt")
    write_kinds(directory / "questions.txt", judgement.kinds)
    acts = Counter(act.what for owner in owners.values() for act in owner.acts)
    report = report_of(seed, made, storm, crowd, judgement, rabbitmq=rabbitmq, took=time.monotonic() - began)
    in_group = groups.counts(judgement.kinds) if groups else {}
    return {
        **report,
        "acts": dict(sorted(acts.items())),
        "answers_without_prefix": dict(judgement.answers),
        "group": in_group,
    }


def write_kinds(path: Path, kinds: list[tuple[Asked, str]]) -> None:
    """What became of each question, and when it was asked, in UTC."""
    ahead = time.time() - time.monotonic()
    lines = [
        f"{datetime.fromtimestamp(question.asked_at + ahead, UTC):%H:%M:%S.%f} {question.name} {kind}\n"
        for question, kind in kinds
    ]
    path.write_text("".join(lines))


async def come_to_rest(made: World, crowd: Crowd) -> None:
    """Everything has arrived and nobody is busy, or CALM is over; what is wrong then is for the judge to say."""
    until = time.monotonic() + CALM
    while time.monotonic() < until:
        try:
            async with made.looking() as (stored, _):
                while not await calm(made, stored, crowd) and time.monotonic() < until:  # noqa: ASYNC110 - in NATS
                    await asyncio.sleep(0.5)
                break
        except TransportError:
            await asyncio.sleep(0.5)
    # Whatever would answer a second time would do so by now.
    await asyncio.sleep(3)


if __name__ == "__main__":
    sys.exit(main())
