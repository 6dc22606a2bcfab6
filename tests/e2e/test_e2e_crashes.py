"""Whatever is killed while a question is being answered, the answer comes once."""

import os

import pytest

from edge.sandbox.visitor import signed_in_session
from edge.userbot import phrases
from tests.e2e.conftest import BOTH_ACCOUNTS, OWNER_PHONE


async def answered_once(product, visitor, text: str) -> None:
    await product.until(lambda: product.answers(visitor))
    await product.free(visitor)
    # A second copy would be on its way by now: another question goes the same way after it.
    product.says(visitor, "Тимоха, ещё вопрос")
    await product.until(lambda: "ещё вопрос" in product.answers(visitor))
    assert product.answers(visitor) == [text, "ещё вопрос"]
    assert len(product.written(visitor)) == 4


@pytest.mark.parametrize(
    ("victim", "bot"),
    [
        pytest.param("userbot", False, id="userbot"),
        pytest.param("userbot", True, id="userbot of a bot", marks=pytest.mark.slow),
        pytest.param("generate", False, id="generate"),
        pytest.param("nats", False, id="nats"),
        pytest.param("nats", True, id="nats, a bot", marks=pytest.mark.slow),
    ],
)
async def test_a_process_killed_while_a_question_is_being_answered_costs_no_answer(make_product, victim, bot) -> None:
    product = await make_product(bot=bot, GENERATE_ECHO_DELAY="1.5")
    visitor = product.visitor()
    product.says(visitor, "Тимоха, как дела?")
    await product.until(lambda: product.written(visitor))
    if victim == "nats":
        await product.nats.kill()
        await product.nats.start()
    else:
        await product.kill(victim)
        await product.start(victim)
    await answered_once(product, visitor, "как дела?")


@pytest.mark.parametrize("bot", BOTH_ACCOUNTS)
async def test_a_userbot_killed_after_telegram_took_the_answer_does_not_answer_twice(make_product, bot) -> None:
    product = await make_product(bot=bot, GENERATE_ECHO_DELAY="1")
    visitor = product.visitor()
    product.says(visitor, "Тимоха, **как** `дела`?")
    await product.until(lambda: product.written(visitor))
    # The next message is the answer: Telegram takes it, and the userbot never learns.
    product.telegram.faults.lose_answers(product.owner.id, times=100)
    await product.until(lambda: product.answers(visitor))
    await product.kill("userbot")
    product.telegram.faults.lose_answers(product.owner.id, times=-100)
    # Telegram has forgotten the random id, as after a long time: only the chat itself tells.
    product.telegram.state.sent.clear()
    # Whoever has the answer may ask again, although its record does not know of it yet.
    product.says(visitor, "Тимоха, а теперь?")
    await product.start("userbot")
    await product.until(lambda: "а теперь?" in product.answers(visitor))
    assert product.answers(visitor) == ["как дела?", "а теперь?"]
    assert len(product.written(visitor)) == 4
    [answer] = [message for message in product.written(visitor) if message.text == "как дела?"]
    assert [type(entity).__name__ for entity in answer.entities] == ["MessageEntityBold", "MessageEntityCode"]


@pytest.mark.slow
async def test_a_bot_stopped_while_it_prepares_an_answer_gives_it_after_signing_in_anew(make_product) -> None:
    """A container may keep no session: the token signs in, and the new session knows nobody."""
    product = await make_product(bot=True, GENERATE_ECHO_DELAY="1.5")
    visitor = product.visitor()
    product.says(visitor, "Тимоха, как дела?")
    await product.until(lambda: product.written(visitor))
    await product.processes["userbot"].stop()
    os.remove(product.settings["USERBOT_SESSION"])
    await product.start("userbot")
    await answered_once(product, visitor, "как дела?")


@pytest.mark.slow
@pytest.mark.parametrize("bot", BOTH_ACCOUNTS)
async def test_a_userbot_killed_while_it_answers_what_very_many_wrote_meanwhile_still_knows_them(
    make_product, bot
) -> None:
    """More people than one page of dialogs has; they were shown with the difference only."""
    product = await make_product(bot=bot, GENERATE_ECHO_DELAY="4", GENERATE_SLOTS="200")
    await product.processes["userbot"].stop()
    visitors = [product.visitor() for _ in range(130)]
    for visitor in visitors:
        product.says(visitor, "Тимоха, как дела?")
    await product.start("userbot")
    await product.logged("message.received", len(visitors))
    await product.kill("userbot")
    await product.start("userbot")
    await product.until(lambda: all(product.answers(visitor) for visitor in visitors))
    assert {tuple(product.answers(visitor)) for visitor in visitors} == {("как дела?",)}


@pytest.mark.slow
async def test_a_session_string_which_remembers_nobody_costs_no_answer(make_product) -> None:
    product = await make_product(GENERATE_ECHO_DELAY="1.5")
    await product.processes["userbot"].stop()
    product.settings["USERBOT_SESSION"] = await signed_in_session(product.telegram, OWNER_PHONE)
    await product.start("userbot")
    visitor = product.visitor()
    product.says(visitor, "Тимоха, как дела?")
    await product.until(lambda: product.written(visitor))
    await product.kill("userbot")
    await product.start("userbot")
    await answered_once(product, visitor, "как дела?")


async def test_a_question_that_no_worker_takes_is_told_at_its_deadline(make_product) -> None:
    product = await make_product(USERBOT_DEADLINE="2")
    await product.kill("generate")
    visitor = product.visitor()
    product.says(visitor, "Тимоха, как дела?")
    await product.until(lambda: product.answers(visitor))
    assert product.answers(visitor) == [phrases.failure("ru", phrases.DEADLINE)]
    await product.start("generate")
    await product.logged("generate.ready", 2, by="generate")  # the next deadline is short
    await product.free(visitor)
    product.says(visitor, "Тимоха, а теперь?")
    await product.until(lambda: len(product.answers(visitor)) == 2)
    assert product.answers(visitor)[1] == "а теперь?"
