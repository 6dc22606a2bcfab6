"""A backup of what NATS stored is put back while Telegram has gone on: nothing is answered twice, nothing is lost."""

import asyncio
from pathlib import Path

import pytest

from edge.sandbox.state import Account
from tests.e2e.conftest import BOT_TOO, Product
from tests.volumes import Volume


async def stopped(product: Product) -> None:
    await product.stop()
    await product.nats.stop()


async def back_up(product: Product) -> Path:
    backup = product.directory / "backup"
    await asyncio.to_thread(volume(product).backup, backup)
    return backup


async def restore(product: Product, backup: Path) -> None:
    """By now Telegram may have forgotten every random id."""
    await asyncio.to_thread(volume(product).restore, backup)
    product.telegram.state.sent.clear()
    await product.nats.start()


def volume(product: Product) -> Volume:
    return Volume(product.directory / "volume", product.directory / "nats/store")


async def ask(product: Product, visitor: Account, text: str) -> None:
    product.says(visitor, f"Тимоха, {text}")
    await product.until(lambda: text in product.answers(visitor))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("bot", BOT_TOO)
async def test_what_was_answered_after_the_backup_is_not_answered_again_and_what_was_not_is(make_product, bot) -> None:
    product = await make_product(bot=bot)
    old, new, late, setting = (product.visitor() for _ in range(4))
    await ask(product, old, "первый")
    await product.free(old)
    await stopped(product)
    backup = await back_up(product)
    await product.nats.start()
    await product.start()
    for visitor in (old, new):
        await ask(product, visitor, "второй")
        await product.free(visitor, 1 + (visitor is old))
        await ask(product, visitor, "третий")
        await product.free(visitor, 2 + (visitor is old))
    product.says(setting, "/set_context_length 7")
    await product.until(lambda: product.written(setting))
    await stopped(product)
    # While it is being restored people write on.
    for visitor in (old, late):
        product.says(visitor, "Тимоха, четвёртый")
    await restore(product, backup)
    await product.start()

    for visitor in (old, late):
        await product.until(lambda v=visitor: "четвёртый" in product.answers(v))
    # What is asked now goes the same way after all that is to be done about what was asked before.
    for visitor in (old, new, late, setting):
        await ask(product, visitor, "пятый")
    assert product.answers(old) == ["первый", "второй", "третий", "четвёртый", "пятый"]
    assert product.answers(new) == ["второй", "третий", "пятый"]
    assert product.answers(late) == ["четвёртый", "пятый"]
    assert len(product.answers(setting)) == 2
    for visitor, messages in ((old, 10), (new, 6), (late, 4), (setting, 3)):
        assert len(product.written(visitor)) == messages
    assert "Traceback" not in product.log("userbot")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("bot", BOT_TOO)
async def test_what_was_under_way_in_the_backup_is_answered_once(make_product, bot) -> None:
    product = await make_product(bot=bot, USERBOT_WHEN_BUSY="queue")
    await product.processes["generate"].stop()
    visitor = product.visitor()
    for text in ("раз", "два"):
        product.says(visitor, f"Тимоха, {text}")
    await product.until(lambda: product.written(visitor))
    await product.logged('"queued"')
    await stopped(product)
    backup = await back_up(product)
    await product.nats.start()
    await product.start()
    await product.free(visitor, 2)
    before = [message.text for message in product.written(visitor)]
    assert len(before) == 4
    await stopped(product)
    await restore(product, backup)
    await product.start()
    await ask(product, visitor, "три")
    after = [message.text for message in product.written(visitor)]
    assert (after[:4], len(after)) == (before, 6)
    assert product.log("userbot").count("question.answered_before") == 2
