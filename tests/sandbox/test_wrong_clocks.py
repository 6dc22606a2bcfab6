"""A machine whose clock is wrong, or that has slept: what keeps working, and what the doctor says."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from pyrogram.raw import types

from cli.doctor import telegram as doctor
from cli.doctor.findings import Level
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from edge.userbot.telegram import pyrogram_repairs, time_query
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

PATIENCE = 20
MINUTE = timedelta(minutes=1)


class OddClock(SystemClock):
    """Off by `off`, which the monotonic clock knows nothing of."""

    def __init__(self, off: timedelta = timedelta(0)) -> None:
        self.off = off

    def now(self) -> datetime:
        return datetime.now(UTC) + self.off


@pytest.fixture(autouse=True)
def _repaired() -> Iterator[None]:
    yield
    pyrogram_repairs.repair(Retrying(SystemClock(), Random(1)))


def owner(telegram: Sandbox) -> Account:
    return telegram.add_user(first_name="Anna", phone="+79990000001")


async def test_a_short_sleep_costs_no_connection() -> None:
    """It closed the connection: what the server sent was from the future, by the monotonic clock that had stopped."""
    ours, telegrams = OddClock(), OddClock()
    pyrogram_repairs.repair(Retrying(ours, Random(1)))
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(updates: Any) -> None:
        if isinstance(updates, types.Updates):
            heard.put_nowait(updates.updates[0].message.message)

    async with Sandbox(clock=telegrams) as telegram, connect(telegram, owner(telegram).phone) as client:
        anna, boris = client.me.id, telegram.add_user(first_name="Boris").id
        client.handle_updates = hear
        connection = client.session.connection
        ours.off = telegrams.off = timedelta(seconds=100)
        for number in range(5):
            telegram.send(boris, anna, str(number))
        async with asyncio.timeout(PATIENCE):
            assert [await heard.get() for _ in range(5)] == list("01234")
        assert client.session.connection is connection


@pytest.fixture
def userbot(monkeypatch, tmp_path):
    """The environment of a userbot on another server than Telegram's."""

    def chosen(address: str, pem: str) -> None:
        key = tmp_path / "telegram.pem"
        key.write_text(pem)
        names = {"API_ID": "1", "API_HASH": "x", "USERBOT_TELEGRAM_SERVER": address, "USERBOT_TELEGRAM_KEY": str(key)}
        for name, value in names.items():
            monkeypatch.setenv(name, value)

    return chosen


@pytest.mark.parametrize(
    ("ahead", "says"),
    [
        (timedelta(0), None),
        (20 * timedelta(seconds=1), None),
        (MINUTE, "60 s ahead of"),
        (-MINUTE, "60 s behind"),
        (20 * MINUTE, "1200 s ahead of"),
        (timedelta(days=-1), "86400 s behind"),
    ],
    ids=str,
)
async def test_the_doctor_compares_the_clock_with_telegrams(userbot, ahead, says) -> None:
    async with Sandbox(clock=OddClock(-ahead)) as telegram:
        userbot(telegram.address, telegram.public_key_pem)
        [finding] = await doctor.examine_clock(SystemClock())
    if says:
        assert finding.level is Level.WRONG
        assert f"clock: this machine's is {says} Telegram's; set it" in finding.text
    else:
        assert (finding.level, finding.text) == (Level.OK, "Telegram answers, and this machine's clock is right")


QUERY_LENGTH = 42
"""Bytes of the transport's mark, and of the call with its length."""
ANSWERS = {
    "nothing": (b"", "closed the connection"),
    "not MTProto": (b"HTTP/1.1 400 Bad Request\r\n" * 20, "no MTProto server"),
    "a transport error": (b"\x01\x6c\xfe\xff\xff", "no MTProto server"),
}


@pytest.mark.parametrize(("answer", "says"), ANSWERS.values(), ids=ANSWERS)
async def test_the_doctor_says_in_one_line_why_telegram_does_not_tell_the_time(userbot, telegram, answer, says) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(QUERY_LENGTH)  # what is left would reset the connection
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        userbot(address, telegram.public_key_pem)
        [finding] = await doctor.examine_clock(SystemClock())
    assert finding.level is Level.WRONG
    assert f"Telegram: {address} could not be reached" in finding.text
    assert says in finding.text


async def test_the_doctor_names_a_server_that_is_not_there_and_one_that_is_none(userbot, telegram) -> None:
    userbot("127.0.0.1:1", telegram.public_key_pem)
    [refused] = await doctor.examine_clock(SystemClock())
    assert refused.text.startswith("Telegram: 127.0.0.1:1 could not be reached (")
    assert "Connect call failed" in refused.text
    userbot("nonsense", telegram.public_key_pem)
    [nonsense] = await doctor.examine_clock(SystemClock())
    assert "USERBOT_TELEGRAM_SERVER: 'nonsense' is no address" in nonsense.text
    assert {refused.level, nonsense.level} == {Level.WRONG}


async def test_a_server_that_says_nothing_is_not_waited_for_for_long(userbot, telegram, monkeypatch) -> None:
    monkeypatch.setattr(time_query, "TIMEOUT", timedelta(seconds=0.1))

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        userbot(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", telegram.public_key_pem)
        [finding] = await doctor.examine_clock(SystemClock())
    assert "could not be reached (no answer within" in finding.text


async def test_without_the_userbots_settings_no_server_is_asked(monkeypatch) -> None:
    monkeypatch.delenv("API_ID", raising=False)
    monkeypatch.setattr(time_query, "clock_offset", None)
    assert await doctor.examine_clock(SystemClock()) == []
