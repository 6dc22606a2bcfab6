"""What a server of Telegram's refuses before it looks at a call, and answers that lead nowhere."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from pyrogram import Client
from pyrogram.errors import BadRequest, FloodWait
from pyrogram.raw import functions, types
from pyrogram.session import Session

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from edge.userbot.telegram import client_differences, pyrogram_repairs
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

PATIENCE = 20


@pytest.fixture(autouse=True)
def _repaired() -> None:
    """Some refusals are in no list of pyrogram's, which would leave a file behind."""
    pyrogram_repairs.repair(Retrying(SystemClock(), Random()))


@pytest.fixture
async def client(telegram: Sandbox, anna: Account, boris: Account):
    async with connect(telegram, anna.phone) as client:
        await client.get_users("boris")
        yield client


async def reply(client: Client, to: int):
    peer, reply_to = await client.resolve_peer("boris"), client_differences.reply_fields(to)
    query = functions.messages.SendMessage(peer=peer, message="yes", random_id=7, **reply_to)
    return await client.invoke(query, retries=0, timeout=2)


@pytest.mark.parametrize("name", ["REPLY_MESSAGE_ID_INVALID", "REPLY_TO_INVALID"])
async def test_a_reply_to_a_message_that_is_not_there_is_refused(telegram, client, anna, boris, name):
    telegram.faults.unknown_reply = name
    with pytest.raises(BadRequest, match=name):
        await reply(client, to=404)
    assert telegram.messages(boris.id, anna.id) == []


async def test_a_reply_to_a_message_of_another_chat_is_refused(telegram, client, anna, boris):
    telegram.send(anna.id, anna.id, "a note")
    [note] = telegram.messages(anna.id, anna.id)
    with pytest.raises(BadRequest):
        await reply(client, to=note.id)


async def test_a_reply_to_a_message_that_is_not_there_can_be_sent_without_it(telegram, client, anna, boris):
    telegram.faults.unknown_reply = None
    await reply(client, to=404)
    [sent] = telegram.messages(boris.id, anna.id)
    assert (sent.text, sent.reply_to) == ("yes", None)


async def test_a_slice_can_stand_still(telegram, client, anna, boris):
    telegram.send(boris.id, anna.id, "news")
    telegram.faults.stuck_slices(anna.id)
    query = functions.updates.GetDifference(pts=1, date=0, qts=0)
    stuck = await client.invoke(query)
    assert isinstance(stuck, types.updates.DifferenceSlice)
    assert (stuck.intermediate_state.pts, stuck.new_messages) == (1, [])
    assert (await client.invoke(query)).new_messages[0].message == "news"


async def test_a_message_can_be_answered_by_a_notification_and_is_then_not_obeyed(telegram, client, anna, boris):
    telegram.faults.notify_bad_message(anna.id, 20)
    answered = asyncio.ensure_future(
        client.session.send(
            functions.messages.SendMessage(peer=await client.resolve_peer("boris"), message="lost", random_id=7)
        )
    )
    outcome = (await asyncio.gather(answered, return_exceptions=True))[0]
    assert 20 in (getattr(outcome, "error_code", 0), getattr(outcome, "code", 0))  # as pyrogram has it, or mended
    assert telegram.messages(boris.id, anna.id) == []


async def test_packets_can_be_answered_by_a_transport_error(telegram, client, anna, monkeypatch):
    monkeypatch.setattr(Session, "WAIT_TIMEOUT", 0.1)
    telegram.faults.transport_error(anna.id, 404, times=1)
    with pytest.raises(TimeoutError):
        await client.invoke(functions.updates.GetState(), retries=0, timeout=1)
    await telegram.wait_for(lambda: telegram.sessions(anna.id), PATIENCE)
    assert (await client.get_me()).id == anna.id


async def test_something_that_no_client_can_read_can_be_pushed(telegram, client, anna):
    telegram.push_unreadable(anna.id)
    assert (await client.get_me()).id == anna.id


class Stopped:
    """A clock that stands still."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(0)


async def test_a_sandbox_lives_by_the_clock_that_it_is_given():
    then = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=200)
    async with Sandbox(clock=Stopped(then)) as telegram:
        anna = telegram.add_user(first_name="Anna", phone="+79990000001")
        telegram.send(anna.id, anna.id, "a note")
        assert telegram.messages(anna.id, anna.id)[0].date == then.timestamp()
        telegram.faults.flood_wait(anna.id, 1, method="updates.GetState")
        async with connect(telegram, "+79990000001") as client:
            assert (await client.invoke(functions.help.GetConfig())).date == then.timestamp()
            for _ in range(2):  # its second is never over
                with pytest.raises(FloodWait):
                    await client.invoke(functions.updates.GetState(), sleep_threshold=0)


async def test_what_comes_while_a_visitor_leaves_meets_no_closed_session(telegram, anna):
    stored = []

    async def store(peers):
        stored.extend(peers)

    async with connect(telegram, anna.phone) as client:
        users = await client.invoke(functions.users.GetUsers(id=[types.InputUserSelf()]))
        client.storage.update_peers = store
    stored.clear()
    await client.handle_updates(types.Updates(updates=[], users=users, chats=[], date=0, seq=0))
    assert stored == []
