"""The clocks of the bridge and of a worker on RabbitMQ are set, or wrong from the start: all are answered once."""

import asyncio
import os
import signal
from datetime import timedelta

import pytest

from events.health.reading import check_health
from tests.wall_clock import HOUR, WallClock, library

DELAY = 0.5
ASLEEP = 20
"""Seconds for which the machine seems to sleep; its clock then says 20 minutes."""
SET = [
    pytest.param("bridge", HOUR, id="the bridge's forward"),
    pytest.param("bridge", -HOUR, id="the bridge's back", marks=pytest.mark.slow),
    pytest.param("worker", HOUR, id="the worker's forward", marks=pytest.mark.slow),
    pytest.param("worker", -HOUR, id="the worker's back", marks=pytest.mark.slow),
]


def clocks_in(directory, **ahead: timedelta) -> dict[str, WallClock]:
    nothing = timedelta(0)
    return {
        name: WallClock(library(), directory, name, ahead=ahead.get(name, nothing)) for name in ("bridge", "worker")
    }


async def answered(world, ids) -> None:
    """Each is, and nobody got anything else."""
    answers = await world.edge.answers(ids)
    assert {key: answer.text for key, answer in answers.items()} == {key: f"вопрос {key}" for key in ids}
    assert set(world.edge.seen.values()) == {1}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("whose", "by"), SET)
async def test_a_clock_that_is_set_costs_no_answer(world, tmp_path, whose, by) -> None:
    clocks, health = clocks_in(tmp_path), str(tmp_path / "health")
    await world.bridge(TIMOKHA_HEALTH_FILE=health, **clocks["bridge"].environment)
    worker = await world.worker(delay=DELAY, GENERATE_SLOTS="1", **clocks["worker"].environment)
    # One after the other: some are in the worker's hands, some in the queue, some not sent yet.
    before = await world.edge.ask(range(4), seconds=60)
    await world.edge.answers(before[:1])
    clocks[whose].step(by)
    await answered(world, before)
    await answered(world, await world.edge.ask(range(10, 13), seconds=60))
    assert check_health(health, live=False) == ""
    assert worker.pid


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
@pytest.mark.parametrize("whose", ["bridge", "worker"])
async def test_a_clock_that_is_wrong_from_the_start_costs_no_answer(world, tmp_path, whose, by) -> None:
    clocks = clocks_in(tmp_path, **{whose: by})
    await world.bridge(**clocks["bridge"].environment)
    await world.worker(delay=DELAY, GENERATE_SLOTS="1", **clocks["worker"].environment)
    await answered(world, await world.edge.ask(range(3), seconds=60))


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_machine_that_was_asleep_goes_on(fragile_world, own_rabbitmq, tmp_path) -> None:
    world, clocks = fragile_world, clocks_in(tmp_path)
    bridge = await world.bridge(**clocks["bridge"].environment)
    worker = await world.worker(delay=DELAY, GENERATE_SLOTS="1", **clocks["worker"].environment)
    before = await world.edge.ask(range(3), seconds=3600)  # for this deadline nobody has slept too long
    await world.edge.answers(before[:1])
    asleep = [bridge.pid, worker.pid, world.nats.pid]
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    own_rabbitmq.freeze()
    try:
        await asyncio.sleep(ASLEEP)
        for clock in clocks.values():
            clock.step(timedelta(minutes=20))
    finally:
        own_rabbitmq.thaw()
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)
    await answered(world, before)
    await answered(world, await world.edge.ask(range(10, 13), seconds=60))
