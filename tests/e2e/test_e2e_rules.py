"""Who is answered and when: real processes, and stock pyrogram on the visitor's side."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edge.sandbox.visitor import connect
from edge.userbot import phrases
from edge.userbot.rules import DEFAULT_PREFIX
from tests.e2e.conftest import BOT_TOO

ZONE = "Asia/Tokyo"


def quiet_now() -> str:
    """A span of the day in `ZONE` that this test runs in."""
    now, hour = datetime.now(ZoneInfo(ZONE)), timedelta(hours=1)
    return f"{now - hour:%H:%M}-{now + hour:%H:%M}"


async def test_only_those_on_the_list_are_answered_and_of_those_nobody_denied(make_product) -> None:
    running = await make_product(USERBOT_ALLOW="contacts,wrote_first", USERBOT_DENY="@eve", USERBOT_OWNER_PAUSE="0")
    telegram, owner = running.telegram, running.owner.id
    first, contact, eve, stranger = (running.visitor() for _ in range(4))
    telegram.add_contact(owner, contact.id)
    telegram.rename(eve.id, "Eve")
    for visitor in (contact, stranger):
        running.owner_says(visitor, "Привет")
    async with connect(telegram, running.phone(first)) as client:
        await client.send_message("timokha", "Тимоха, раз")
        for visitor in (eve, stranger):
            running.says(visitor, "Тимоха, раз")
            running.says(visitor, "/help")
        running.says(contact, "Тимоха, раз")
        await running.until(lambda: running.answers(first) == ["раз"])
        await running.until(lambda: running.answers(contact) == ["Привет", "раз"])
        await client.send_message("timokha", "Тимоха, два")
        await running.until(lambda: running.answers(first) == ["раз", "два"])
    assert running.written(eve) == []
    assert running.answers(stranger) == ["Привет"]


async def test_somebody_denied_gets_one_line_if_the_owner_wants_that_and_is_forgotten_silently(make_product) -> None:
    running = await make_product(USERBOT_ALLOW="1", USERBOT_REFUSED="line")
    visitor, other = running.visitor(), running.visitor()
    for text in ("Тимоха, раз", "/delete_history", "Тимоха, два", "/help"):
        running.says(visitor, text)
    running.says(other, "Тимоха,")
    await running.until(lambda: running.written(other))
    await running.logged("deleted_silently")
    assert running.answers(visitor) == [phrases.refusal("ru", phrases.REFUSED_PERSON)]


@pytest.mark.parametrize("bot", BOT_TOO)
async def test_the_answers_of_a_day_are_limited_for_each_and_for_all_also_after_a_crash(make_product, bot) -> None:
    running = await make_product(
        bot=bot, USERBOT_MAX_ANSWERS_PER_DAY="2", USERBOT_MAX_ANSWERS_PER_DAY_FOR_ALL="3", USERBOT_REFUSED="line"
    )
    full = phrases.refusal("ru", phrases.DAY_LIMIT)
    one, other = running.visitor(), running.visitor()
    for number in ("1", "2"):
        running.says(one, f"Тимоха, {number}")
        await running.free(one, int(number))
    await running.kill("userbot")
    await running.start("userbot")
    for text in ("Тимоха, 3", "Тимоха,", "/help"):
        running.says(one, text)
    await running.until(lambda: len(running.answers(one)) == 4)
    assert running.answers(one) == ["1", "2", full, phrases.help_text("ru", DEFAULT_PREFIX)]
    running.says(other, "Тимоха, 4")
    await running.free(other)
    running.says(other, "Тимоха, 5")
    await running.until(lambda: len(running.answers(other)) == 2)
    assert running.answers(other) == ["4", full]


async def test_in_quiet_hours_questions_get_no_answer_but_commands_do(make_product) -> None:
    running = await make_product(USERBOT_QUIET_HOURS=quiet_now(), USERBOT_TIME_ZONE=ZONE)
    visitor = running.visitor()
    running.says(visitor, "Тимоха, раз")
    running.says(visitor, "/help")
    await running.until(lambda: running.written(visitor))
    assert running.answers(visitor) == [phrases.help_text("ru", DEFAULT_PREFIX)]


async def test_a_flood_pauses_everything_and_tells_the_owner_once(make_product) -> None:
    running = await make_product()
    stranger, other = running.visitor(), running.visitor()
    running.telegram.faults.refuse(running.owner.id, 400, "PEER_FLOOD", times=None, peer_id=stranger.id)
    running.says(stranger, "Тимоха, раз")
    await running.until(running.saved)
    await running.free(stranger)
    running.says(other, "Тимоха, раз")
    running.says(other, "/help")
    await running.until(lambda: running.written(other))
    assert running.answers(other) == [phrases.help_text("ru", DEFAULT_PREFIX)]
    assert running.written(stranger) == []
    [told] = running.saved()
    assert "PEER_FLOOD" in told
    [settled] = [line for line in running.log("userbot").splitlines() if "question.settled" in line]
    assert "undeliverable" in settled
    await running.kill("userbot")
    await running.start("userbot")
    running.says(other, "/set_context_length 5")
    await running.until(lambda: len(running.written(other)) == 2)
    assert running.saved() == [told]
