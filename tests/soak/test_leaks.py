"""No process of the product keeps anything of a question that it has answered."""

import asyncio
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.run import come_to_rest
from tests.chaos.users import Crowd
from tests.chaos.world import World, has_rabbitmq, world
from tests.soak import census
from tests.soak.growth import Rounds, leaks
from tests.soak.processes import running, seen

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
ROUNDS = 7


@pytest.mark.slow
@pytest.mark.timeout(1800)  # it takes about three minutes, on a busy machine fourteen
async def test_what_is_answered_leaves_nothing_in_any_process(tmp_path) -> None:
    counting = tmp_path / "census"
    settings = {**SETTINGS, **census.settings(counting)}
    found: dict[str, Rounds] = defaultdict(list)
    async with world(
        tmp_path,
        rabbitmq=has_rabbitmq(),
        accounts=False,
        owned=False,
        business=False,
        grouped=False,
        settings=settings,
    ) as made:
        crowd = Crowd(made, ROUNDS * QUESTIONS, random.Random(7))
        crowd.invite(USERS)
        talking = asyncio.create_task(crowd.run())
        for _ in range(ROUNDS):
            await a_round(made, crowd)
            for name, counts in (await inside(made, counting)).items():
                found[name].append((len(crowd.asked), counts))
        talking.cancel()
    assert {len(rounds) for rounds in found.values()} == {ROUNDS}  # none has ended meanwhile
    assert [line for name, rounds in found.items() for line in leaks(name, rounds)] == []


async def a_round(made: World, crowd: Crowd) -> None:
    """Ask, and wait until nobody is busy."""
    crowd.allowed += QUESTIONS
    while len(crowd.asked) < crowd.allowed:  # noqa: ASYNC110 - a list
        await asyncio.sleep(0.1)
    await come_to_rest(made, crowd)


async def inside(made: World, counting: Path) -> dict[str, dict[str, Any]]:
    """What our processes have, by name and id."""
    ours = [process for process in running(made) if process.ours]
    counted = {one: await census.counted(counting, one.pid, thoroughly=True) for one in ours}
    return {f"{one.name} {one.pid}": {**seen(one), **(counts or {})} for one, counts in counted.items()}
