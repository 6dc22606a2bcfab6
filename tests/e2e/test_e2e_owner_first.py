"""The owner writes in a chat, from another device: what was being answered there is not answered any more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pyrogram import Client

from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from tests.e2e.conftest import OWNER_PHONE, Product, a_new_second

SLOW_MODEL = {"GENERATE_ECHO_DELAY": "3"}
LONG = "слово за словом, " * 200


@asynccontextmanager
async def second_session(made: Product) -> AsyncIterator[Client]:
    """The owner's phone, a stock client."""
    await a_new_second()
    async with connect(made.telegram, OWNER_PHONE) as client:
        yield client


async def owner_writes(client: Client, visitor: Account, text: str) -> None:
    await client.get_dialogs().__anext__()  # so that the client knows the visitor
    await client.send_message(visitor.id, text)


def texts(made: Product, visitor: Account) -> list[str]:
    return [message.text for message in made.written(visitor)]


async def asked_and_thought_about(made: Product, visitor: Account) -> None:
    made.says(visitor, "Тимоха, как дела?")
    await made.until(lambda: made.written(visitor))


async def answers_another(made: Product) -> None:
    """By then an answer to an earlier question would have been sent."""
    other = made.visitor()
    made.says(other, "Тимоха, привет")
    await made.until(lambda: made.answers(other))


async def test_the_owner_who_writes_drops_the_answer_and_its_thinking_line_and_pauses_the_chat(make_product) -> None:
    made = await make_product(**SLOW_MODEL)
    visitor = made.visitor()
    async with second_session(made) as owner:
        await asked_and_thought_about(made, visitor)
        await owner_writes(owner, visitor, "отвечу сам")
        await made.logged('"owner_took_over"')
    await made.until(lambda: texts(made, visitor) == ["отвечу сам"])
    made.says(visitor, "Тимоха, а теперь?")
    await made.logged('"paused"')
    await answers_another(made)
    assert texts(made, visitor) == ["отвечу сам"]


async def test_the_chat_is_answered_again_after_the_pause(make_product) -> None:
    made = await make_product(USERBOT_OWNER_PAUSE="0.1")
    visitor = made.visitor()
    made.says(visitor, "привет")
    async with second_session(made) as owner:
        await owner_writes(owner, visitor, "я тут")
        await made.logged('"owner_wrote"')
    made.says(visitor, "Тимоха, раз")
    await made.until(lambda: len(made.answers(visitor)) == 2)


async def test_answers_that_telegram_shows_as_the_accounts_own_pause_nothing(make_product) -> None:
    """Killed, the userbot fetches its own messages as changes of the account."""
    made = await make_product()
    visitor = made.visitor()
    made.says(visitor, f"Тимоха, {LONG}")
    await made.until(lambda: made.answers(visitor))
    await made.kill("userbot")
    await made.start("userbot")
    made.says(visitor, "Тимоха, ещё раз")
    await made.until(lambda: any("ещё раз" in text for text in made.answers(visitor)))
    assert '"owner_wrote"' not in made.log("userbot")
    assert '"owner_took_over"' not in made.log("userbot")


async def test_an_owner_who_answers_while_the_userbot_is_down_is_not_answered_over(make_product) -> None:
    made = await make_product(**SLOW_MODEL)
    visitor = made.visitor()
    async with second_session(made) as owner:
        await asked_and_thought_about(made, visitor)
        await made.kill("userbot")
        await owner_writes(owner, visitor, "всё хорошо")
    await made.start("userbot")
    await made.logged('"owner_took_over"')
    await made.until(lambda: texts(made, visitor) == ["всё хорошо"])
    await answers_another(made)
    assert texts(made, visitor) == ["всё хорошо"]


async def test_with_no_pause_the_owner_may_write_meanwhile(make_product) -> None:
    made = await make_product(USERBOT_OWNER_PAUSE="0", GENERATE_ECHO_DELAY="1")
    visitor = made.visitor()
    async with second_session(made) as owner:
        await asked_and_thought_about(made, visitor)
        await owner_writes(owner, visitor, "минутку")
    await made.until(lambda: len(made.answers(visitor)) == 2)
