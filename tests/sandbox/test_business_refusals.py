"""What a connected bot may not do in a person's name."""

import asyncio
from typing import Any

import pytest
from pyrogram.errors import RPCError
from pyrogram.raw import functions, types

from edge.sandbox.rpc_business import ANSWERABLE
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from tests.sandbox.business import Bot

SEND = functions.messages.SendMessage


async def refusal(bot: Bot, connection: str, query: Any) -> tuple[int, str]:
    with pytest.raises(RPCError) as raised:
        await bot.invoke(connection, query)
    return raised.value.CODE, str(raised.value.ID)


async def of_sending(bot: Bot, connection: str, user_id: int) -> tuple[int, str]:
    return await refusal(bot, connection, SEND(peer=bot.peer(user_id), message="answer", random_id=1))


async def test_an_old_or_a_disabled_connection_is_invalid(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, connection: str
) -> None:
    # The client asks for the data centre of a connection that it does not know, so let it know them all.
    new = telegram.connect_business(anna.id, bot.account.id)
    bot.client.business_connections |= dict.fromkeys((new, connection, "unknown"), 2)
    invalid = (400, "BUSINESS_CONNECTION_INVALID")
    assert await of_sending(bot, connection, boris.id) == await of_sending(bot, "unknown", boris.id) == invalid
    await bot.send(new, boris.id, "answer")
    telegram.disable_business(anna.id)
    assert await of_sending(bot, new, boris.id) == invalid
    telegram.disconnect_business(anna.id)
    assert await of_sending(bot, new, boris.id) == invalid


async def test_without_the_right_it_may_not_do_it(telegram: Sandbox, anna: Account, boris: Account, bot: Bot) -> None:
    id_ = telegram.connect_business(anna.id, bot.account.id, can_reply=False)
    assert (await bot.next()).connection.rights.reply is False
    telegram.send(boris.id, anna.id, "question")
    assert (await bot.next()).message.message == "question"
    assert await of_sending(bot, id_, boris.id) == (403, "BOT_ACCESS_FORBIDDEN")
    typing = functions.messages.SetTyping(peer=bot.peer(boris.id), action=types.SendMessageTypingAction())
    assert await refusal(bot, id_, typing) == (403, "BOT_ACCESS_FORBIDDEN")
    await bot.invoke(id_, functions.messages.ReadHistory(peer=bot.peer(boris.id), max_id=0))


async def test_it_writes_only_in_chosen_chats_to_those_who_have_written_lately(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, connection: str
) -> None:
    vera, galya = telegram.add_user(first_name="Vera"), telegram.add_user(first_name="Galya")
    for user in (vera, galya):
        telegram.send(anna.id, user.id, "hello")
        await bot.next()
    assert await of_sending(bot, connection, vera.id) == (400, "BUSINESS_PEER_USAGE_MISSING")
    telegram.faults.silent_chat = "BUSINESS_PEER_INVALID"
    telegram.messages(anna.id, boris.id)[0].date -= ANSWERABLE
    assert await of_sending(bot, connection, boris.id) == (400, "BUSINESS_PEER_INVALID")
    telegram.send(boris.id, anna.id, "again")
    await bot.send(connection, boris.id, "answer")

    chosen = telegram.connect_business(anna.id, bot.account.id, chats=[vera.id])
    assert await of_sending(bot, chosen, boris.id) == (400, "BUSINESS_PEER_INVALID")
    all_but = telegram.connect_business(anna.id, bot.account.id, exclude=[boris.id])
    assert await of_sending(bot, all_but, boris.id) == (400, "BUSINESS_PEER_INVALID")
    delete = functions.messages.DeleteMessages(id=[telegram.messages(anna.id, boris.id)[0].id])
    assert await refusal(bot, all_but, delete) == (400, "BUSINESS_PEER_INVALID")
    unknown = SEND(peer=types.InputPeerUser(user_id=boris.id, access_hash=1), message="answer", random_id=1)
    assert await refusal(bot, all_but, unknown) == (400, "PEER_ID_INVALID")
    hashless = SEND(peer=types.InputPeerUser(user_id=vera.id, access_hash=0), message="answer", random_id=2)
    telegram.send(vera.id, anna.id, "hello")
    assert (await bot.one(all_but, hashless)).message.peer_id.user_id == vera.id
    telegram.faults.needs_hashes = True
    assert await refusal(bot, all_but, hashless) == (400, "PEER_ID_INVALID")
    to_itself = SEND(peer=types.InputPeerSelf(), message="answer", random_id=1)
    assert await refusal(bot, all_but, to_itself) == (400, "PEER_ID_INVALID")


async def test_few_methods_go_through_a_connection_and_only_a_bots(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, connection: str
) -> None:
    not_allowed = (400, "BUSINESS_CONNECTION_NOT_ALLOWED")
    assert await refusal(bot, connection, functions.updates.GetState()) == not_allowed
    async with connect(telegram, boris.phone) as visitor:
        query = SEND(peer=await visitor.resolve_peer("anna"), message="answer", random_id=1)
        wrapped = functions.InvokeWithBusinessConnection(connection_id=connection, query=query)
        with pytest.raises(RPCError, match="BUSINESS_CONNECTION_NOT_ALLOWED"):
            await visitor.invoke(wrapped)
        with pytest.raises(RPCError, match="USER_BOT_REQUIRED"):
            await visitor.invoke(functions.account.GetBotBusinessConnection(connection_id=connection))


async def test_each_refusal_can_be_planned_for_a_chat_and_so_can_lost_answers(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, connection: str
) -> None:
    vera = telegram.add_user(first_name="Vera")
    telegram.send(vera.id, anna.id, "hello")
    await bot.next()
    for planned in (
        (400, "BUSINESS_CONNECTION_INVALID"),
        (400, "BUSINESS_PEER_INVALID"),
        (400, "BUSINESS_PEER_USAGE_MISSING"),
        (400, "PEER_ID_INVALID"),
        (403, "BOT_ACCESS_FORBIDDEN"),
    ):
        telegram.faults.refuse(bot.account.id, *planned, peer_id=boris.id)
        await bot.send(connection, vera.id, "to Vera", random_id=bot.client.rnd_id())
        assert await of_sending(bot, connection, boris.id) == planned
    telegram.faults.lose_answers(bot.account.id)
    unanswered = asyncio.create_task(bot.send(connection, boris.id, "answer", random_id=7))
    await telegram.wait_for(lambda: len(telegram.messages(boris.id, anna.id)) == 2)
    await telegram.wait_for(lambda: telegram.sessions(bot.account.id) == 1)
    assert (await bot.send(connection, boris.id, "answer", random_id=7)).message.message == "answer"
    assert len(telegram.messages(boris.id, anna.id)) == 2
    unanswered.cancel()
    await asyncio.gather(unanswered, return_exceptions=True)
