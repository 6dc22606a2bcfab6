"""One bad thing harms only its own chat, also across a restart of the real process."""

from edge.userbot import phrases
from edge.userbot.rules import DEFAULT_PREFIX
from events import subjects
from events.jetstream.connection import connect

HELP = phrases.help_text("ru", DEFAULT_PREFIX)
LINE = phrases.unreadable("ru")


async def asked(product, visitor, text: str) -> None:
    before = len(product.answers(visitor))
    product.says(visitor, text)
    await product.until(lambda: len(product.answers(visitor)) > before)
    await product.free(visitor)


async def test_an_unreadable_record_and_a_chat_with_too_many_answers_harm_only_themselves(make_product) -> None:
    product = await make_product(USERBOT_MAX_ANSWERS_PER_MINUTE="2")
    spoilt, talker, other = product.visitor(), product.visitor(), product.visitor()
    for text in ("Тимоха, раз", "Тимоха, два"):
        await asked(product, talker, text)
    product.says(talker, "Тимоха, три")
    await product.logged("chat.too_many")
    await product.kill("userbot")
    async with connect(product.nats.url, name="test") as js:
        await (await js.key_value(subjects.CHATS_BUCKET)).put(f"{product.owner.id}.{spoilt.id}", b"{nonsense")
    await product.start("userbot")
    await asked(product, other, "Тимоха, как дела?")
    # A loop's other half stays silent, and whose chat can't be read is told once.
    product.says(talker, "Тимоха, четыре")
    product.says(talker, "/help")
    await product.until(lambda: HELP in product.answers(talker))
    assert product.answers(talker) == ["раз", "два", HELP]
    product.says(spoilt, "Тимоха, привет")
    await product.until(lambda: product.answers(spoilt))
    product.says(spoilt, "Тимоха, ау")
    product.says(spoilt, "/delete_history")
    await product.until(lambda: len(product.answers(spoilt)) > 1)
    await asked(product, spoilt, "Тимоха, снова")
    assert product.answers(spoilt) == [LINE, phrases.deleted("ru", cancelled=False), "снова"]
    assert product.log("userbot").count("chat.unreadable") == 1
