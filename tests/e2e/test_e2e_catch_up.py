"""What was written while the userbot or its connection was away is answered, once."""

import re

import pytest

from edge.userbot import phrases
from events import subjects
from events.faults import UNKNOWN_ATTEMPTS
from events.jetstream.connection import connect
from tests.e2e.conftest import BOT_TOO, a_new_second

USERS = 50


async def everybody_is_answered_once(product, questions: dict) -> None:
    await product.until(lambda: all(product.answers(visitor) for visitor, _ in questions.values()))
    last = product.visitor()
    product.says(last, "Тимоха, последний")
    await product.until(lambda: product.answers(last))
    for visitor, text in questions.values():
        assert product.answers(visitor) == [text]
        assert len(product.written(visitor)) == 2


def ask_all(product) -> dict:
    questions = {}
    for number in range(USERS):
        visitor = product.visitor()
        questions[visitor.id] = (visitor, f"вопрос {number}")
        product.says(visitor, f"Тимоха, вопрос {number}")
    return questions


@pytest.mark.parametrize("bot", BOT_TOO)
async def test_questions_sent_while_the_userbot_was_stopped_are_each_answered_once(make_product, bot) -> None:
    product = await make_product(bot=bot)
    # Slices: the difference comes in several.
    product.telegram.faults.slice_size = 20
    await product.processes["userbot"].stop()
    questions = ask_all(product)
    await product.start("userbot")
    await everybody_is_answered_once(product, questions)


@pytest.mark.parametrize("bot", BOT_TOO)
async def test_questions_sent_while_only_the_connection_was_cut_are_each_answered_once(make_product, bot) -> None:
    product = await make_product(bot=bot)
    await product.telegram.refuse_connections()
    questions = ask_all(product)
    await product.telegram.accept_connections()
    await everybody_is_answered_once(product, questions)
    assert product.log("userbot").count("userbot.ready") == 1


async def test_nothing_is_lost_when_telegram_gives_no_difference(make_product) -> None:
    product = await make_product()
    await product.processes["userbot"].stop()
    questions = ask_all(product)
    product.telegram.faults.difference_too_long(product.owner.id)
    await product.start("userbot")
    await everybody_is_answered_once(product, questions)


@pytest.mark.slow
async def test_nothing_is_lost_when_the_watermark_is_lost_while_the_userbot_is_stopped(make_product) -> None:
    product = await make_product()
    await product.processes["userbot"].stop()
    questions = ask_all(product)
    async with connect(product.nats.url, name="test") as js:
        await js.delete_key_value(subjects.TELEGRAM_BUCKET)
    await product.start("userbot")
    await everybody_is_answered_once(product, questions)


@pytest.mark.slow
async def test_a_record_says_that_an_earlier_process_has_run_if_the_index_is_lost_as_well(make_product) -> None:
    """What a chat with a broken record needs is read back, too: its user starts it afresh."""
    product = await make_product()
    broken = product.visitor()
    product.says(broken, "Тимоха, раньше")
    await product.free(broken)
    await a_new_second()
    await product.processes["userbot"].stop()
    questions = ask_all(product)
    async with connect(product.nats.url, name="test") as js:
        await js.publish(f"$KV.{subjects.CHATS_BUCKET}.{product.owner.id}.{broken.id}", b"nonsense")
        for bucket in (subjects.MARKS_BUCKET, subjects.TELEGRAM_BUCKET):
            await js.delete_key_value(bucket)
    product.says(broken, "/delete_history")
    await product.start("userbot")
    await everybody_is_answered_once(product, questions)
    await product.until(lambda: phrases.deleted("ru", cancelled=False) in product.answers(broken))
    product.says(broken, "Тимоха, снова")
    await product.until(lambda: "снова" in product.answers(broken))


async def test_a_bot_goes_on_from_telegrams_state_when_there_is_no_difference(make_product) -> None:
    """Nobody shows it what it missed before that state; one line says so."""
    product = await make_product(bot=True)
    await product.processes["userbot"].stop()
    product.says(lost := product.visitor(), "Тимоха, до того")
    product.telegram.faults.difference_too_long(product.owner.id, pts=product.telegram.pts(product.owner.id))
    product.says(fetched := product.visitor(), "Тимоха, после того")
    await product.start("userbot")
    await product.until(lambda: product.answers(fetched))
    product.says(live := product.visitor(), "Тимоха, живой")
    await product.until(lambda: product.answers(live))
    assert [product.answers(visitor) for visitor in (lost, fetched, live)] == [[], ["после того"], ["живой"]]
    assert product.log("userbot").count("telegram.chats_not_shown") == 1


@pytest.mark.parametrize("bot", BOT_TOO)
@pytest.mark.parametrize("short", [pytest.param(False, marks=pytest.mark.slow), True])
async def test_a_push_that_never_came_and_short_updates_cost_no_question(make_product, short, bot) -> None:
    product = await make_product(bot=bot)
    product.telegram.faults.short_updates = short
    lost, seen = product.visitor(), product.visitor()
    product.telegram.faults.suppress_pushes(product.owner.id)
    product.says(lost, "Тимоха, потерянный")
    product.says(seen, "Тимоха, дошедший")
    await product.until(lambda: product.answers(lost) and product.answers(seen))
    assert product.answers(lost) == ["потерянный"]
    assert product.answers(seen) == ["дошедший"]


