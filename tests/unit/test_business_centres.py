"""Calls at other data centres: one session each, signed in before anyone uses it, replaced when lost. Either client."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram.errors import AuthBytesInvalid, AuthKeyUnregistered

from edge.business.telegram import centres as module
from edge.business.telegram.centres import CentreRefused, open_centres
from events.runtime.tasks import cancel

OWN, THERE = 2, 4


@dataclass
class Network:
    """What the fakes of a client and of its sessions share. `start_errors`, `errors`: raised, one a start or a call."""

    sessions: list["FakeSession"] = field(default_factory=list)
    start_errors: list[Exception] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    invalid_bytes: int = 0
    at_home: list[Any] = field(default_factory=list)
    slow_stops: bool = False
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def export(self, query: Any, **_: Any) -> Any:
        self.at_home.append(query)
        return SimpleNamespace(id=1, bytes=b"key", users=[])


class FakeSession:
    network: Network

    def __init__(self, client: Any, *place: Any) -> None:
        self.place = place
        self.is_started = asyncio.Event()
        self.signed_in = False
        self.is_stopping = False
        self.stopped = False
        self.calls: list[Any] = []
        self.network.sessions.append(self)

    async def start(self) -> None:
        await asyncio.sleep(0)
        if self.network.start_errors:
            raise self.network.start_errors.pop()
        self.is_started.set()

    async def invoke(self, query: Any, **_: Any) -> Any:
        if isinstance(query, tuple):
            self._take_sign_in()
            return None
        assert self.signed_in
        if self.network.errors:
            raise self.network.errors.pop()
        self.calls.append(query)
        return "done"

    def _take_sign_in(self) -> None:
        if self.network.invalid_bytes:
            self.network.invalid_bytes -= 1
            raise AuthBytesInvalid
        self.signed_in = True

    async def restart(self) -> None:
        if self.network.start_errors:
            raise self.network.start_errors.pop()

    async def stop(self) -> None:
        self.is_stopping = True
        self.network.stopping.set()
        if self.network.slow_stops:
            await asyncio.sleep(0.01)
        self.stopped = True


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()
    auth = SimpleNamespace(
        ExportAuthorization=lambda dc_id: ("export", dc_id),
        ImportAuthorization=lambda id, bytes: ("import", id, bytes),
    )

    async def create() -> bytes:
        return b"new"

    monkeypatch.setattr(FakeSession, "network", network, raising=False)
    monkeypatch.setattr(module, "functions", SimpleNamespace(auth=auth))
    monkeypatch.setattr(module, "Auth", lambda *place: SimpleNamespace(create=create))
    monkeypatch.setattr(module.session, "Session", FakeSession)
    return network


@pytest.fixture
def client(network: Network) -> Any:
    async def own() -> int:
        return OWN

    async def test_mode() -> bool:
        return False

    async def dc_option(centre: int, *, ipv6: bool) -> Any:
        return SimpleNamespace(ip_address=f"10.0.0.{centre}", port=443)

    storage = SimpleNamespace(dc_id=own, test_mode=test_mode)
    return SimpleNamespace(storage=storage, ipv6=False, get_dc_option=dc_option, invoke=network.export)


async def test_calls_at_the_bots_own_centre_go_through_the_client(network, client) -> None:
    async with open_centres(client) as centres:
        await centres.invoke("hello", OWN)
    assert (network.at_home, network.sessions) == (["hello"], [])


async def test_many_calls_share_one_session_that_is_signed_in_before_any_and_ends_with_the_edge(
    network, client
) -> None:
    async with open_centres(client) as centres:
        await asyncio.gather(*(centres.invoke("hello", THERE) for _ in range(5)))
        [there] = network.sessions
        assert (there.place, len(there.calls)) == ((THERE, "10.0.0.4", 443, b"new", False), 5)
        assert not there.stopped
    assert there.stopped


async def test_a_session_that_could_not_be_opened_is_ended_and_the_next_call_opens_another(network, client) -> None:
    network.start_errors = [ConnectionError("no route")]
    async with open_centres(client) as centres:
        results = await asyncio.gather(*(centres.invoke("hello", THERE) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [ConnectionError] * 3
        await centres.invoke("hello", THERE)
    assert [session.stopped for session in network.sessions] == [True, True]


async def test_an_exported_sign_in_that_is_not_accepted_is_exported_again(network, client) -> None:
    network.invalid_bytes = 2
    async with open_centres(client) as centres:
        await centres.invoke("hello", THERE)
    assert network.at_home == [("export", THERE)] * 3


async def test_a_centre_that_does_not_know_the_sign_in_says_nothing_of_the_account_and_gets_a_new_session(
    network, client
) -> None:
    network.errors = [AuthKeyUnregistered()]
    async with open_centres(client) as centres:
        with pytest.raises(CentreRefused):
            await centres.invoke("hello", THERE)
        await centres.invoke("hello", THERE)
    first, second = network.sessions
    assert (first.stopped, second.calls) == (True, ["hello"])


@pytest.mark.parametrize("is_opened", [True, False])
async def test_a_session_that_is_being_ended_is_ended_although_nobody_waits_any_more(
    network, client, is_opened
) -> None:
    network.slow_stops = True
    async with open_centres(client) as centres:
        if is_opened:
            network.errors = [AuthKeyUnregistered()]
        else:
            network.start_errors = [ConnectionError("no route")]
        call = asyncio.create_task(centres.invoke("hello", THERE))
        await network.stopping.wait()
        await cancel(call, *centres._openings.values())
        assert [there.stopped for there in network.sessions] == [True]


async def test_several_sessions_are_ended_at_the_same_time(network, client) -> None:
    network.slow_stops = True
    async with open_centres(client) as centres:
        await asyncio.gather(*(centres.invoke("hello", centre) for centre in (1, 3, THERE)))
        ending = asyncio.create_task(centres.stop())
        await network.stopping.wait()
        assert [(there.is_stopping, there.stopped) for there in network.sessions] == [(True, False)] * 3
        await ending
    assert [there.stopped for there in network.sessions] == [True] * 3


async def test_a_session_that_can_not_be_connected_again_is_replaced(network, client) -> None:
    async with open_centres(client) as centres:
        await centres.invoke("hello", THERE)
        await network.sessions[0].restart()
        await centres.invoke("hello", THERE)
        assert len(network.sessions) == 1
        network.start_errors = [ConnectionError("lost for good")]
        await network.sessions[0].restart()
        await centres.invoke("hello", THERE)
    assert len(network.sessions) == 2


async def test_whoever_gives_up_waiting_leaves_the_session_to_the_others(network, client) -> None:
    async with open_centres(client) as centres:
        gives_up, waits = (asyncio.create_task(centres.invoke("hello", THERE)) for _ in range(2))
        await asyncio.sleep(0)
        gives_up.cancel()
        await waits
    assert len(network.sessions) == 1


async def test_a_call_waits_for_a_session_that_is_being_connected_again_but_not_for_long(
    network, client, monkeypatch
) -> None:
    async with open_centres(client) as centres:
        await centres.invoke("hello", THERE)
        [there] = network.sessions
        there.is_started.clear()
        waits = asyncio.create_task(centres.invoke("hello", THERE))
        await asyncio.sleep(0)
        there.is_started.set()
        await waits
        there.is_started.clear()
        monkeypatch.setattr(module, "RECONNECT_TIMEOUT", timedelta(milliseconds=1))
        with pytest.raises(TimeoutError):
            await centres.invoke("hello", THERE)
