"""Each person's edge is opened once, runs until it is closed, and keeps its consumer."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from edge.business.accounts import LOOKED_AT, Accounts
from events.runtime.tasks import cancel


class Topology:
    def __init__(self) -> None:
        self.changes: list[str] = []
        self.replaced: list[str] = []
        self.looked_at: list[str] = []

    async def ensure_edge(self, person: str) -> None:
        self.looked_at.append(person)
        await asyncio.sleep(0)

    async def drop_edge(self, person: str) -> None:
        self.changes.append(f"deleted {person}")


class Edge:
    def __init__(self, person: str) -> None:
        self.person = person
        self.runs = asyncio.Event()
        self.ended = asyncio.Event()
        self.released = False

    async def resume(self) -> None:
        await asyncio.sleep(0)

    def release(self) -> None:
        self.released = True

    async def run(self) -> None:
        self.runs.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def stop(self) -> None:
        pass


@pytest.fixture
def opened() -> list[Edge]:
    return []


@pytest.fixture
def topology() -> Topology:
    return Topology()


@pytest.fixture
def accounts(opened: list[Edge], topology: Topology) -> Accounts:
    async def open_edge(context: object, person: str, *_: object, **__: object) -> Edge:
        await asyncio.sleep(0)
        opened.append(Edge(person))
        return opened[-1]

    nothing: Callable[[str], object] = lambda person: None  # noqa: E731
    return Accounts(SimpleNamespace(), topology, nothing, nothing, open_edge=open_edge)


async def test_a_person_is_opened_once_however_many_ask_at_once(accounts, opened) -> None:
    found = await asyncio.gather(*(accounts.edge(str(number % 5)) for number in range(50)))
    assert len(opened) == 5
    assert found[0] is found[5]


async def test_a_look_at_many_persons_takes_some_in_turn_and_all_after_a_loss(accounts, topology) -> None:
    persons = {str(number) for number in range(2 * LOOKED_AT + 7)}
    await accounts.begin(persons)
    topology.looked_at.clear()
    for number in range(3):
        await accounts.ensure()
        assert len(topology.looked_at) == (number + 1) * LOOKED_AT
    assert set(topology.looked_at) == persons
    for loss in (topology.changes, topology.replaced):
        topology.looked_at.clear()
        loss.append("stream REPLIES")
        await accounts.ensure()
        assert sorted(topology.looked_at) == sorted(persons)
        topology.replaced.clear()


async def test_every_look_takes_all_of_a_few_persons(accounts, topology) -> None:
    await accounts.begin(["1", "2", "3"])
    for _ in range(4):
        topology.looked_at.clear()
        await accounts.ensure()
        assert sorted(topology.looked_at) == ["1", "2", "3"]


async def test_a_closed_person_no_longer_runs_and_may_come_back(accounts, opened, topology) -> None:
    await accounts.begin(["1", "2"])
    running = asyncio.create_task(accounts.run())
    first, second = sorted(opened, key=lambda edge: edge.person)
    await asyncio.gather(first.runs.wait(), second.runs.wait())
    await accounts.close("1")
    await first.ended.wait()
    assert topology.changes == ["deleted 1"]
    assert not second.ended.is_set()
    assert not running.done()
    accounts.release()
    again = await accounts.edge("1")
    await again.runs.wait()
    assert again is not first
    assert again.released
    await cancel(running)
    assert second.ended.is_set()
