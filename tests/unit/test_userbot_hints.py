"""What comes on the wake subject wakes a driver only if it names a chat, and no driver stays that has nothing to do."""

import asyncio

import pytest
from structlog.testing import capture_logs

from edge.userbot.driving.drivers import Hints
from events.errors import TransportError
from events.faults import UNKNOWN_ATTEMPTS, Fault

ODD = [
    "",
    " ",
    "2 ",
    "+2",
    "02",
    "0",
    "-",
    "--2",
    "2.3",
    "*",
    ">",
    "x",
    "٢",
    "²",
    "1" * 20,
    "2\n",
    "\r\nPUB x 0",
    "x" * 9000,
]


@pytest.mark.parametrize("chat", ["2", "-5", "-1001234567890"])
def test_a_hint_that_names_a_chat_wakes_it(virtually, chat) -> None:
    async def life(retrying) -> None:
        woken: list[str] = []
        Hints(woken.append).receive(chat)
        assert woken == [chat]

    virtually(life)


def test_odd_hints_wake_nothing_and_are_logged_once_a_minute_without_their_text(virtually) -> None:
    async def life(retrying) -> None:
        woken: list[str] = []
        hints = Hints(woken.append)
        with capture_logs() as logs:
            for _ in range(100):
                for text in ODD:
                    hints.receive(text)
            await asyncio.sleep(61)
            hints.receive("нет")
        assert woken == []
        assert [(log["event"], log["length"]) for log in logs] == [("hint.ignored", 0), ("hint.ignored", 3)]

    virtually(life)


def test_a_chat_without_a_record_has_no_driver_after_a_hint(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge()
        with capture_logs() as logs:
            for number in range(1000):
                Hints(edge.drivers.wake).receive(str(10_000 + number))
            await asyncio.sleep(1)
        assert not edge.drivers.busy
        assert logs == []

    virtual_places(story)


def test_a_driver_whose_record_the_store_refuses_for_an_unknown_reason_ends(virtual_places, monkeypatch) -> None:
    tries = []

    async def refuse(key: str) -> None:
        tries.append(key)
        raise TransportError("bad request", Fault.UNKNOWN)

    async def story(places) -> None:
        edge = places.edge()
        monkeypatch.setattr(places.records, "load", refuse)
        edge.drivers.wake("5")
        await asyncio.sleep(120)
        assert not edge.drivers.busy
        assert len(tries) == UNKNOWN_ATTEMPTS

    virtual_places(story)
