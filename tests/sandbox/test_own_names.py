"""The account's usernames come with the sign-in, and with every change."""

import pytest
from pyrogram import Client

from edge.sandbox.visitor import API_HASH, API_ID, signed_in_session
from edge.userbot.telegram.server import use_server
from edge.userbot.telegram.updates import Updates


@pytest.mark.parametrize("bot", [False, True])
async def test_the_names_are_known_from_the_start_and_follow_changes(telegram, tmp_path, bot) -> None:
    phone = None if bot else "+79990000007"
    owner = telegram.add_user(first_name="Тимоха", username="Timokha_bot", phone=phone, bot=bot)
    if phone:
        await signed_in_session(telegram, phone, session=tmp_path / "owner.session")
    use_server(telegram.address, telegram.public_key_pem)
    client = Client("owner", API_ID, API_HASH, workdir=str(tmp_path), bot_token=owner.token)
    updates = Updates(client)
    async with client:
        assert updates.names.active == {"timokha_bot"}
        updates.listen(str(owner.id), lambda item: None)
        telegram.rename(owner.id, "Tim", "Collectible")
        await client.get_me()  # which shows the account as well as the push does
        assert updates.names.active == {"tim", "collectible"}
        telegram.rename(owner.id)
        await client.get_me()
        assert updates.names.active == set()
