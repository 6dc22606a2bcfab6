"""A session with Telegram's servers that refuse, forget, go away or live in another time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from sqlite3 import ProgrammingError
from typing import Any

import pytest
from pyrogram import Client
from pyrogram.errors import FloodWait, InternalServerError
from pyrogram.raw import functions, types
from pyrogram.session import Session

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect, signed_in_session
from edge.userbot.telegram import client_differences, pyrogram_repairs
from edge.userbot.telegram.faults import BadMessage, TransportRefused
from edge.userbot.telegram.pyrogram_session import KEY_ATTEMPTS, RECONNECT_PAUSES
from edge.userbot.telegram.server import use_server
from edge.userbot.telegram.session import report_reconnects, started_client
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

PATIENCE = 20
HOUR = timedelta(hours=1)
MORE_THAN_BUFFERS_TAKE = 32 * 2**20
"""Bytes."""


class HastyClock(SystemClock):
    """This machine's time, off by `off`; sleeps are noted and over at once."""

    def __init__(self, off: timedelta = timedelta(0)) -> None:
        self.off = off
        self.slept: list[timedelta] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + self.off

    async def sleep(self, duration: timedelta) -> None:
        self.slept.append(duration)
        await asyncio.sleep(0.01)


@pytest.fixture
def clock() -> Iterator[HastyClock]:
    clock = HastyClock()
    pyrogram_repairs.repair(Retrying(clock, Random(1)))
    yield clock
    pyrogram_repairs.repair(Retrying(SystemClock(), Random(1)))


@pytest.fixture
async def client(clock: HastyClock, telegram: Sandbox, anna: Account, boris: Account) -> AsyncIterator[Client]:
    async with connect(telegram, anna.phone or "") as client:
        await client.get_users("boris")
        yield client


async def send(client: Client, random_id: int = 7, *, retries: int = 0) -> Any:
    peer = await client.resolve_peer("boris")
    query = functions.messages.SendMessage(peer=peer, message="once", random_id=random_id)
    return await client.invoke(query, retries=retries, timeout=5)


def texts(telegram: Sandbox, anna: Account, boris: Account) -> list[str]:
    return [message.text for message in telegram.messages(boris.id, anna.id)]


@pytest.mark.parametrize("code", [16, 17])
async def test_a_call_that_came_at_a_wrong_time_is_made_again(telegram, client, anna, boris, code) -> None:
    telegram.faults.notify_bad_message(anna.id, code)
    sent = await send(client)
    assert isinstance(sent.updates[0], types.UpdateMessageID)
    assert texts(telegram, anna, boris) == ["once"]


@pytest.mark.parametrize("code", [18, 19, 20, 32, 33, 34, 35, 64, 99])
async def test_a_notification_is_no_result_and_the_call_can_be_made_again(telegram, client, anna, boris, code) -> None:
    telegram.faults.notify_bad_message(anna.id, code)
    with pytest.raises(BadMessage):
        await send(client)
    await telegram.wait_for(lambda: telegram.sessions(anna.id), PATIENCE)
    await send(client)
    assert texts(telegram, anna, boris) == ["once"]


async def test_a_session_that_has_lost_count_is_given_up_for_a_new_one(telegram, client, anna, boris) -> None:
    before = client.session.session_id
    telegram.faults.notify_bad_message(anna.id, 33)
    with pytest.raises(BadMessage):
        await send(client)
    await send(client)
    assert client.session.session_id != before


@pytest.mark.parametrize("code", [16, 17, 20, 33, 64])
@pytest.mark.parametrize("method", ["Ping", "help.GetConfig"])
async def test_a_notification_while_connecting_costs_one_attempt(telegram, client, anna, code, method) -> None:
    telegram.faults.notify_bad_message(anna.id, code, method=method)
    await client.session.restart()
    assert (await client.get_me()).id == anna.id


@pytest.mark.parametrize("code", [16, 33])
async def test_notifications_without_end_end_the_call(telegram, client, anna, code) -> None:
    telegram.faults.notify_bad_message(anna.id, code, method="updates.GetState", times=1000)
    with pytest.raises(BadMessage):
        await client.invoke(functions.updates.GetState(), retries=0, timeout=5)


@pytest.mark.parametrize("retries", [0, 2])
async def test_a_call_is_made_once_more_than_its_retries_and_ends_with_telegrams_own_error(
    telegram, client, anna, clock, retries
) -> None:
    clock.slept.clear()
    telegram.faults.refuse(anna.id, 500, "RANDOM_ID_DUPLICATE", times=retries + 1)
    with pytest.raises(InternalServerError, match="RANDOM_ID_DUPLICATE"):
        await send(client, retries=retries)
    assert len(clock.slept) == retries
    await send(client, retries=0)


