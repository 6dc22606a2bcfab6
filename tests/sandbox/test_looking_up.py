"""Deleting, finding chats and who wrote first, in the sandbox's Telegram."""

from collections.abc import AsyncIterator

import pytest
from pyrogram import Client
from pyrogram.raw import types

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.userbot.driving.messenger import Undeliverable
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.messenger import TelegramMessenger
from edge.userbot.telegram.server import use_server

pytestmark = pytest.mark.usefixtures("repaired")


def messenger_of(client: Client, told: list) -> TelegramMessenger:
    return TelegramMessenger(client, TelegramApi(client, flood_waited=print), rate=100, on_updates=told.append)


@pytest.fixture
def told() -> list:
    """The updates that calls have returned."""
    return []


@pytest.fixture
async def messenger(people, told: list) -> TelegramMessenger:
    """Anna's."""
    return messenger_of(people.anna_client, told)


@pytest.fixture
async def robots(telegram: Sandbox, boris: Account, told: list) -> AsyncIterator[TelegramMessenger]:
    """A bot's, to which Boris has written."""
    robot = telegram.add_user(first_name="Robot", username="robot", bot=True)
    telegram.send(boris.id, robot.id, "/start")
    use_server(telegram.address, telegram.public_key_pem)
    async with Client("robot", 1, "hash", bot_token=robot.token, in_memory=True) as client:
        yield messenger_of(client, told)


async def test_a_message_disappears_from_both_sides_and_no_change_is_missing(
    people, telegram: Sandbox, messenger, told: list
) -> None:
    chat = await messenger.find_chat("@boris")
    assert chat == str(people.boris.id)
    line = await messenger.send(chat, FormattedText("thinking…"), reply_to=None, random_id=1)
    for _ in range(2):  # the second time it is gone
        await messenger.delete(chat, line)
    assert (
        telegram.messages(people.boris.id, people.anna.id) == telegram.messages(people.anna.id, people.boris.id) == []
    )
    deleted, again = (update.update for update in told[1:])
    assert isinstance(deleted, types.UpdateDeleteMessages)
    assert (deleted.pts, deleted.pts_count) == (again.pts, 1) == (telegram.pts(people.anna.id), 1)
    assert again.pts_count == 0


async def test_what_telegram_will_not_delete_is_undeliverable(people, telegram: Sandbox, messenger) -> None:
    telegram.faults.refuse(people.anna.id, 403, "MESSAGE_DELETE_FORBIDDEN", method="messages.DeleteMessages")
    chat = await messenger.find_chat("boris")
    with pytest.raises(Undeliverable, match="MESSAGE_DELETE_FORBIDDEN"):
        await messenger.delete(chat, 1)


async def test_a_chat_is_found_by_any_of_its_names_and_by_its_id_once_it_is_known(
    people, telegram: Sandbox, messenger
) -> None:
    vera = telegram.add_user(first_name="Vera")
    assert await messenger.find_chat(str(vera.id)) is None
    telegram.rename(people.boris.id, "bob", "bo_collectible")
    for name in ("@BOB", "bo_collectible", str(people.boris.id)):
        assert await messenger.find_chat(name) == str(people.boris.id)
    assert await messenger.find_chat("@boris") is None


async def test_whoever_has_written_the_first_message_is_known_even_in_a_long_chat(
    people, telegram: Sandbox, messenger
) -> None:
    anna, boris, vera = people.anna.id, people.boris.id, telegram.add_user(first_name="Vera", username="vera").id
    chats = [await messenger.find_chat(name) for name in ("boris", "vera")]
    assert [await messenger.wrote_first(chat) for chat in chats] == [None, None]
    for first, second in ((anna, boris), (vera, anna)):
        for number in range(120):
            telegram.send(*((first, second) if number % 2 == 0 else (second, first)), str(number))
    assert [await messenger.wrote_first(chat) for chat in chats] == [False, True]
    telegram.send(anna, anna, "note")
    assert await messenger.wrote_first(str(anna)) is None


async def test_a_chat_that_may_not_be_read_says_nothing_of_who_wrote_first(
    people, telegram: Sandbox, messenger
) -> None:
    telegram.send(people.boris.id, people.anna.id, "hello")
    chat = await messenger.find_chat("boris")
    telegram.faults.refuse(people.anna.id, 400, "CHAT_ADMIN_REQUIRED", method="messages.GetHistory")
    assert await messenger.wrote_first(chat) is None
    assert await messenger.wrote_first(chat) is True


async def test_our_own_line_is_found_in_saved_messages(people, telegram: Sandbox, messenger) -> None:
    own = str(people.anna.id)
    order = telegram.send(people.anna.id, people.anna.id, "/status")
    sent = await messenger.send(own, FormattedText("all is well"), reply_to=order.id, random_id=1)
    assert await messenger.find_own(own, "all is well", reply_to=order.id) == sent
    assert await messenger.find_own(own, "all is well", reply_to=None) is None


async def test_a_bot_deletes_and_finds_as_well_and_is_always_written_to_first(
    telegram: Sandbox, boris: Account, robots, told: list
) -> None:
    chat = await robots.find_chat("@boris")
    assert (chat, await robots.find_chat("@nobody_at_all"), await robots.wrote_first(chat)) == (
        str(boris.id),
        None,
        True,
    )
    line = await robots.send(chat, FormattedText("thinking…"), reply_to=None, random_id=1)
    await robots.delete(chat, line)
    assert [message.text for message in telegram.messages(boris.id, telegram.state.by_username("robot").id)] == [
        "/start"
    ]
    assert told[-1].update.messages == [line]
