"""A bot account in the sandbox: what Telegram refuses it, and what it is not told."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pyrogram import Client
from pyrogram.errors import BotMethodInvalid, PeerIdInvalid, UserIsBlocked, UserIsBot
from pyrogram.raw import functions, types

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from edge.userbot.telegram.server import use_server

PATIENCE = 10
EMPTY = types.InputPeerEmpty()
SELF = types.InputPeerSelf()
REFUSED = {
    "messages.getHistory": functions.messages.GetHistory(
        peer=SELF, offset_id=0, offset_date=0, add_offset=0, limit=1, max_id=0, min_id=0, hash=0
    ),
    "messages.getDialogs": functions.messages.GetDialogs(
        offset_date=0, offset_id=0, offset_peer=EMPTY, limit=1, hash=0
    ),
    "messages.getPeerDialogs": functions.messages.GetPeerDialogs(peers=[types.InputDialogPeer(peer=SELF)]),
    "messages.search": functions.messages.Search(
        peer=SELF,
        q="",
        filter=types.InputMessagesFilterEmpty(),
        min_date=0,
        max_date=0,
        offset_id=0,
        add_offset=0,
        limit=1,
        max_id=0,
        min_id=0,
        hash=0,
    ),
    "messages.readHistory": functions.messages.ReadHistory(peer=SELF, max_id=0),
    "contacts.importContacts": functions.contacts.ImportContacts(contacts=[]),
    "account.updateStatus": functions.account.UpdateStatus(offline=True),
    "account.getPassword": functions.account.GetPassword(),
    "messages.getCommonChats, which the sandbox does not have": functions.messages.GetCommonChats(
        user_id=types.InputUserSelf(), max_id=0, limit=1
    ),
}


@pytest.fixture
def robot(telegram: Sandbox) -> Account:
    return telegram.add_user(first_name="Robot", username="robot", bot=True)


@pytest.fixture
async def client(telegram: Sandbox, robot: Account) -> AsyncIterator[Client]:
    use_server(telegram.address, telegram.public_key_pem)
    async with Client("robot", 1, "hash", bot_token=robot.token, in_memory=True) as client:
        yield client


async def state(client: Client):
    return await client.invoke(functions.updates.GetState())


async def difference(client: Client, pts: int):
    return await client.invoke(functions.updates.GetDifference(pts=pts, date=0, qts=0))


async def test_what_only_users_may_call_is_refused(client: Client) -> None:
    for query in REFUSED.values():
        with pytest.raises(BotMethodInvalid):
            await client.invoke(query)


async def test_it_reads_single_messages_and_whom_it_has_met_without_an_access_hash(
    telegram: Sandbox, anna: Account, boris: Account, robot: Account, client: Client
) -> None:
    telegram.send(anna.id, robot.id, "hello")
    [got] = telegram.messages(robot.id, anna.id)
    found = await client.invoke(functions.messages.GetMessages(id=[types.InputMessageID(id=got.id)]))
    assert [message.message for message in found.messages] == ["hello"]
    people = [types.InputUser(user_id=one.id, access_hash=0) for one in (anna, boris)]
    assert [user.id for user in await client.invoke(functions.users.GetUsers(id=people))] == [anna.id]


async def test_it_alone_is_told_the_language_that_people_use(
    telegram: Sandbox, anna: Account, boris: Account, client: Client
) -> None:
    assert (await client.get_users("boris")).language_code == "ru"
    async with connect(telegram, anna.phone) as user:
        assert (await user.get_users("boris")).language_code is None


async def test_it_writes_to_nobody_who_has_not_written_to_it_and_to_no_bot(
    telegram: Sandbox, anna: Account, robot: Account, client: Client
) -> None:
    other = telegram.add_user(first_name="Other", username="other", bot=True)
    for name, error in (("anna", PeerIdInvalid), ("other", UserIsBot)):
        with pytest.raises(error):
            await client.send_message(name, "hello")
    telegram.send(anna.id, robot.id, "/start")
    assert (await client.send_message("anna", "hello")).chat.id == anna.id
    assert telegram.messages(other.id, robot.id) == []


async def test_it_is_not_told_what_it_sent_itself_nor_what_was_read_or_typed(
    telegram: Sandbox, anna: Account, robot: Account, client: Client
) -> None:
    before = (await state(client)).pts
    async with connect(telegram, anna.phone) as visitor:
        await visitor.send_message("robot", "question")
        await client.send_message(anna.id, "answer")
        await visitor.read_chat_history(robot.id)
    found = await difference(client, before)
    assert [message.message for message in found.new_messages] == ["question"]
    assert found.other_updates == []
    now = await state(client)
    assert (found.state.pts, now.unread_count) == (now.pts, 0)
    assert now.pts == before + 2


async def test_it_is_told_who_blocks_it_and_writes_to_them_no_more(
    telegram: Sandbox, anna: Account, robot: Account, client: Client
) -> None:
    told: asyncio.Queue = asyncio.Queue()
    client.handle_updates = told.put  # type: ignore[method-assign]
    telegram.send(anna.id, robot.id, "/start")
    before = await state(client)
    telegram.block(anna.id, robot.id)
    async with asyncio.timeout(PATIENCE):
        while not isinstance(update := (await told.get()).updates[0], types.UpdateBotStopped):
            pass
    assert (update.user_id, update.stopped, update.qts) == (anna.id, True, before.qts + 1)
    with pytest.raises(UserIsBlocked):
        await client.send_message(anna.id, "hello")
    telegram.block(anna.id, robot.id, blocked=False)
    assert (await client.send_message(anna.id, "hello")).text == "hello"
    query = functions.updates.GetDifference(pts=before.pts, date=0, qts=before.qts)
    missed = await client.invoke(query)
    assert [update.stopped for update in missed.other_updates] == [True, False]
    assert missed.state.qts == (await state(client)).qts == before.qts + 2


async def test_another_session_of_it_is_not_told_what_it_sent(
    telegram: Sandbox, anna: Account, robot: Account, client: Client
) -> None:
    seen: asyncio.Queue = asyncio.Queue()
    async with Client("second", 1, "hash", bot_token=robot.token, in_memory=True) as second:
        second.handle_updates = seen.put  # type: ignore[method-assign]
        telegram.send(anna.id, robot.id, "one")
        await client.send_message(anna.id, "answer")
        telegram.send(anna.id, robot.id, "two")
        async with asyncio.timeout(PATIENCE):
            texts = [update.message.message for _ in range(2) for update in (await seen.get()).updates]
    assert texts == ["one", "two"]