async def test_a_flood_wait_is_waited_for_by_the_client_itself_only_if_it_may(telegram, client, anna, clock) -> None:
    clock.slept.clear()
    telegram.faults.refuse(anna.id, 420, "FLOOD_WAIT_30", method="updates.GetState", times=2)
    with pytest.raises(FloodWait):
        await client.invoke(functions.updates.GetState(), retries=0, sleep_threshold=0)
    assert clock.slept == []
    state = await client.invoke(functions.updates.GetState(), retries=0, sleep_threshold=60)
    assert isinstance(state, types.updates.State)
    assert clock.slept == [timedelta(seconds=30)]


OFF = [-HOUR, HOUR, -timedelta(seconds=100), timedelta(seconds=200)]


@pytest.mark.parametrize("ours", [True, False], ids=["our clock", "the server's clock"])
@pytest.mark.parametrize("off", OFF, ids=str)
async def test_a_wrong_clock_keeps_nothing_from_going_out_or_coming_in(clock, off, ours) -> None:
    server_clock = SystemClock() if ours else HastyClock(off)
    clock.off = off if ours else timedelta(0)
    pyrogram_repairs.repair(Retrying(clock, Random(1)))
    heard = asyncio.Event()
    async with Sandbox(clock=server_clock) as telegram:
        anna = telegram.add_user(first_name="Anna", username="anna", phone="+79990000001")
        boris = telegram.add_user(first_name="Boris", username="boris", phone="+79990000002")
        async with connect(telegram, "+79990000001") as client:
            await client.get_users("boris")
            await send(client)

            async def handle(updates: Any) -> None:
                if isinstance(updates, types.Updates):
                    heard.set()

            client.handle_updates = handle
            for number in range(5):
                telegram.send(boris.id, anna.id, str(number))
            async with asyncio.timeout(PATIENCE):
                await heard.wait()
        assert texts(telegram, anna, boris)[0] == "once"


async def test_a_clock_that_is_set_while_connected_costs_nothing(telegram, client, anna, boris, clock) -> None:
    clock.off = HOUR
    await send(client)
    assert texts(telegram, anna, boris) == ["once"]
    assert clock.slept == []


async def test_a_call_while_telegram_is_away_fails_as_connections_do(
    telegram, client, anna, boris, monkeypatch
) -> None:
    monkeypatch.setattr(Session, "WAIT_TIMEOUT", 0.05)
    report_reconnects(client, reconnected=lambda: None, revoked=asyncio.Event())
    telegram.faults.lose_answers(anna.id)
    await telegram.refuse_connections()
    for _ in range(5):
        with pytest.raises(OSError):  # noqa: PT011 - a time-out or a closed connection
            await send(client)
    await telegram.accept_connections()
    await telegram.wait_for(lambda: telegram.sessions(anna.id), PATIENCE)
    monkeypatch.undo()
    telegram.faults.lose_answers(anna.id, times=-1)
    await send(client)
    assert texts(telegram, anna, boris) == ["once"]


async def test_a_connection_that_is_not_made_yet_can_be_used_and_closed(client) -> None:
    session = client.session
    await session.stop()
    session.connection = client_differences.make_connection(session)
    with pytest.raises(ConnectionError):
        await session.send(functions.Ping(ping_id=0))
    assert await session.connection.recv() is None
    await session.stop()


