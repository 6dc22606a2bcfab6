"""Connecting a bot to an account: with a stock client of the person, and by hand."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pyrogram import Client, handlers
from pyrogram.errors import RPCError
from pyrogram.raw import functions, types

from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from edge.userbot.telegram.server import use_server
from events.errors import SettingsError
from tests.sandbox.business import Bot, ignore_updates


@pytest.fixture
async def owner(telegram: Sandbox, anna: Account, bot: Bot) -> AsyncIterator[Client]:
    """Anna's client."""
    async with connect(telegram, anna.phone) as client:
        yield client


async def updated(owner: Client, bot: str, recipients: Any, **changes: Any) -> Any:
    user = await owner.resolve_peer(bot)
    peer = types.InputUser(user_id=user.user_id, access_hash=user.access_hash)
    return await owner.invoke(functions.account.UpdateConnectedBot(bot=peer, recipients=recipients, **changes))


async def refusal(client: Client, query: Any, **options: Any) -> str:
    with pytest.raises(RPCError) as raised:
        await client.invoke(query, **options)
    return str(raised.value.ID)


async def test_a_person_connects_a_bot_changes_what_it_may_do_and_disconnects_it(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, owner: Client
) -> None:
    everyone = types.InputBusinessBotRecipients(existing_chats=True, new_chats=True)
    await updated(owner, "robot", everyone, rights=types.BusinessBotRights(reply=True))
    first = (await bot.next()).connection
    assert (first.user_id, first.dc_id, first.disabled, first.rights.reply) == (anna.id, 2, False, True)
    connected = await owner.invoke(functions.account.GetConnectedBots())
    assert [(one.bot_id, one.recipients.new_chats) for one in connected.connected_bots] == [(bot.account.id, True)]
    telegram.send(boris.id, anna.id, "question")
    assert (await bot.next()).connection_id == first.connection_id

    await updated(owner, "robot", everyone)
    second = (await bot.next()).connection
    assert (second.rights, second.connection_id != first.connection_id) == (None, True)
    ask = functions.account.GetBotBusinessConnection
    assert await refusal(bot.client, ask(connection_id=first.connection_id)) == "CONNECTION_ID_INVALID"
    assert (await bot.client.get_business_connection(second.connection_id)).user.id == anna.id

    other = telegram.add_user(first_name="Other", username="other", bot=True, business=True)
    await updated(owner, "other", everyone)
    replaced = (await bot.next()).connection
    assert (replaced.connection_id, replaced.disabled) == (second.connection_id, True)
    assert telegram.qts(other.id) == 1
    await updated(owner, "other", everyone, deleted=True)
    assert telegram.qts(other.id) == 2
    assert (await owner.invoke(functions.account.GetConnectedBots())).connected_bots == []
    telegram.send(boris.id, anna.id, "nobody is told")
    assert (telegram.qts(other.id), telegram.qts(bot.account.id)) == (2, 4)


async def test_what_a_person_can_not_connect(telegram: Sandbox, anna: Account, bot: Bot, owner: Client) -> None:
    telegram.add_user(first_name="Plain", username="plain", bot=True)
    everyone = types.InputBusinessBotRecipients(exclude_selected=True)
    for name, recipients, error in (
        ("plain", everyone, "BOT_BUSINESS_MISSING"),
        ("robot", types.InputBusinessBotRecipients(), "BUSINESS_RECIPIENTS_EMPTY"),
    ):
        with pytest.raises(RPCError, match=error):
            await updated(owner, name, recipients)
    telegram.faults.refuse(anna.id, 403, "PREMIUM_ACCOUNT_REQUIRED", method="account.UpdateConnectedBot")
    with pytest.raises(RPCError, match="PREMIUM_ACCOUNT_REQUIRED"):
        await updated(owner, "robot", everyone)
    assert telegram.qts(bot.account.id) == 0
    found = await owner.invoke(functions.contacts.ResolveUsername(username="robot"))
    assert found.users[0].bot_business


async def test_a_bot_is_paused_in_a_chat_or_put_out_of_it(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, owner: Client
) -> None:
    telegram.connect_business(anna.id, bot.account.id)
    peer = await owner.resolve_peer("boris")
    for query in (
        functions.account.ToggleConnectedBotPaused(peer=peer, paused=True),
        functions.account.ToggleConnectedBotPaused(peer=peer, paused=False),
        functions.account.DisablePeerConnectedBot(peer=peer),
    ):
        assert await owner.invoke(query) is True
        telegram.send(boris.id, anna.id, type(query).__name__)
    assert telegram.qts(bot.account.id) == 2
    telegram.disconnect_business(anna.id)
    with pytest.raises(RPCError, match="BUSINESS_BOT_MISSING"):
        await owner.invoke(functions.account.DisablePeerConnectedBot(peer=peer))


