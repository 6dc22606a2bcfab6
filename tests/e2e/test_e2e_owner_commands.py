"""The owner commands the userbot from Saved Messages, or as the owner of a bot, with stock pyrogram."""

from edge.userbot import phrases as chat_phrases
from edge.userbot.owner import phrases
from edge.userbot.owner.orders import ALL, Help, Unknown
from tests.e2e.conftest import product as opened

HELP = phrases.how_to_order("en", Help())
ENGLISH = {"USERBOT_LANGUAGE": "en"}


async def test_the_owner_pauses_and_resumes_from_the_phone_and_is_answered_in_reply(make_product) -> None:
    product = await make_product(**ENGLISH)
    visitor = product.visitor()
    async with product.owner_client() as phone:
        order = await phone.send_message("me", "/pause 1h")
        await product.until(lambda: len(product.saved()) == 2)
        product.says(visitor, "Тимоха, раз")
        await product.logged('"effect": "paused"')
        await phone.send_message("me", "/Resume All")
        await product.until(lambda: len(product.saved()) == 4)
        product.says(visitor, "Тимоха, два")
        await product.until(lambda: product.answers(visitor))
        await phone.send_message("me", "/status")
        await product.until(lambda: len(product.saved()) == 6)
        newest_first = [message async for message in phone.get_chat_history("me")]
    assert product.answers(visitor) == ["два"]
    answers = [message for message in reversed(newest_first) if message.reply_to_message_id]
    assert answers[0].reply_to_message_id == order.id
    assert answers[0].text.startswith("Paused: I answer no one until ")
    assert answers[1].text == phrases.resumed("en", ALL)
    assert "I answer." in answers[2].text


async def test_notes_are_left_alone_and_what_looks_like_a_command_gets_one_line(make_product) -> None:
    product = await make_product(**ENGLISH)
    for text in ("buy milk", "/usr/bin/env", "/start the washing machine\nand hang up the laundry", "/start"):
        product.order(text)
    await product.until(lambda: len(product.saved()) == 5)
    product.order("/pause soon")
    await product.until(lambda: len(product.saved()) == 7)
    assert product.saved()[4] == phrases.how_to_order("en", Unknown())
    assert product.saved()[6].startswith("I can't read this command")


async def test_the_queue_names_who_asks_and_cancelling_leaves_nothing_in_the_chat(make_product) -> None:
    product = await make_product(**ENGLISH, GENERATE_ECHO_DELAY="60", USERBOT_WHEN_BUSY="queue")
    visitor = product.visitor()
    product.says(visitor, "Тимоха, /cancel all")
    await product.until(lambda: product.written(visitor))
    product.says(visitor, "Тимоха, второй вопрос")
    await product.logged('"effect": "queued"')
    product.order("/queue")
    await product.until(lambda: len(product.saved()) == 2)
    product.order("/cancel")
    await product.until(lambda: len(product.saved()) == 4 and not product.written(visitor))
    _, queue, _, cancelled = product.saved()
    assert queue.splitlines()[0] == "In work: 2 questions"
    assert "Visitor 0001" in queue
    assert "cancel all" in queue
    assert "/" not in queue
    assert "второй вопрос" in queue
    assert cancelled == phrases.cancelled("en", ALL)
    await product.logged('"outcome": "cancelled"', times=2)


async def test_one_person_is_paused_by_name_and_another_denied(make_product) -> None:
    product = await make_product(**ENGLISH)
    friend, pest = product.visitor(), product.visitor()
    friend.username = "friend"
    for visitor in (friend, pest):
        product.says(visitor, "Тимоха, раз")
        await product.until(lambda visitor=visitor: product.answers(visitor))
        await product.free(visitor)
    product.order("/pause @friend")
    product.order(f"/deny {pest.id}")
    await product.until(lambda: len(product.saved()) == 4)
    for visitor in (friend, pest):
        product.says(visitor, "Тимоха, два")
    await product.logged('"effect": "paused"')
    await product.logged('"effect": "refused_person"')
    product.order("/resume @friend")
    product.order(f"/allow {pest.id}")
    await product.until(lambda: len(product.saved()) == 8)
    for visitor in (friend, pest):
        product.says(visitor, "Тимоха, три")
        await product.until(lambda visitor=visitor: len(product.answers(visitor)) == 2)
    assert product.answers(friend) == product.answers(pest) == ["раз", "три"]


async def test_an_order_from_while_no_userbot_ran_is_obeyed_once(make_product) -> None:
    product = await make_product(**ENGLISH)
    await product.kill("userbot")
    visitor = product.visitor()
    product.order("/pause")
    product.says(visitor, "Тимоха, раз")
    await product.start("userbot")
    await product.until(lambda: len(product.saved()) == 2)
    await product.kill("userbot")
    await product.start("userbot")
    product.order("/resume")
    await product.until(lambda: len(product.saved()) == 4)
    assert product.saved()[1::2] == [
        phrases.paused("en", ALL, "until you send /resume"),
        phrases.resumed("en", ALL),
    ]


async def test_a_bot_obeys_its_owner_alone_and_talks_to_everyone(tmp_path) -> None:
    async with opened(tmp_path, bot=True, **ENGLISH) as product:
        boss, visitor = product.visitor("en"), product.visitor("en")
        product.settings["USERBOT_OWNER"] = str(boss.id)
        await product.start()
        await product.ready()
        product.says(visitor, "/status")
        product.says(visitor, "/pause")
        product.says(visitor, "/help")
        await product.until(lambda: product.answers(visitor))
        for text in ("/help", "Тимоха, раз", "/set_context_length 3", "/pause 1h"):
            answered = len(product.answers(boss))
            product.says(boss, text)
            await product.until(lambda answered=answered: len(product.answers(boss)) > answered)
        assert product.answers(visitor) == [chat_phrases.help_text("en", "Тимоха,")]
        assert product.answers(boss)[:3] == [HELP, "раз", chat_phrases.context_length_set("en", 3)]
        assert product.answers(boss)[3].startswith("Paused: I answer no one until ")
        product.says(visitor, "Тимоха, два")
        await product.logged('"effect": "paused"')
