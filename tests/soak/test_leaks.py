"""No process of the product keeps anything of a question that it has answered."""

import asyncio
import random
from collections import defaultdict

import pytest

from tests.chaos.run import come_to_rest
from tests.chaos.users import Crowd
from tests.chaos.world import has_rabbitmq, world
from tests.soak import census
from tests.soak.processes import running, seen
from tests.soak.slopes import slope

SETTINGS = {
    "GENERATE_ENGINE": "echo",
    "GENERATE_ECHO_DELAY": "0.05",
    "GENERATE_SLOTS": "4",
    "USERBOT_SENDS_PER_SECOND": "200",
    "SOAK_EMPTY": "true",
}
USERS = 100
QUESTIONS = 500
"""In a round."""
ROUNDS = 6
"""After the first, in which what is needed once is made."""
MOST = {
    "blocks": 0.2,
    "private": 1024.0,
    "tasks": 0.5 / QUESTIONS,
    "handles": 0.5 / QUESTIONS,
    "threads": 0.5 / QUESTIONS,
}
"""That a question may add; a leak of one object each would be a whole block."""


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_what_is_answered_leaves_nothing_in_any_process(tmp_path) -> None:
    counting = tmp_path / "census"
    settings = {**SETTINGS, **census.settings(counting)}
    added = defaultdict(list)
    async with world(
        tmp_path, rabbitmq=has_rabbitmq(), accounts=False, owned=False, business=False, grouped=False, settings=settings
    ) as made:
        crowd = Crowd(made, (ROUNDS + 1) * QUESTIONS, random.Random(7))
        crowd.invite(USERS)
        talking = asyncio.create_task(crowd.run())
        for _ in range(ROUNDS + 1):
            crowd.allowed += QUESTIONS
            while len(crowd.asked) < crowd.allowed:  # noqa: ASYNC110 - a list
                await asyncio.sleep(0.1)
            await come_to_rest(made, crowd)
            for process in running(made):
                if process.ours:
                    counts = {**seen(process), **(await census.counted(counting, process.pid, thoroughly=True) or {})}
                    added[process.name, process.pid].append((len(crowd.asked), counts))
        talking.cancel()
    for (name, _), rounds in added.items():
        print(name)
        for measure in MOST:
            print("   ", measure, [counts.get(measure) for _, counts in rounds], end=" ")
            print(slope([(asked, counts[measure]) for asked, counts in rounds[1:]]) / 3600)
        first, last = rounds[1][1], rounds[-1][1]
        for what in ("types", "task_names"):
            print("   ", {n: c - first[what].get(n, 0) for n, c in last[what].items() if c > first[what].get(n, 0)})
