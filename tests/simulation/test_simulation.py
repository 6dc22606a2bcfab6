"""The simulation itself: time, sockets, processes and chance, that a seed replays and shrinks, and many seeds."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edge.userbot.chat import own_messages
from tests.promises.jsonl import read
from tests.promises.linearizable import OK
from tests.promises.lines.messages import Asked
from tests.promises.lines.stored import Update
from tests.simulation import both_ways, connections, edge_blows, grouping, leaving, rare_blows, styling
from tests.simulation.backups import Backups
from tests.simulation.bugs import Bugs
from tests.simulation.drawing import drawn
from tests.simulation.edge_faults import EdgeFaults
from tests.simulation.foreign_faults import ForeignFaults
from tests.simulation.grouping import FORUM, PLAIN
from tests.simulation.late_faults import LateFaults
from tests.simulation.loop import NeverWaits, NothingToDo, SimulationLoop
from tests.simulation.lost_cancellations import LostCancellations
from tests.simulation.model_server import SPOILT
from tests.simulation.models import Models
from tests.simulation.nats.store import Store
from tests.simulation.nats_refusals import NatsRefusals
from tests.simulation.plan import Plan
from tests.simulation.processes import SimulatedProcess
from tests.simulation.rabbit_faults import RabbitFaults
from tests.simulation.registers import STREAM, Registers
from tests.simulation.requests import EVENTS, ORIGINAL
from tests.simulation.run import outcome_of
from tests.simulation.shrinking import shrunk
from tests.simulation.stops import Stops
from tests.simulation.unrecorded import Unrecorded
from tests.simulation.worker_faults import WorkerFaults

ROOT = Path(__file__).parents[2]
SERVER = ("server", 1)
SEEDS, AIMED = "1-100", "60"
"""The share of `make test`, and how many aimed plays at most."""
Story = Callable[[SimulationLoop], Coroutine[Any, Any, Any]]


def told(story: Story, seed: int = 1) -> Any:
    """Return what the story returns, in virtual time."""
    loop = SimulationLoop(Random(seed))
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(story(loop))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


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


# --- plans


def test_a_plan_survives_its_way_through_a_file() -> None:
    plans = [drawn(seed) for seed in range(1, 60)]
    assert [Plan.from_json(plan.to_json()) for plan in plans] == plans
    assert len({plan.to_json() for plan in plans}) == len(plans)


def test_a_plan_has_users_questions_and_faults() -> None:
    for plan in (drawn(seed) for seed in range(1, 200)):
        assert plan.users >= 3
        assert sum(saying.what in ("question", "formatted", "piece") for saying in plan.sayings) >= 12
        assert len(plan.blows) >= 6


def test_blows_at_an_edge_leave_the_rest_of_a_plan_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [drawn(seed) for seed in range(1, 60)]
    monkeypatch.setattr(edge_blows, "SHARE", 0)
    without = [drawn(seed) for seed in range(1, 60)]
    others = [tuple(blow for blow in plan.blows if not blow.what.startswith("edge_")) for plan in plans]
    assert 10 < sum(len(plan.blows) > len(blows) for plan, blows in zip(plans, others, strict=True)) < 50
    assert [replace(plan, blows=blows) for plan, blows in zip(plans, others, strict=True)] == without


def test_every_blow_at_an_edge_can_be_struck() -> None:
    kinds = edge_blows.KINDS | edge_blows.OF_CHATS | edge_blows.OF_STATE
    assert [kind for kind in kinds if not hasattr(EdgeFaults, f"_{kind}")] == []


def test_some_bridges_work_both_ways_and_other_plans_are_as_without(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [drawn(seed) for seed in range(1, 300)]
    both = [plan for plan in plans if plan.both]
    assert {plan.codec for plan in both} == {ORIGINAL, EVENTS}
    struck = {blow.what for plan in both for blow in plan.blows if blow.what.startswith("foreign_")}
    assert struck == {f"foreign_{kind}" for kind in both_ways.KINDS}
    wrong = {kind.removeprefix("foreign_") for kind in struck if not hasattr(ForeignFaults, f"_{kind[8:]}")}
    assert wrong == {*SPOILT, "twice", "stranger"} - {"huge_late"}
    monkeypatch.setattr(both_ways, "SHARE", dict.fromkeys(both_ways.SHARE, 0))
    assert [drawn(plan.seed) for plan in plans if not plan.both] == [plan for plan in plans if not plan.both]


def test_some_ask_with_formatting_and_other_plans_are_as_without(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [drawn(seed) for seed in range(1, 300)]
    monkeypatch.setattr(styling, "SHARE", 0)
    without = {plan.seed: drawn(plan.seed) for plan in plans}
    styled = [plan for plan in plans if plan != without[plan.seed]]
    assert 8 <= len(styled) <= 30
    assert not any(one.what == "question" for plan in styled for one in plan.sayings)
    assert all(any(one.what == "telegram_styles_refused" for one in plan.blows) for plan in styled)


RARE = {
    "stop": Stops,
    "refused": NatsRefusals,
    "model": Models,
    "bug": Bugs,
    "rabbit": RabbitFaults,
    "worker": WorkerFaults,
    "late": LateFaults,
    "taken": Unrecorded,
    "backup": Backups,
    "lost": LostCancellations,
}


def test_rare_blows_leave_the_rest_of_a_plan_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(f"{family.name}_" for family in rare_blows.FAMILIES)
    plans = [drawn(seed) for seed in range(1, 60)]
    monkeypatch.setattr(rare_blows, "FAMILIES", ())
    without = [drawn(seed) for seed in range(1, 60)]
    others = [tuple(blow for blow in plan.blows if not blow.what.startswith(names)) for plan in plans]
    assert [replace(plan, blows=blows) for plan, blows in zip(plans, others, strict=True)] == without


def test_some_plans_have_each_rare_blow_and_it_can_be_struck() -> None:
    struck = {blow.what for seed in range(1, 400) for blow in drawn(seed).blows}
    for family in rare_blows.FAMILIES:
        kinds = {**family.kinds, **family.outward, **family.inward}
        assert {f"{family.name}_{kind}" for kind in kinds} <= struck
        assert [kind for kind in kinds if not hasattr(RARE[family.name], f"_{kind}")] == []


def test_some_plans_have_a_group_with_all_that_is_said_there_and_others_are_as_without() -> None:
    plans = [drawn(seed) for seed in range(1, 200)]
    grouped = [plan for plan in plans if plan.group]
    assert len(grouped) >= 30
    assert {plan.group for plan in grouped} == {FORUM, PLAIN}
    said = {saying.what for plan in grouped for saying in plan.sayings}
    struck = {blow.what for plan in grouped for blow in plan.blows}
    assert set(grouping.SAYINGS) <= said
    assert set(grouping.BLOW_KINDS) <= struck
    others = [one.what for plan in plans if not plan.group for one in (*plan.sayings, *plan.blows)]
    assert not any("group" in what for what in others)


def test_readers_vote_in_some_plans_whose_owner_keeps_that() -> None:
    plans = [drawn(seed) for seed in range(1, 100)]
    voting = [plan for plan in plans if any(saying.what == "vote" for saying in plan.sayings)]
    assert 10 <= len(voting) <= 50
    assert voting == [plan for plan in plans if dict(plan.settings).get("feedback")]


def test_a_bot_that_persons_connect_takes_the_place_of_other_accounts_and_changes_no_other_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "HAS_BUSINESS", True)
    plans = [drawn(seed) for seed in range(1, 200)]
    connected = [plan for plan in plans if connections.PROCESS in plan.processes]
    assert 50 <= len(connected) <= 90
    assert {plan.edges for plan in connected} == {connections.EDGES}
    assert {plan.elsewhere for plan in connected} == {"", *connections.EDGES}
    said = {saying.what for plan in connected for saying in plan.sayings}
    struck = {blow.what for plan in connected for blow in plan.blows}
    assert {*leaving.SAYINGS, *leaving.GOING} <= said
    assert set(leaving.BLOW_KINDS) <= struck
    assert not any(plan.group or plan.has_version_before for plan in connected)
    monkeypatch.setattr(connections, "HAS_BUSINESS", False)
    others = [plan for plan in plans if plan not in connected]
    assert others == [drawn(plan.seed) for plan in others]


def test_every_blow_at_a_connection_can_be_struck() -> None:
    assert [kind for kind in leaving.BLOW_KINDS if not hasattr(EdgeFaults, kind.removeprefix("edge"))] == []


def test_a_seed_replays_byte_for_byte_in_another_process_from_the_file_of_its_plan(tmp_path: Path) -> None:
    """With the hashes of texts that `tests.simulation.run` sees to: others change the order of sets somewhere."""
    plan = tmp_path / "plan.json"
    plan.write_text(drawn(3).to_json(), encoding="utf-8")
    first = tmp_path / "first.jsonl"
    play = (
        "import sys; from pathlib import Path; from tests.promises.jsonl import write;"
        " from tests.simulation.plan import Plan; from tests.simulation.play import play;"
        " write(play(Plan.from_json(Path(sys.argv[1]).read_text())).history, Path(sys.argv[2]))"
    )
    python("-c", play, str(plan), str(first), PYTHONHASHSEED="0")
    python("-m", "tests.simulation.run", SIM_PLAN=str(plan), SIM_OUTPUT=str(tmp_path / "simulation.json"))
    assert first.read_bytes() == (tmp_path / "simulation-3.history.jsonl").read_bytes()
    history = read(first)
    assert len(history.of(Asked)) >= 12
    assert any(update.result == OK for update in history.of(Update))


def python(*arguments: str, **environment: str) -> str:
    """Return what it says, and see to it that all went well."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


