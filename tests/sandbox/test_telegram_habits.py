"""What Telegram does every day, and the sandbox on demand: containers, compression, new salts, another data centre."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
from pyrogram import Client
from pyrogram.raw import functions, types

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from edge.userbot.telegram import pyrogram_repairs
from edge.userbot.telegram.server import use_server
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

PATIENCE = 20


@pytest.fixture(autouse=True)
def _repaired() -> None:
    pyrogram_repairs.repair(Retrying(SystemClock(), Random(1)))


@pytest.fixture
async def client(telegram: Sandbox, anna: Account, boris: Account) -> AsyncIterator[Client]:
    async with connect(telegram, anna.phone) as client:
        await client.get_users("boris")
        yield client


async def send(client: Client, text: str):
    peer = await client.resolve_peer("boris")
    query = functions.messages.SendMessage(peer=peer, message=text, random_id=len(text))
    return await client.invoke(query, retries=0, timeout=5)


def written(telegram: Sandbox, sender: Account, reader: Account) -> list[str]:
    return [message.text for message in telegram.messages(reader.id, sender.id)]


async def test_what_comes_compressed_and_in_containers_is_understood(telegram, client, anna, boris) -> None:
    telegram.faults.packs = True
    heard: asyncio.Queue = asyncio.Queue()
    client.handle_updates = heard.put
    assert isinstance((await send(client, "x" * 4000)).updates[0], types.UpdateMessageID)
    telegram.send(boris.id, anna.id, "y" * 4000)
    async with asyncio.timeout(PATIENCE):
        while not isinstance(updates := await heard.get(), types.Updates):
            pass
    assert updates.updates[0].message.message == "y" * 4000
    assert [message.text async for message in client.get_chat_history("boris")] == ["y" * 4000, "x" * 4000]


async def test_a_new_salt_costs_no_call_and_no_connection(telegram, client, anna, boris) -> None:
    session = client.session.session_id
    telegram.change_salts(anna.id)
    await asyncio.gather(*(send(client, "x" * length) for length in range(1, 9)))
    telegram.change_salts(anna.id)
    await send(client, "x" * 9)
    assert sorted(written(telegram, anna, boris)) == ["x" * length for length in range(1, 10)]
    assert client.session.session_id == session


@pytest.mark.parametrize("bot", [False, True])
async def test_an_account_that_is_at_home_elsewhere_is_signed_in_there(telegram, anna, bot) -> None:
    robot = telegram.add_user(first_name="Robot", bot=True)
    telegram.faults.move_sign_in(4)
    use_server(telegram.address, telegram.public_key_pem)
    if bot:
        async with Client("robot", 1, "hash", bot_token=robot.token, in_memory=True) as client:
            assert (client.me.id, await client.storage.dc_id()) == (robot.id, 4)
    else:
        async with connect(telegram, anna.phone) as client:
            assert (client.me.id, await client.storage.dc_id()) == (anna.id, 4)
