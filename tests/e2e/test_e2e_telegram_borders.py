"""What Telegram and a session can do to the userbot's process: it answers on, or ends with one line."""

import asyncio

import pytest

from tests.e2e.conftest import WAIT


async def ended(product) -> tuple[int, list[str]]:
    """The userbot's exit code, and the lines it said that are no log of a lesser kind."""
    async with asyncio.timeout(WAIT):
        await product.processes["userbot"].ended()
    code = product.processes["userbot"]._process.returncode
    return code, product.log("userbot").strip().splitlines()


async def asks(product, visitor, text: str = "Тимоха, привет") -> None:
    product.says(visitor, text)
    await product.until(lambda: product.answers(visitor))
    await product.free(visitor)


async def test_a_key_that_telegram_has_forgotten_ends_the_userbot(make_product) -> None:
    product = await make_product()
    product.telegram.faults.transport_error(product.owner.id, 404)
    product.telegram.drop_connections(product.owner.id)
    code, said = await ended(product)
    assert code == 1
    assert "sign in again" in said[-1]
    assert "Traceback" not in "\n".join(said)


@pytest.mark.parametrize(("fault", "code"), [pytest.param(404, 1, marks=pytest.mark.slow), (444, 2)])
async def test_a_session_that_no_data_centre_takes_is_told_at_the_start(make_product, fault, code) -> None:
    product = await make_product()
    await product.kill("userbot")
    product.telegram.faults.transport_error(product.owner.id, fault)
    await product.start("userbot")
    ended_with, said = await ended(product)
    assert ended_with == code
    assert "sign in again" in said[-1]
    assert "Traceback" not in "\n".join(said)


async def test_notifications_at_the_start_and_while_running_cost_no_answer(make_product) -> None:
    product = await make_product()
    await product.kill("userbot")
    faults, owner = product.telegram.faults, product.owner.id
    for method in ("Ping", "help.GetConfig", "updates.GetState", "updates.GetDifference"):
        for code in (16, 33):
            faults.notify_bad_message(owner, code, method=method)
    await product.start("userbot")
    await product.logged("userbot.ready", times=2)
    faults.notify_bad_message(owner, 17)
    faults.notify_bad_message(owner, 32)
    visitor = product.visitor()
    await asks(product, visitor)
    assert len(product.answers(visitor)) == 1
    assert "Traceback" not in product.log("userbot")


async def test_a_refusal_that_pyrogram_does_not_know_frees_the_chat(make_product) -> None:
    product = await make_product()
    visitor = product.visitor()
    product.telegram.faults.refuse(product.owner.id, 406, "TOPIC_DELETED", times=2)
    product.says(visitor, "Тимоха, привет")
    await product.free(visitor)
    assert product.written(visitor) == []
    await asks(product, visitor)
    assert not (product.directory / "unknown_errors.txt").exists()


@pytest.mark.parametrize("name", [pytest.param("REPLY_TO_INVALID", marks=pytest.mark.slow), "REPLY_MESSAGE_ID_INVALID"])
async def test_an_answer_whose_question_is_gone_still_comes_once(make_product, name) -> None:
    product = await make_product(GENERATE_ECHO_DELAY="1")
    product.telegram.faults.unknown_reply = name
    visitor = product.visitor()
    product.says(visitor, "Тимоха, привет")
    await product.until(lambda: product.written(visitor))
    product.delete(visitor)
    await product.free(visitor)
    assert len(product.answers(visitor)) == 1


@pytest.mark.slow
async def test_a_bot_token_beside_the_owners_session_does_not_answer_from_the_owners_account(make_product) -> None:
    product = await make_product()
    await product.kill("userbot")
    bot = product.telegram.add_user(first_name="Robot", username="robot", bot=True)
    product.settings["BOT_TOKEN"] = bot.token
    await product.start("userbot")
    code, said = await ended(product)
    assert code == 2
    assert f"account {product.owner.id}'s" in said[-1]
    assert bot.token not in "\n".join(said)


@pytest.mark.slow
async def test_who_has_blocked_a_bot_is_free_to_ask_again_later(make_product) -> None:
    product = await make_product(bot=True, GENERATE_ECHO_DELAY="1")
    visitor = product.visitor()
    product.says(visitor, "Тимоха, привет")
    await product.until(lambda: product.written(visitor))
    product.telegram.block(visitor.id, product.owner.id)
    await product.free(visitor)
    assert product.answers(visitor) == []
    await product.processes["userbot"].stop()
    product.telegram.block(visitor.id, product.owner.id, blocked=False)
    await product.start("userbot")
    await product.logged("catch_up.done", 2)
    await asks(product, visitor)
    assert "stalled" not in product.log("userbot")
    assert product.answers(visitor) == ["привет"]


async def test_a_bot_token_that_telegram_does_not_know_is_a_wrong_setting(make_product, tmp_path) -> None:
    product = await make_product()
    await product.kill("userbot")
    product.settings |= {"BOT_TOKEN": "1:unknown", "USERBOT_SESSION": str(tmp_path / "bot.session")}
    await product.start("userbot")
    code, said = await ended(product)
    assert code == 2
    assert "BOT_TOKEN" in said[-1]
    assert "Traceback" not in "\n".join(said)
