"""Buttons below a bot's messages, and what becomes of a press."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.errors import QueryIdInvalid

from edge.userbot.chat.incoming import Press
from edge.userbot.chat.record import Draft
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.messenger import Button
from edge.userbot.formatting.styled_text import Entity, FormattedText
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.rules import Rules
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.client_differences import callback_data
from edge.userbot.telegram.presses import MAX_WAITING, Presses
from tests.unit.conftest import ACCOUNT, CHAT
from tests.unit.test_userbot_calls import FakeClient, refused, sent, telegram

types = raw.types
DRAFT = Draft(chat="3", request_id="1.3.7.0", message_ids=(9,), shown=True)
BUTTONS = (Button("Да", "+"), Button("Нет", "-"))


def shown(markup: Any) -> list[list[tuple[str, bytes | None]]]:
    """Return the rows of buttons of a message that goes out."""
    return [[(button.text, callback_data(button)) for button in row.buttons] for row in markup.rows]


async def test_a_bot_sends_its_buttons_whatever_has_to_be_left_out_of_the_message() -> None:
    gone, badly = refused(400, "MESSAGE_ID_INVALID"), refused(400, "ENTITY_BOUNDS_INVALID")
    client = FakeClient(gone, badly, sent(), bot=True)
    bold = FormattedText("Отправить?", (Entity("bold", 0, 3),))
    await telegram(client).send("2", bold, reply_to=3, random_id=77, buttons=BUTTONS)
    for query in client.api:
        assert shown(query.reply_markup) == [[("Да", b"+"), ("Нет", b"-")]]
    assert len(client.api) == 3


@pytest.mark.parametrize(("bot", "buttons"), [(False, BUTTONS), (True, ())])
async def test_a_user_account_has_none(bot: bool, buttons: tuple[Button, ...]) -> None:
    client = FakeClient(sent(), bot=bot)
    await telegram(client).send("2", FormattedText("Отправить?"), reply_to=None, random_id=77, buttons=buttons)
    assert client.api[0].reply_markup is None


def press(number: int = 1, *, peer: Any = None, data: bytes | None = b"+") -> Any:
    return types.UpdateBotCallbackQuery(
        query_id=number, user_id=2, peer=peer or types.PeerUser(user_id=2), msg_id=9, chat_instance=0, data=data
    )


@asynccontextmanager
async def taking(client: FakeClient, receive: Callable[[Press], Any]) -> AsyncIterator[Presses]:
    presses = Presses(TelegramApi(client, flood_waited=lambda wait: None), receive)
    running = asyncio.create_task(presses.run())
    yield presses
    async with asyncio.timeout(10):
        while client.answers:  # noqa: ASYNC110 - a list
            await asyncio.sleep(0)
    assert not running.done()
    running.cancel()


async def test_a_press_is_answered_once_it_is_stored() -> None:
    client, taken = FakeClient(True, QueryIdInvalid()), []

    async def receive(one: Press) -> None:
        taken.append((one, len(client.api)))

    async with taking(client, receive) as presses:
        presses.put(press(1))
        presses.put(press(2, data=b"\xff"))
    assert taken == [(Press("2", 9, "+"), 0), (Press("2", 9, "\ufffd"), 1)]
    assert [(type(query).__name__, query.query_id) for query in client.api] == [
        ("SetBotCallbackAnswer", 1),
        ("SetBotCallbackAnswer", 2),
    ]


async def test_a_press_in_a_group_and_too_many_of_them_are_left_out() -> None:
    client, taken = FakeClient(*[True] * MAX_WAITING), []

    async def receive(one: Press) -> None:
        taken.append(one)

    async with taking(client, receive) as presses:
        presses.put(press(peer=types.PeerChat(chat_id=5)))
        for number in range(MAX_WAITING + 5):
            presses.put(press(number))
    assert taken == [Press("2", 9, "+")] * MAX_WAITING


async def test_the_owners_first_press_is_an_order_and_nobody_elses_is(places) -> None:
    edge = places.edge()
    ports = replace(edge.ports, owner_chat=CHAT, by_bot=True)
    own = OwnIntake(ports, edge.drivers, Rules)
    edge.drivers.hold()
    assert await own.receive_press(Press("3", 9, "+")) is Effect.SILENT
    await ports.chats.change(CHAT, lambda record: record.having(drafts=(DRAFT,)))
    assert await own.receive_press(Press(CHAT, 9, "+")) is Effect.ORDERED
    assert await own.receive_press(Press(CHAT, 9, "-")) is Effect.DUPLICATE
    [order] = (await ports.chats.load(CHAT)).orders
    assert (order.text, order.reply_to) == ("+", 9)
    assert (await ports.chats.load("3")).orders == ()


async def test_a_user_account_takes_no_presses(places) -> None:
    edge = places.edge()
    own = OwnIntake(replace(edge.ports, owner_chat=ACCOUNT), edge.drivers, Rules)
    assert await own.receive_press(Press(ACCOUNT, 9, "+")) is Effect.SILENT
