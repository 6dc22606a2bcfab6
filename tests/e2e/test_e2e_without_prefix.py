"""Messages without the prefix: what a person sends in a row gets one answer, whatever they change and whoever dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import nats
import pytest

from edge.sandbox.state import Account
from edge.userbot.chat.record import Burst, from_json
from events.subjects import CHATS_BUCKET
from tests.e2e.conftest import BOT_TOO, WAIT, Product, a_new_second

TWIN = {"USERBOT_TRIGGERS": "private", "USERBOT_DEBOUNCE": "3"}


def writes(made: Product, visitor: Account, *texts: str) -> list[int]:
    """Return the ids of the visitor's copies."""
    return [made.telegram.send(visitor.id, made.owner.id, text).id for text in texts]


async def answered(made: Product, visitor: Account, *answers: str) -> None:
    """These answers came, and no other is on its way: one to somebody else would have come after it."""
    await made.until(lambda: len(made.answers(visitor)) >= len(answers))
    other = made.visitor()
    made.says(other, "Тимоха, привет")
    await made.until(lambda: made.answers(other))
    assert made.answers(visitor) == list(answers)


@asynccontextmanager
async def bursts_of(made: Product, visitor: Account) -> AsyncIterator["asyncio.Queue[Burst]"]:
    """Yield the bursts of a chat's record, each time that it is stored."""
    found: asyncio.Queue[Burst] = asyncio.Queue()

    async def read(message: nats.aio.msg.Msg) -> None:
        for burst in from_json(message.data).bursts if message.data else ():
            found.put_nowait(burst)

    connection = await nats.connect(made.nats.url)
    try:
        await connection.subscribe(f"$KV.{CHATS_BUCKET}.{made.owner.id}.{visitor.id}", cb=read)
        await connection.flush()
        yield found
    finally:
        await connection.close()


@pytest.mark.parametrize("bot", BOT_TOO)
async def test_a_burst_gets_one_answer_to_its_last_message_and_the_next_one_another(make_product, bot) -> None:
    made = await make_product(bot=bot, **TWIN)
    visitor = made.visitor()
    writes(made, visitor, "привет", "слушай", "ты где?")
    last = made.telegram.messages(made.owner.id, visitor.id)[-1]
    await answered(made, visitor, "привет\nслушай\nты где?")
    assert made.written(visitor)[0].reply_to == last.id
    writes(made, visitor, "понял.")
    await answered(made, visitor, "привет\nслушай\nты где?", "понял.")


async def test_what_is_edited_and_deleted_while_it_is_collected_is_asked_as_it_is_then(make_product) -> None:
    made = await make_product(**TWIN)
    visitor = made.visitor()
    first, second, _ = writes(made, visitor, "превет", "дурак", "ты где?")
    made.telegram.edit(visitor.id, first, "привет")
    made.telegram.delete(visitor.id, second)
    await answered(made, visitor, "привет\nты где?")
    made.telegram.edit(visitor.id, first, "пока")  # too late
    await answered(made, visitor, "привет\nты где?")


async def test_the_owner_who_writes_during_the_delay_answers_themselves(make_product) -> None:
    made = await make_product(USERBOT_TRIGGERS="private", USERBOT_DELAY="600")
    visitor = made.visitor()
    async with bursts_of(made, visitor) as bursts:
        writes(made, visitor, "ты где?")
        await asyncio.wait_for(bursts.get(), WAIT)
    await a_new_second()
    made.owner_says(visitor, "уже иду")
    await made.logged('"owner_took_over"')
    await answered(made, visitor, "уже иду")


async def test_a_userbot_killed_while_it_collects_answers_once_with_what_was_written_meanwhile(make_product) -> None:
    made = await make_product(**TWIN)
    visitor = made.visitor()
    async with bursts_of(made, visitor) as bursts:
        writes(made, visitor, "привет")
        await asyncio.wait_for(bursts.get(), WAIT)
        await made.kill("userbot")
    writes(made, visitor, "ты где?")
    await made.start("userbot")
    await answered(made, visitor, "привет\nты где?")


async def test_a_single_question_waits_a_second_and_the_prefix_not_at_all(make_product) -> None:
    """By the clock of the record."""
    made = await make_product(USERBOT_TRIGGERS="private")
    visitor = made.visitor()
    async with bursts_of(made, visitor) as bursts:
        writes(made, visitor, "ты где?")
        burst = await asyncio.wait_for(bursts.get(), WAIT)
        assert burst.due_at - burst.pieces[0].asked_at == timedelta(seconds=1)
        await answered(made, visitor, "ты где?")
        made.says(visitor, "Тимоха, а теперь?")
        await answered(made, visitor, "ты где?", "а теперь?")
        assert bursts.empty()


async def test_nobody_is_answered_who_has_not_called_the_account_where_no_trigger_says_so(make_product) -> None:
    made = await make_product(USERBOT_TRIGGERS="questions")
    visitor = made.visitor()
    writes(made, visitor, "привет", "/start")
    await answered(made, visitor)
    writes(made, visitor, "ты где?")
    await answered(made, visitor, "ты где?")