async def test_a_packet_does_not_wait_until_the_one_before_it_is_acknowledged(client) -> None:
    writer = client.session.connection.protocol.writer

    assert writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_connection_whose_packets_nobody_reads_can_be_closed(telegram, client) -> None:
    done = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=1) as server:
        use_server(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", telegram.public_key_pem)
        connection = client_differences.make_connection(client.session)
        await connection.connect()
        sending = asyncio.create_task(connection.send(bytes(MORE_THAN_BUFFERS_TAKE)))
        while not connection.protocol.lock.locked():  # noqa: ASYNC110 - of the client's
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await connection.close()
            await asyncio.wait({sending})
        done.set()


async def test_a_key_that_is_forgotten_for_a_moment_ends_nothing(telegram, client, anna) -> None:
    revoked = asyncio.Event()
    report_reconnects(client, reconnected=lambda: None, revoked=revoked)
    telegram.faults.transport_error(anna.id, 404, times=KEY_ATTEMPTS - 1)
    telegram.drop_connections(anna.id)
    await telegram.wait_for(lambda: telegram.sessions(anna.id), PATIENCE)
    assert not revoked.is_set()


async def test_a_key_that_stays_unknown_ends_the_session(telegram, client, anna) -> None:
    revoked = asyncio.Event()
    report_reconnects(client, reconnected=lambda: None, revoked=revoked)
    telegram.faults.transport_error(anna.id, 404)
    with pytest.raises(OSError):  # noqa: PT011 - a time-out or a closed connection
        await send(client)
    async with asyncio.timeout(PATIENCE):
        await revoked.wait()


@pytest.mark.parametrize("case", [(404, KEY_ATTEMPTS), (444, 1)])
async def test_connecting_ends_where_there_is_no_hope(telegram, client, anna, clock, case) -> None:
    code, attempts = case
    telegram.faults.transport_error(anna.id, code)
    with pytest.raises(TransportRefused):
        await client.session.restart()
    assert len([pause for pause in clock.slept if pause]) in (attempts - 1, attempts)


async def test_a_connection_that_has_to_wait_is_not_made_before(telegram, client, anna, clock) -> None:
    telegram.faults.refuse(anna.id, 420, "FLOOD_WAIT_3000", method="help.GetConfig")
    telegram.drop_connections(anna.id)
    await telegram.wait_for(lambda: telegram.sessions(anna.id), PATIENCE)
    async with asyncio.timeout(PATIENCE):
        await client.session.is_started.wait()
    assert timedelta(seconds=3000) in clock.slept


async def test_a_server_that_is_flooded_is_left_alone_for_longer(telegram, client, anna, clock) -> None:
    telegram.faults.transport_error(anna.id, 429, times=4)
    await client.session.restart()
    assert max(clock.slept) > RECONNECT_PAUSES.most
    assert (await client.get_me()).id == anna.id


async def test_connections_that_are_cut_again_and_again_come_back_more_and_more_slowly(
    telegram, client, anna, clock, monkeypatch
) -> None:
    failures = iter(range(20))
    opened = Session._open

    async def open_late(session: Session) -> None:
        if next(failures, None) is not None:
            raise ConnectionError
        await opened(session)

    monkeypatch.setattr(Session, "_open", open_late)
    await client.session.restart()
    assert clock.slept[0] < timedelta(seconds=1)
    assert RECONNECT_PAUSES.most / 2 <= clock.slept[-1] <= RECONNECT_PAUSES.most


async def test_a_connection_that_is_cut_in_the_moment_it_is_ready_is_made_again(client, anna, monkeypatch) -> None:
    send_query, cuts = Session.send, iter(range(1))

    async def send_and_cut(session: Session, query: Any, *args: Any, **options: Any) -> Any:
        result = await send_query(session, query, *args, **options)
        if isinstance(query, functions.InvokeWithLayer) and next(cuts, None) is not None:
            await session.connection.close()
            await asyncio.wait({session.recv_task})
        return result

    monkeypatch.setattr(Session, "send", send_and_cut)
    await client.session.restart()
    assert (await client.get_me()).id == anna.id
    assert next(cuts, None) is None


async def test_after_a_message_that_must_not_be_accepted_the_session_reconnects_and_says_so(
    telegram, client, anna, boris
) -> None:
    reconnected = asyncio.Event()
    report_reconnects(client, reconnected=reconnected.set, revoked=asyncio.Event())
    telegram.push_outdated(anna.id)
    async with asyncio.timeout(PATIENCE):
        await reconnected.wait()
    await send(client)
    assert texts(telegram, anna, boris) == ["once"]


async def test_a_client_that_is_stopped_while_it_connects_leaves_nothing_behind(
    telegram, clock, anna, monkeypatch
) -> None:
    text, send_query, hanging = await signed_in_session(telegram, anna.phone), Session.send, asyncio.Queue[Session]()

    async def send_or_hang(session: Session, query: Any, *args: Any, **options: Any) -> Any:
        if isinstance(query, functions.InvokeWithLayer):
            hanging.put_nowait(session)
            await asyncio.Event().wait()
        return await send_query(session, query, *args, **options)

    monkeypatch.setattr(Session, "send", send_or_hang)
    client = Client("anna", session_string=text, in_memory=True)
    starting = asyncio.create_task(started_client(client).__aenter__())
    async with asyncio.timeout(PATIENCE):
        session = await hanging.get()
        starting.cancel()
        await asyncio.wait({starting})
    assert session.recv_task.done()
    with pytest.raises(ProgrammingError, match="closed"):
        await client.storage.dc_id()


@pytest.mark.parametrize("happens", [Sandbox.push_unreadable, Sandbox.begin_sessions_anew])
async def test_what_may_have_been_lost_is_fetched(telegram, client, anna, happens) -> None:
    got: asyncio.Queue[Any] = asyncio.Queue()

    async def handle(updates: Any) -> None:
        got.put_nowait(updates)

    client.handle_updates = handle
    happens(telegram, anna.id)
    async with asyncio.timeout(PATIENCE):
        assert isinstance(await got.get(), types.UpdatesTooLong)
