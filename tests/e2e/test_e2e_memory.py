"""The owner's past as memory: it joins the question of the contact whose it is, until the contact deletes it."""

from pathlib import Path

from events.exchanges import write_exchanges
from events.ids import RequestId
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.schema import Exchange
from events.transport import Channel

SATURDAY = Exchange(question="ты придёшь в субботу?", answer="Да, к семи.")
PLANTED = Exchange(question="ты придёшь в субботу?", answer="planted-phrase-7f3a")


async def request(product, visitor, message):
    async with connect(product.nats.url, name="test") as js:
        event = await JetStreamLog(js).find(
            Channel.REQUESTS, RequestId(str(product.owner.id), str(visitor.id), str(message.id))
        )
        return event and event.data()


async def restarted_with(product, path: Path) -> None:
    await product.processes["userbot"].stop()
    product.settings["USERBOT_MEMORY"] = str(path)
    await product.start("userbot")
    await product.logged("userbot.ready", 2)


async def test_an_earlier_exchange_joins_the_question_until_its_contact_deletes_the_history(
    make_product, tmp_path
) -> None:
    product, path = await make_product(), tmp_path / "memory.sqlite"
    anna, boris = product.visitor(), product.visitor()
    write_exchanges(path, [product.owner.id], {anna.id: [SATURDAY], boris.id: [PLANTED]})
    await restarted_with(product, path)

    asked = product.says(anna, "Тимоха, придёшь в субботу?")
    await product.until(lambda: product.answers(anna) == ["придёшь в субботу?"])
    assert (await request(product, anna, asked)).memory == (SATURDAY,)
    other = product.says(boris, "Тимоха, как дела?")
    await product.until(lambda: product.answers(boris) == ["как дела?"])
    assert (await request(product, boris, other)).memory == ()

    product.says(anna, "/delete_history")
    await product.until(lambda: len(product.answers(anna)) == 2)
    assert await request(product, anna, asked) is None
    assert SATURDAY.answer.encode() not in path.read_bytes()
    assert PLANTED.answer.encode() in path.read_bytes()
    await product.processes["userbot"].stop()
    write_exchanges(path, [product.owner.id], {anna.id: [SATURDAY]})
    await product.start("userbot")
    await product.logged("userbot.ready", 3)
    again = product.says(anna, "Тимоха, ты придёшь в субботу?")
    await product.until(lambda: len(product.answers(anna)) == 3)
    assert (await request(product, anna, again)).memory == ()
    logged = product.log("userbot") + product.log("generate") + str(product.spans())
    assert SATURDAY.answer not in logged
    assert PLANTED.answer not in logged


async def test_the_past_of_another_account_is_refused_in_one_line(make_product, tmp_path) -> None:
    product, path = await make_product(), tmp_path / "memory.sqlite"
    await product.processes["userbot"].stop()
    write_exchanges(path, [product.owner.id + 1], {})
    product.settings["USERBOT_MEMORY"] = str(path)
    await product.start("userbot")
    line = f"USERBOT_MEMORY: it is the past of {product.owner.id + 1}, and the owner here is {product.owner.id}"
    await product.logged(line)
