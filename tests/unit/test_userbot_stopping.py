"""The edge ends when it is told to, whatever becomes of the cancellations (Python 3.11 loses some)."""

import asyncio
from datetime import timedelta

import pytest

from edge.userbot import app
from edge.userbot.driving.messenger import MessengerError
from edge.userbot.settings import UserbotSettings
from edge.userbot.telegram import session
from edge.userbot.telegram.api import SessionRevoked
from events.errors import TransportUnreachable
from events.runtime.tasks import within
from observability.telemetry import noop_telemetry

LIMIT = timedelta(seconds=10)
SETTINGS = UserbotSettings.read(api_id=1, api_hash="x")


class Deaf:
    """Loses cancellations, one a call, as `asyncio.wait_for` may."""

    def __init__(self, losses: int) -> None:
        self.losses = losses
        self.called = asyncio.Event()

    async def __call__(self, *_: object, **__: object) -> int:
        self.called.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.losses -= 1
            if self.losses < 0:
                raise
        raise MessengerError("the connection is gone")


async def test_drivers_stop_although_telegrams_client_loses_the_cancellation(places, monkeypatch) -> None:
    edge, deaf = places.edge(), Deaf(losses=2)
    monkeypatch.setattr(places.telegram, "send", deaf)
    await edge.says("Тимоха, раз", 7)
    await within(LIMIT, deaf.called.wait())
    await within(LIMIT, edge.drivers.stop())
    assert not edge.drivers.busy


async def test_stopped_drivers_are_not_woken_any_more(places) -> None:
    edge = places.edge()
    await edge.drivers.stop()
    await edge.says("Тимоха, раз", 7)
    assert not edge.drivers.busy


async def deaf_edge(losses: int) -> None:
    while True:
        try:
            await Deaf(losses)()
        except MessengerError:
            losses -= 1


async def test_the_userbot_ends_when_stop_is_set_although_its_libraries_lose_cancellations(monkeypatch) -> None:
    monkeypatch.setattr(app, "_answer", lambda *_, **__: deaf_edge(3))
    stop = asyncio.Event()
    running = asyncio.create_task(app.main(SETTINGS, noop_telemetry(), stop))
    await asyncio.sleep(0)
    stop.set()
    await within(LIMIT, running)


async def test_the_userbot_ends_when_it_is_cancelled(monkeypatch) -> None:
    monkeypatch.setattr(app, "_answer", lambda *_, **__: deaf_edge(1))
    running = asyncio.create_task(app.main(SETTINGS, noop_telemetry(), asyncio.Event()))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running}, timeout=LIMIT.total_seconds())
    assert running.cancelled()


async def test_what_ends_the_userbot_by_itself_is_raised_as_it_is(monkeypatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise TransportUnreachable("NATS is away")

    monkeypatch.setattr(app, "_answer", fail)
    with pytest.raises(TransportUnreachable):
        await within(LIMIT, app.main(SETTINGS, noop_telemetry(), asyncio.Event()))


async def test_a_revoked_session_ends_the_edge_although_the_rest_loses_its_cancellation() -> None:
    revoked = asyncio.Event()
    revoked.set()
    with pytest.raises(SessionRevoked):
        await within(LIMIT, app.run_all(deaf_edge(2), session.until_revoked(revoked)))
