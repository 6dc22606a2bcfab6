"""Disks fill up and files are damaged under the running product: each question is answered once."""

import asyncio
import shutil
from pathlib import Path

import pytest

from edge.sandbox.state import Account
from tests.disks import fill, flip_bit, newest_block, small_disk
from tests.e2e.conftest import Product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DAMAGED = ("KV_chats", "KV_marks", "REQUESTS", "REPLIES")


async def ask(product: Product, visitor: Account, text: str) -> None:
    product.says(visitor, f"Тимоха, {text}")
    await product.until(lambda: text in product.answers(visitor), 90)


async def ask_without_a_worker(product: Product, *visitors: Account) -> None:
    """Their questions are asked, and stay so."""
    await product.kill("generate")
    for visitor in visitors:
        product.says(visitor, "Тимоха, на полпути")
    await product.until(lambda: all(product.written(visitor) for visitor in visitors))
    # The thinking line can be seen a moment before it is recorded.
    await asyncio.sleep(0.5)


def store_of(product: Product) -> Path:
    return product.directory / "nats/store"


async def test_what_is_asked_while_the_disk_of_nats_is_full_is_answered_after_a_restart_with_room(
    make_product, tmp_path
) -> None:
    with small_disk(tmp_path / "nats/store", "24m"):
        product = await make_product()
        early, *during = (product.visitor() for _ in range(8))
        await ask(product, early, "до")
        filling = fill(store_of(product))
        for visitor in during:  # one of the writes fails
            product.says(visitor, "Тимоха, полно")
        await product.logged("no confirmation in time; if that lasts")
        filling.unlink()
        await product.nats.stop()
        await product.nats.start()
        await product.until(lambda: all(product.answers(visitor) for visitor in during), 90)
        for visitor in (early, *during):
            await ask(product, visitor, "после")
        assert product.answers(early) == ["до", "после"]
        assert [product.answers(visitor) for visitor in during] == [["полно", "после"]] * len(during)


@pytest.mark.parametrize("stream", DAMAGED)
async def test_what_a_running_userbot_works_on_outlives_a_flipped_bit(make_product, stream) -> None:
    product = await make_product()
    before, during, after = product.visitor(), [product.visitor(), product.visitor()], product.visitor()
    for text in ("раз", "два", "три"):
        await ask(product, before, text)
    await ask_without_a_worker(product, *during)
    await product.nats.kill()
    flip_bit(newest_block(store_of(product), stream), 0.5)
    await product.nats.start()
    await product.start("generate")
    await ask(product, after, "после")
    for visitor in during:
        await product.until(lambda v=visitor: product.answers(v) == ["на полпути"], 90)
    await ask(product, before, "четыре")
    assert product.answers(before) == ["раз", "два", "три", "четыре"]


async def test_a_start_after_power_loss_finds_what_lost_marks_do_not_name(make_product) -> None:
    product = await make_product()
    visitor = product.visitor()
    await ask(product, visitor, "раз")
    await ask_without_a_worker(product, visitor)
    await product.kill("userbot")
    await product.nats.kill()
    flip_bit(newest_block(store_of(product), "KV_marks"), 0.5)
    await product.nats.start()
    await product.start()
    await product.until(lambda: product.answers(visitor) == ["раз", "на полпути"], 90)
    assert product.log("userbot").count("topology.damaged") == 1


async def test_yesterdays_store_under_a_running_userbot_makes_no_answer_twice_and_loses_none(make_product) -> None:
    product = await make_product()
    old, new, during = (product.visitor() for _ in range(3))
    await ask(product, old, "вчера")
    await product.free(old)
    await product.nats.stop()
    copy = product.directory / "copy"
    await asyncio.to_thread(shutil.copytree, store_of(product), copy)
    await product.nats.start()
    for visitor in (old, new):
        for text in ("раз", "два", "три"):
            await ask(product, visitor, text)
    await ask_without_a_worker(product, during)
    await product.nats.kill()
    await asyncio.to_thread(shutil.rmtree, store_of(product))
    await asyncio.to_thread(shutil.copytree, copy, store_of(product))
    product.telegram.state.sent.clear()
    await product.nats.start()
    await product.start("generate")
    await product.logged("topology.damaged")
    await product.until(lambda: product.answers(during) == ["на полпути"], 90)
    for visitor in (old, new, during):
        await ask(product, visitor, "ещё")
    assert product.answers(old) == ["вчера", "раз", "два", "три", "ещё"]
    assert product.answers(new) == ["раз", "два", "три", "ещё"]
    assert product.answers(during) == ["на полпути", "ещё"]


async def test_full_disks_under_traces_and_health_cost_no_answer(make_product, tmp_path) -> None:
    files = {name: tmp_path / name / "file" for name in ("traces", "health")}
    with small_disk(tmp_path / "traces", "1m"), small_disk(tmp_path / "health", "1m"):
        product = await make_product(TIMOKHA_TRACE_FILE=str(files["traces"]), TIMOKHA_HEALTH_FILE=str(files["health"]))
        first, second = product.visitor(), product.visitor()
        await ask(product, first, "до")
        filling = [fill(file.parent) for file in files.values()]
        await ask(product, second, "полно")
        await product.logged("health.not_written")
        await product.logged("can't write spans to")
        for file in filling:
            file.unlink()
        await ask(product, first, "после")
        assert product.answers(first) == ["до", "после"]
