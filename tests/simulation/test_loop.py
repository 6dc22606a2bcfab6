"""What the simulation runs on: a loop with virtual time, sockets in memory, and processes that crash."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.simulation.loop import NeverWaits, NothingToDo, SimulationLoop
from tests.simulation.processes import SimulatedProcess
from tests.simulation.stories import told

SERVER = ("server", 1)


# --- the loop


def test_time_passes_only_where_everybody_waits() -> None:
    async def story(loop: SimulationLoop) -> float:
        await asyncio.sleep(1_000_000)
        return loop.time()

    assert 1_000_000 <= told(story) < 1_000_001


def test_a_seed_decides_which_of_the_ready_tasks_goes_first() -> None:
    async def story(_: SimulationLoop) -> tuple[int, ...]:
        order: list[int] = []

        async def go(number: int) -> None:
            for _time in range(3):
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(go(number) for number in range(6)))
        return tuple(order)

    assert told(story, 1) == told(story, 1)
    assert len({told(story, seed) for seed in range(10)}) > 5


def test_a_deadlock_and_a_task_that_never_waits_are_errors() -> None:
    async def waits(_: SimulationLoop) -> None:
        await asyncio.Event().wait()

    async def spins(_: SimulationLoop) -> None:
        while True:  # noqa: ASYNC110 - that is the point
            await asyncio.sleep(0)

    with pytest.raises(NothingToDo):
        told(waits)
    with pytest.raises(NeverWaits):
        told(spins)


# --- sockets


async def listen(take: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    await asyncio.start_server(take, *SERVER)


def test_what_is_written_arrives_whole_and_in_order() -> None:
    async def story(_: SimulationLoop) -> bytes:
        async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for number in range(256):
                writer.write(bytes([number]))
                await writer.drain()
            writer.close()

        await listen(take)
        reader, _writer = await asyncio.open_connection(*SERVER)
        return await reader.read()

    assert {told(story, seed) for seed in range(5)} == {bytes(range(256))}


def test_a_writer_is_held_back_by_a_peer_that_does_not_read() -> None:
    async def story(_: SimulationLoop) -> int:
        written = 0

        async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal written
            while written < 10_000_000:
                writer.write(bytes(10_000))
                written += 10_000
                await writer.drain()

        await listen(take)
        reader, _writer = await asyncio.open_connection(*SERVER)
        await asyncio.sleep(60)
        assert reader.at_eof() is False
        return written

    assert told(story) < 1_000_000


def test_an_address_that_is_refused_or_that_nobody_listens_at_takes_no_connection() -> None:
    async def story(loop: SimulationLoop) -> None:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*SERVER)
        await listen(lambda _reader, _writer: asyncio.sleep(0))
        loop.network.refused[SERVER] = None
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*SERVER)
        del loop.network.refused[SERVER]
        await asyncio.open_connection(*SERVER)

    told(story)


# --- processes


def test_of_a_process_that_crashes_nothing_runs_any_more_and_its_peers_see_a_reset() -> None:
    crashed: list[Any] = []
    """What Python would close when it is collected."""

    async def story(_: SimulationLoop) -> list[str]:
        seen: list[str] = []

        async def take(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read()
            except ConnectionResetError:
                seen.append("reset")

        async def run(_stop: asyncio.Event) -> None:
            try:
                _connection = await asyncio.open_connection(*SERVER)  # it is closed when it is collected
                await asyncio.gather(noted("task", seen), noted("main", seen))
            finally:
                seen.append("finally")

        await listen(take)
        process = SimulatedProcess("one", run)
        process.start()
        await asyncio.sleep(2.5)
        process.crash()
        crashed.append([task.get_coro() for task in process.tasks])
        await asyncio.sleep(60)
        return list(seen)

    assert sorted(told(story)) == ["main", "main", "main", "reset", "task", "task", "task"]


def test_a_frozen_process_goes_on_where_it_stood_when_it_thaws() -> None:
    async def story(loop: SimulationLoop) -> list[int]:
        seen: list[str] = []
        counts = []
        process = SimulatedProcess("one", lambda _stop: noted("main", seen))
        process.start()
        for frozen in (True, False):
            await asyncio.sleep(2.5)
            counts.append(len(seen))
            process.frozen = frozen
        counts.append(len(seen))
        loop.thaw(process)
        await asyncio.sleep(0.5)
        counts.append(len(seen))
        return counts

    assert told(story) == [3, 3, 3, 4]


def test_a_process_that_is_told_to_end_ends_by_itself() -> None:
    async def story(_: SimulationLoop) -> list[str]:
        seen: list[str] = []

        async def run(stop: asyncio.Event) -> None:
            try:
                await stop.wait()
            finally:
                seen.append("finally")

        process = SimulatedProcess("one", run)
        process.start()
        await asyncio.sleep(1)
        process.stop()
        assert process.main
        await process.main
        return seen

    assert told(story) == ["finally"]


def test_a_process_loses_only_cancellations_of_tasks_that_wait_for_something_and_only_so_many() -> None:
    async def story(_: SimulationLoop) -> list[str]:
        seen: list[str] = []

        async def run(stop: asyncio.Event) -> None:
            waits = asyncio.create_task(asyncio.wait_for(asyncio.Event().wait(), 60))
            sleeps = asyncio.create_task(asyncio.sleep(60))
            await stop.wait()
            for task, name in ((waits, "waits"), (sleeps, "sleeps"), (waits, "waits")):
                task.cancel()
                await asyncio.wait({task}, timeout=1)
                seen.append(f"{name} {'ended' if task.done() else 'runs'}")

        process = SimulatedProcess("one", run)
        process.start()
        await asyncio.sleep(1)
        process.to_lose = 1
        process.stop()
        assert process.main
        await process.main
        return seen

    assert told(story) == ["waits runs", "sleeps ended", "waits ended"]


async def noted(what: str, seen: list[str]) -> None:
    """Note it every second."""
    while True:
        seen.append(what)
        await asyncio.sleep(1)
