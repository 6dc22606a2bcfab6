"""Signing in, signing up, finding people: stock pyrogram against the sandbox."""

from pathlib import Path

import pytest
from pyrogram import Client
from pyrogram.errors import (
    AccessTokenInvalid,
    AuthKeyUnregistered,
    BadRequest,
    BotMethodInvalid,
    PasswordHashInvalid,
    PeerIdInvalid,
    PhoneCodeExpired,
    PhoneCodeInvalid,
    PhoneNumberInvalid,
    SessionPasswordNeeded,
    UsernameNotOccupied,
)
from pyrogram.raw import functions
from pyrogram.types import InputPhoneContact

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect, signed_in_session
from edge.userbot.telegram.server import use_server


@pytest.fixture
async def stranger(telegram: Sandbox):
    use_server(telegram.address, telegram.public_key_pem)
    client = Client("stranger", 1, "hash", in_memory=True)
    await client.connect()
    yield client
    await client.disconnect()


async def test_the_code_signs_in_and_a_wrong_one_does_not(telegram: Sandbox, anna: Account, stranger: Client):
    sent = await stranger.send_code("+7 999 000-00-01")
    code = telegram.login_code(anna.phone)
    with pytest.raises(PhoneCodeInvalid):
        await stranger.sign_in(anna.phone, sent.phone_code_hash, f"{(int(code) + 1) % 100_000:05}")
    user = await stranger.sign_in(anna.phone, sent.phone_code_hash, code)
    assert (user.id, user.first_name, user.phone_number, user.is_self) == (anna.id, "Anna", "79990000001", True)
    with pytest.raises(PhoneCodeExpired):
        await stranger.sign_in(anna.phone, sent.phone_code_hash, code)


async def test_an_unknown_phone_signs_up(telegram: Sandbox, stranger: Client):
    phone = "+79990000009"
    sent = await stranger.send_code(phone)
    assert await stranger.sign_in(phone, sent.phone_code_hash, telegram.login_code(phone)) is False
    user = await stranger.sign_up(phone, sent.phone_code_hash, "Vera", "Volk")
    assert (user.first_name, user.last_name) == ("Vera", "Volk")
    assert (await stranger.get_me()).id == user.id


async def test_a_phone_without_digits_is_refused(stranger: Client):
    with pytest.raises(PhoneNumberInvalid):
        await stranger.send_code("Anna")


async def test_a_password_is_asked_for_after_the_code(telegram: Sandbox, stranger: Client):
    vera = telegram.add_user(first_name="Vera", phone="79990000003", password="тайна")
    sent = await stranger.send_code(vera.phone)
    with pytest.raises(SessionPasswordNeeded):
        await stranger.sign_in(vera.phone, sent.phone_code_hash, telegram.login_code(vera.phone))
    with pytest.raises(AuthKeyUnregistered):
        await stranger.get_me()
    with pytest.raises(PasswordHashInvalid):
        await stranger.check_password("guess")
    assert (await stranger.check_password("тайна")).id == vera.id


async def test_nothing_works_before_sign_in(stranger: Client):
    with pytest.raises(AuthKeyUnregistered):
        await stranger.invoke(functions.updates.GetState())


async def test_a_logged_out_client_is_signed_out(telegram: Sandbox, anna: Account, stranger: Client):
    sent = await stranger.send_code(anna.phone)
    await stranger.sign_in(anna.phone, sent.phone_code_hash, telegram.login_code(anna.phone))
    await stranger.invoke(functions.auth.LogOut())
    with pytest.raises(AuthKeyUnregistered):
        await stranger.get_me()


async def test_a_session_file_starts_signed_in(telegram: Sandbox, anna: Account, tmp_path: Path):
    await signed_in_session(telegram, anna.phone, session=tmp_path / "anna.session")
    async with Client("anna", workdir=str(tmp_path)) as client:
        assert client.me.id == anna.id


async def test_a_bot_signs_in_with_its_token_and_is_held_to_what_bots_may_do(telegram: Sandbox, stranger: Client):
    bot = telegram.add_user(first_name="Robot", username="robot", bot=True)
    with pytest.raises(AccessTokenInvalid):
        await stranger.sign_in_bot(f"{bot.id}:guess")
    user = await stranger.sign_in_bot(bot.token)
    assert (user.id, user.is_bot) == (bot.id, True)
    with pytest.raises(BotMethodInvalid):
        await anext(stranger.get_dialogs())


async def test_people_are_found_by_username_and_by_phone_once_a_contact(
    telegram: Sandbox, anna: Account, boris: Account
):
    async with connect(telegram, anna.phone) as client:
        found = await client.get_users("BORIS")
        assert (found.id, found.phone_number, found.language_code) == (boris.id, None, None)
        with pytest.raises(BadRequest, match=r"PEER_ID_INVALID|PHONE_NOT_OCCUPIED"):  # only kurigram asks Telegram
            await client.resolve_peer(boris.phone)
        await client.import_contacts([InputPhoneContact(boris.phone, "Boris")])
        assert (await client.get_users(boris.phone)).phone_number == boris.phone
        with pytest.raises(UsernameNotOccupied):
            await client.get_users("nobody")


async def test_a_stranger_cannot_be_addressed_by_id_alone(telegram: Sandbox, anna: Account, boris: Account):
    async with connect(telegram, anna.phone) as client:
        with pytest.raises(PeerIdInvalid):
            await client.send_message(boris.id, "hello")
        telegram.send(boris.id, anna.id, "hello")
        assert (await client.send_message(boris.id, "hello")).chat.id == boris.id


async def test_an_id_without_its_access_hash_is_nobody_to_a_user_even_after_a_message(telegram, anna, boris):
    telegram.send(boris.id, anna.id, "hello")
    async with connect(telegram, anna.phone) as client:
        with pytest.raises(PeerIdInvalid):
            await client.send_message(boris.id, "hello")
        assert [dialog.chat.id async for dialog in client.get_dialogs()] == [boris.id]
        assert (await client.send_message(boris.id, "hello")).chat.id == boris.id


async def test_an_unknown_method_is_refused_and_the_session_goes_on(telegram: Sandbox, anna: Account, caplog):
    async with connect(telegram, anna.phone) as client:
        with pytest.raises(Exception, match="INPUT_METHOD_INVALID"):
            await client.invoke(functions.help.GetSupport())
        assert "help.GetSupport" in caplog.text
        assert (await client.get_me()).id == anna.id


def test_some_user_ids_need_64_bits(anna: Account, boris: Account):
    assert max(anna.id, boris.id) > 2**31 > min(anna.id, boris.id)