async def test_what_is_too_old_is_not_answered_and_commands_are_not_obeyed(make_product) -> None:
    product = await make_product(USERBOT_CATCH_UP_WINDOW="30")
    await product.processes["userbot"].stop()
    visitor, later = product.visitor(), product.visitor()
    for text in ("Тимоха, старый вопрос", "/help", "/set_context_length 5"):
        product.says(visitor, text).date -= 60
    await product.start("userbot")
    await product.logged("userbot.ready", 2)
    product.says(later, "Тимоха, новый")
    await product.until(lambda: product.answers(later))
    assert product.written(visitor) == []


async def test_a_flood_wait_longer_than_the_deadline_holds_one_chat_and_leaves_nobody_busy(make_product) -> None:
    product = await make_product(USERBOT_DEADLINE="2", GENERATE_ECHO_DELAY="0.2")
    held, free = product.visitor(), product.visitor()
    product.telegram.faults.flood_wait(product.owner.id, 4, times=1)
    product.says(held, "Тимоха, раз")
    await product.logged("telegram.flood_wait")
    product.says(free, "Тимоха, два")
    await product.until(lambda: product.answers(free))
    assert product.written(held) == []
    await product.until(lambda: product.answers(held))
    assert product.answers(held) == ["раз"]
    await product.free(held)
    product.says(held, "Тимоха, три")
    await product.until(lambda: len(product.answers(held)) == 2)
    assert product.answers(held)[1] == "три"


@pytest.mark.slow
async def test_a_flood_wait_with_no_worker_alive_leaves_nobody_busy(make_product) -> None:
    product = await make_product(USERBOT_DEADLINE="1")
    await product.kill("generate")
    visitor = product.visitor()
    product.telegram.faults.flood_wait(product.owner.id, 3)
    product.says(visitor, "Тимоха, раз")
    await product.until(lambda: product.answers(visitor))
    assert product.answers(visitor) == [phrases.failure("ru", phrases.DEADLINE)]
    await product.start("generate")
    await product.logged("generate.ready", 2, by="generate")  # the next deadline is short
    await product.free(visitor)
    product.says(visitor, "Тимоха, два")
    await product.until(lambda: len(product.answers(visitor)) == 2)


@pytest.mark.parametrize("bot", BOT_TOO)
@pytest.mark.parametrize("refused", [pytest.param(False, marks=pytest.mark.slow), True])
async def test_an_answer_whose_confirmation_was_lost_comes_once(make_product, refused, bot) -> None:
    """Telegram folds the repeat, or refuses it as RANDOM_ID_DUPLICATE."""
    product = await make_product(bot=bot)
    product.telegram.faults.refuse_repeats = refused
    visitor = product.visitor()
    product.telegram.faults.lose_answers(product.owner.id, times=2)
    product.says(visitor, "Тимоха, раз")
    await product.until(lambda: product.answers(visitor))
    await product.free(visitor)
    product.says(visitor, "Тимоха, два")
    await product.until(lambda: len(product.answers(visitor)) == 2)
    assert product.answers(visitor) == ["раз", "два"]
    assert [message.reply_to for message in product.written(visitor)][1] == product.written(visitor)[0].id


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_bot_whose_difference_does_not_advance_loses_nothing(make_product) -> None:
    """More often than unknown answers are taken elsewhere: nobody shows a bot what it gives up."""
    product = await make_product(bot=True)
    product.telegram.faults.stuck_slices(product.owner.id, times=UNKNOWN_ATTEMPTS + 2)
    await product.telegram.refuse_connections()
    product.says(missed := product.visitor(), "Тимоха, пропущенный")
    await product.telegram.accept_connections()
    await product.logged("catch_up.stalled")
    product.says(live := product.visitor(), "Тимоха, живой")
    await product.until(lambda: product.answers(live))
    assert product.answers(missed) == []
    await product.until(lambda: product.answers(missed), timeout=120)
    assert (product.answers(live), product.answers(missed)) == (["живой"], ["пропущенный"])
    assert not re.search("state_lost|chats_not_shown", product.log("userbot"))


@pytest.mark.parametrize("bot", BOT_TOO)
async def test_a_slice_that_does_not_advance_keeps_nobody_from_being_answered(make_product, bot) -> None:
    product = await make_product(bot=bot)
    product.telegram.faults.stuck_slices(product.owner.id, times=3)
    product.telegram.faults.suppress_pushes(product.owner.id)
    missed, live = product.visitor(), product.visitor()
    product.says(missed, "Тимоха, пропущенный")
    product.says(live, "Тимоха, живой")
    await product.until(lambda: product.answers(live))
    await product.until(lambda: product.answers(missed))
    assert (product.answers(live), product.answers(missed)) == (["живой"], ["пропущенный"])
    assert product.log("userbot").count("catch_up.stalled") == 1
