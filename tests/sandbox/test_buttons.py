"""A bot's inline buttons: stock pyrogram over the sandbox."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pyrogram import Client
from pyrogram.errors import (
    BotMethodInvalid,
    BotResponseTimeout,
    ButtonDataInvalid,
    DataInvalid,
    MessageIdInvalid,
    MessageNotModified,
    QueryIdInvalid,
)
from pyrogram.handlers import CallbackQueryHandler, RawUpdateHandler
from pyrogram.raw import functions
from pyrogram.raw.types import UpdateBotCallbackQuery
from pyrogram.raw.types.messages import BotCallbackAnswer
from pyrogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.userbot.chat.incoming import Press
from edge.userbot.driving.messenger import Button
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.messenger import TelegramMessenger
from edge.userbot.telegram.presses import Presses
from edge.userbot.telegram.server import use_server

pytestmark = pytest.mark.usefixtures("repaired")

PATIENCE = 10
YES_OR_NO = InlineKeyboardMarkup(
    [[InlineKeyboardButton("Yes", callback_data=b"+7"), InlineKeyboardButton("No", callback_data=b"-7")]]
)


@pytest.fixture
def robot(telegram: Sandbox, anna: Account) -> Account:
    robot = telegram.add_user(first_name="Robot", username="robot", bot=True)
    telegram.send(anna.id, robot.id, "/start")
    return robot


@pytest.fixture
async def bot(telegram: Sandbox, robot: Account) -> AsyncIterator[Client]:
    use_server(telegram.address, telegram.public_key_pem)
    async with Client("robot", 1, "hash", bot_token=robot.token, in_memory=True) as client:
        yield client


@pytest.fixture
async def presses(bot: Client) -> asyncio.Queue:
    pressed: asyncio.Queue = asyncio.Queue()

    async def take(_client: Client, query) -> None:
        pressed.put_nowait(query)

    bot.add_handler(CallbackQueryHandler(take))
    return pressed


@pytest.fixture
async def user(people, robot: Account) -> Client:
    await people.anna_client.get_users("robot")
    return people.anna_client


async def newest(user: Client):
    return await anext(user.get_chat_history("robot", limit=1))


async def test_a_press_reaches_the_bot_and_its_answer_the_user(bot: Client, user: Client, presses, anna) -> None:
    sent = await bot.send_message(anna.id, "Send it?", reply_markup=YES_OR_NO)
    shown = await newest(user)
    assert [button.text for button in shown.reply_markup.inline_keyboard[0]] == ["Yes", "No"]
    pressing = asyncio.create_task(user.request_callback_answer("robot", shown.id, b"+7"))
    query = await asyncio.wait_for(presses.get(), PATIENCE)
    assert (query.data, query.from_user.id, query.message.id, query.message.chat.id) == (
        "+7",
        anna.id,
        sent.id,
        anna.id,
    )
    assert not pressing.done()
    await query.answer("Sent", show_alert=True)
    answer = await pressing
    assert (answer.message, answer.alert) == ("Sent", True)
    with pytest.raises(QueryIdInvalid):
        await query.answer("Sent again")


async def test_the_buttons_go_with_the_next_edit(bot: Client, user: Client, anna) -> None:
    sent = await bot.send_message(anna.id, "Send it?", reply_markup=YES_OR_NO)
    with pytest.raises(MessageNotModified):
        await bot.edit_message_text(anna.id, sent.id, "Send it?", reply_markup=YES_OR_NO)
    await bot.edit_message_text(anna.id, sent.id, "Send it now?", reply_markup=YES_OR_NO)
    assert (await newest(user)).reply_markup
    await bot.edit_message_reply_markup(anna.id, sent.id)
    assert ((await newest(user)).text, (await newest(user)).reply_markup) == ("Send it now?", None)
    await bot.edit_message_reply_markup(anna.id, sent.id, reply_markup=YES_OR_NO)
    await bot.edit_message_text(anna.id, sent.id, "Sent")
    assert ((await newest(user)).text, (await newest(user)).reply_markup) == ("Sent", None)
    with pytest.raises(DataInvalid):
        await user.request_callback_answer("robot", (await newest(user)).id, b"+7")


async def test_what_can_not_be_pressed_is_refused(bot: Client, user: Client, anna, robot) -> None:
    await bot.send_message(anna.id, "Send it?", reply_markup=YES_OR_NO)
    shown = await newest(user)
    with pytest.raises(DataInvalid):
        await user.request_callback_answer("robot", shown.id, b"forged")
    with pytest.raises(MessageIdInvalid):
        await user.request_callback_answer("robot", 999, b"+7")
    with pytest.raises(BotMethodInvalid):
        await bot.request_callback_answer(anna.id, shown.id, b"+7")
    with pytest.raises(QueryIdInvalid):
        await bot.invoke(functions.messages.SetBotCallbackAnswer(query_id=99, cache_time=0))
    long = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data=b"+" * 65)]])
    with pytest.raises(ButtonDataInvalid):
        await bot.send_message(anna.id, "Send it?", reply_markup=long)


async def test_a_bot_that_does_not_answer_in_time_leaves_the_user_without_an_answer(
    telegram: Sandbox, bot: Client, user: Client, presses, anna
) -> None:
    telegram.faults.bot_patience = 0.01
    await bot.send_message(anna.id, "Send it?", reply_markup=YES_OR_NO)
    with pytest.raises(BotResponseTimeout):
        await user.request_callback_answer("robot", (await newest(user)).id, b"+7")
    query = await asyncio.wait_for(presses.get(), PATIENCE)
    with pytest.raises(QueryIdInvalid):
        await query.answer("Too late")


async def test_users_have_no_buttons(people, user: Client) -> None:
    await user.send_message("boris", "Send it?", reply_markup=YES_OR_NO)
    assert (await anext(people.boris_client.get_chat_history("anna", limit=1))).reply_markup is None


async def test_somebody_without_a_client_presses_too(telegram: Sandbox, bot: Client, presses, anna, robot) -> None:
    await bot.send_message(anna.id, "Send it?", reply_markup=YES_OR_NO)
    shown = telegram.messages(anna.id, robot.id)[-1]
    press = telegram.press(anna.id, robot.id, shown.id, b"-7")
    await (await asyncio.wait_for(presses.get(), PATIENCE)).answer("Dropped")
    answer = await telegram.wait_for(lambda: press.answer)
    assert (isinstance(answer, BotCallbackAnswer), answer.message) == (True, "Dropped")


async def test_the_userbots_buttons_are_shown_and_a_press_of_one_is_taken_and_answered(
    telegram: Sandbox, bot: Client, user: Client, anna
) -> None:
    taken: asyncio.Queue = asyncio.Queue()
    api = TelegramApi(bot, flood_waited=print)
    presses = Presses(api, taken.put)
    bot.add_handler(RawUpdateHandler(put_presses_into(presses)))
    messenger = TelegramMessenger(bot, api, rate=100, on_updates=id)
    sent = await messenger.send(
        str(anna.id), FormattedText("Send it?"), reply_to=None, random_id=1, buttons=[Button("Yes", "+")]
    )
    running = asyncio.create_task(presses.run())
    answer = await user.request_callback_answer("robot", (await newest(user)).id, b"+")
    running.cancel()
    assert (taken.get_nowait(), answer.message) == (Press(str(anna.id), sent, "+"), None)


def put_presses_into(presses: Presses):
    async def take(_client: Client, update, _users, _chats) -> None:
        if isinstance(update, UpdateBotCallbackQuery):
            presses.put(update)

    return take