# --- shrinking


def test_a_plan_shrinks_to_what_it_needs_to_fail() -> None:
    plan = drawn(2)
    saying, blow = plan.sayings[3], plan.blows[-1]

    def fails(one: Plan) -> bool:
        return saying in one.sayings and blow in one.blows

    small = shrunk(plan, fails)
    assert (small.sayings, small.blows, small.crashes) == ((saying,), (blow,), ())
    assert small.users == saying.user + 1
    assert small.edges in ((saying.edge,), (plan.edges[0], saying.edge))
    assert fails(small)


def test_a_failing_plan_gets_smaller_and_fails_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here because the userbot takes its own messages for the owner's."""
    monkeypatch.setattr(own_messages, "_with_sent", lambda record, _message_id: record)
    plan = drawn(1)

    def fails(one: Plan) -> bool:
        return any(breach.startswith("lost") for breach in outcome_of(one).breaches)

    assert fails(plan)
    small = shrunk(plan, fails, most=4)
    assert _size(small) < _size(plan)
    assert fails(Plan.from_json(small.to_json()))


def _size(plan: Plan) -> int:
    return len(plan.sayings) + len(plan.blows) + len(plan.crashes)


def test_a_bucket_that_was_lost_begins_anew() -> None:
    """Its records are other registers, and an update on the way when it was lost may belong to either."""

    async def story(loop: SimulationLoop) -> list[tuple[str, str]]:
        store = Store(loop.wall_clock)
        registers = Registers(store)
        store.streams[STREAM] = object()  # type: ignore[assignment]
        registers._end(registers._begin("1.2", None), OK, 1)
        begun = registers._begin("1.2", 1)
        store.streams[STREAM] = object()  # type: ignore[assignment]
        registers._end(begun, OK, 1)
        return [(update.key, update.result) for update in registers.updates]

    first, second = "1.2 in bucket 1", "1.2 in bucket 2"
    assert told(story) == [(first, OK), (first, "unknown"), (second, "unknown")]


# --- many seeds


@pytest.mark.timeout(900)
def test_every_promise_is_kept_with_each_of_many_seeds(tmp_path: Path) -> None:
    python(
        "-m",
        "tests.simulation.run",
        SIM_SEEDS=SEEDS,
        SIM_AIMED=AIMED,
        SIM_SHRUNK="0",
        SIM_OUTPUT=str(tmp_path / "simulation.json"),
    )
