"""What has gone from NATS is made again, or the userbot says so and ends."""

import asyncio
import shutil

from events import subjects
from events.jetstream.connection import connect


async def answered(product, text: str) -> None:
    visitor = product.visitor()
    product.says(visitor, f"Тимоха, {text}")
    await product.until(lambda: product.answers(visitor))
    assert product.answers(visitor) == [text]


async def test_nats_comes_back_with_an_emptied_store_and_new_questions_are_answered(make_product) -> None:
    product = await make_product()
    await answered(product, "до того")
    await product.nats.kill()
    shutil.rmtree(product.directory / "nats" / "store")
    await product.nats.start()
    # The consumer on REPLIES is the last thing that is made.
    await product.logged("created consumer")
    await answered(product, "после того")
    assert product.log("userbot").count("userbot.ready") == 1
    assert all(process.pid for process in product.processes.values())


async def test_buckets_that_are_deleted_while_it_runs_are_made_again(make_product) -> None:
    product = await make_product()
    await answered(product, "до того")
    async with connect(product.nats.url, name="tools") as js:
        for bucket in (subjects.CHATS_BUCKET, subjects.TELEGRAM_BUCKET, subjects.MARKS_BUCKET):
            await js.delete_key_value(bucket)
    await product.logged("created bucket", times=3)
    await product.logged("index.built", times=2)
    await answered(product, "после того")
    assert "changed by somebody else" not in product.log("userbot")
    async with connect(product.nats.url, name="tools") as js:
        saved = await js.key_value(subjects.TELEGRAM_BUCKET)
        async with asyncio.timeout(30):
            while not await saved.keys():  # noqa: ASYNC110 - records have no event
                await asyncio.sleep(0.1)
    await product.kill("userbot")
    await product.start("userbot")
    await answered(product, "и снова")