async def test_it_is_told_only_of_the_chats_that_fit_and_never_of_bots_and_saved_messages(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, owner: Client
) -> None:
    friend, stranger = telegram.add_user(first_name="Friend"), telegram.add_user(first_name="Stranger")
    other = telegram.add_user(first_name="Other", bot=True)
    telegram.add_contact(anna.id, friend.id)
    telegram.send(boris.id, anna.id, "before")
    boris_peer = await owner.resolve_peer("boris")
    user = types.InputUser(user_id=boris.id, access_hash=boris_peer.access_hash)
    chosen = types.InputBusinessBotRecipients

    async def told(recipients: Any) -> set[str]:
        before = await bot.state()
        await updated(owner, "robot", recipients)
        for account in (boris, friend, stranger, bot.account, other, anna):
            telegram.send(anna.id, account.id, account.first_name)
        missed = await bot.difference(before.pts, before.qts)
        assert [message.message for message in missed.new_messages] == ["Robot"]
        return {update.message.message for update in missed.other_updates[1:]}

    assert await told(chosen(contacts=True)) == {"Friend"}
    assert await told(chosen(existing_chats=True)) == {"Boris"}
    assert await told(chosen(new_chats=True)) == {"Friend", "Stranger"}
    assert await told(chosen(non_contacts=True, exclude_users=[user])) == {"Stranger"}
    assert await told(chosen(users=[user])) == {"Boris"}
    assert await told(chosen(users=[user], contacts=True, exclude_selected=True)) == {"Stranger"}


async def test_a_connection_of_another_data_centre_is_served_only_there(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot
) -> None:
    id_ = telegram.connect_business(anna.id, bot.account.id, dc_id=4)
    assert (await bot.next()).connection.dc_id == 4
    telegram.send(boris.id, anna.id, "question")
    await bot.next()
    sent = await bot.send(id_, boris.id, "answer")
    assert telegram.messages(boris.id, anna.id)[-1].text == "answer"
    assert await bot.next() == sent  # once: there are no updates from the other data centre
    assert (telegram.sessions(bot.account.id), bot.told.empty()) == (1, True)
    query = functions.messages.SendMessage(peer=bot.peer(boris.id), message="answer", random_id=2)
    here = functions.InvokeWithBusinessConnection(connection_id=id_, query=query)
    assert await refusal(bot.client, here) == "DC_ID_INVALID"
    export = functions.auth.ExportAuthorization
    assert await refusal(bot.client, export(dc_id=2)) == await refusal(bot.client, export(dc_id=3)) == "DC_ID_INVALID"
    taken = functions.auth.ImportAuthorization(id=1, bytes=b"guessed")
    assert await refusal(bot.client, taken) == "AUTH_BYTES_INVALID"


async def test_a_bot_written_with_the_client_alone_answers_over_another_data_centre(
    telegram: Sandbox, anna: Account, boris: Account, robot: Account
) -> None:
    async def echo(_client: Any, message: Any) -> None:
        if not message.outgoing:
            await message.reply_text(f"{message.chat.first_name}: {message.text}")

    use_server(telegram.address, telegram.public_key_pem)
    async with Client("echo", 1, "hash", bot_token=robot.token, in_memory=True) as client:
        client.add_handler(handlers.BusinessMessageHandler(echo))
        telegram.connect_business(anna.id, robot.id, dc_id=4)
        telegram.send(boris.id, anna.id, "question")
        chat = await telegram.wait_for(lambda: telegram.messages(boris.id, anna.id)[1:])
        assert [message.text for message in chat] == ["Boris: question"]
        client.handle_updates = ignore_updates


async def test_connections_outlive_a_restart_of_the_server(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot
) -> None:
    id_ = telegram.connect_business(anna.id, bot.account.id)
    telegram.send(boris.id, anna.id, "question")
    assert [(await bot.next()).qts, (await bot.next()).qts] == [1, 2]
    first = await bot.send(id_, boris.id, "answer")
    assert await bot.next() == first
    await telegram.refuse_connections()
    async with Sandbox(state=telegram.state) as later:
        assert await bot.send(id_, boris.id, "another") == first
        later.send(boris.id, anna.id, "thanks")
        assert ((await bot.next()).message.message, later.qts(bot.account.id)) == ("thanks", 4)


@pytest.mark.skipif(HAS_BUSINESS, reason="kurigram knows Business connections")
async def test_with_pyrogram_there_are_none(telegram: Sandbox, anna: Account) -> None:
    plain = telegram.add_user(first_name="Robot", bot=True, business=True)
    with pytest.raises(SettingsError, match="install kurigram"):
        telegram.connect_business(anna.id, plain.id)
