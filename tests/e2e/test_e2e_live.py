"""Live answers through the real processes: one message, whose text grows and ends exact."""

from itertools import pairwise

import pytest

from edge.sandbox.live_drafts import METHOD as SHOW_LIVE_DRAFT
from edge.userbot import phrases
from edge.userbot.telegram.client_differences import HAS_LIVE_DRAFTS
from tests.e2e.conftest import BOT_TOO

WORDS = "один два три четыре пять шесть семь восемь девять десять"


class Growth:
    """Every text that the userbot's messages to the visitor have had, each once in a row; ask `seen` at each change."""

    def __init__(self, product, visitor) -> None:
        self._product, self._visitor = product, visitor
        self.texts: list[str] = []

    def seen(self) -> list[str]:
        written = self._product.written(self._visitor)
        assert len(written) <= 1
        self.texts += [message.text for message in written if [message.text] != self.texts[-1:]]
        return self.texts

    def grown(self) -> bool:
        """Whether a part of the answer can be read."""
        return any(WORDS.startswith(text) and text != WORDS for text in self.seen())

    async def ends(self) -> None:
        await self._product.until(lambda: self.seen()[-1:] == [WORDS])
        await self._product.free(self._visitor)
        assert self.seen()[-1] == WORDS


def refuse_live_drafts(product) -> None:
    """Of a bot with kurigram: answers grow in the thinking line then, as with pyrogram."""
    product.telegram.faults.refuse(product.owner.id, 400, "TEXTDRAFT_PEER_INVALID", method=SHOW_LIVE_DRAFT, times=None)


@pytest.mark.parametrize("bot", BOT_TOO)
async def test_the_thinking_line_grows_into_the_answer_and_no_second_message_comes(make_product, bot) -> None:
    product = await make_product(bot=bot, USERBOT_LIVE="true", GENERATE_ECHO_DELAY="3.5")
    refuse_live_drafts(product)
    visitor = product.visitor()
    asked = product.says(visitor, f"Тимоха, {WORDS}")
    growth = Growth(product, visitor)
    await growth.ends()
    thinking, *grown = growth.texts
    assert thinking == phrases.thinking("ru", f"{product.owner.id}.{visitor.id}.{asked.id}.0")
    assert len(grown) > 2
    assert all(longer.startswith(shorter) for shorter, longer in pairwise(grown))
    assert product.written(visitor)[0].reply_to == asked.id


@pytest.mark.parametrize("bot", BOT_TOO)
@pytest.mark.parametrize("killed", [pytest.param("userbot", marks=pytest.mark.slow), "generate"])
async def test_a_process_killed_while_the_answer_grows_costs_no_answer_and_leaves_one_message(
    make_product, killed, bot
) -> None:
    product = await make_product(bot=bot, USERBOT_LIVE="true", GENERATE_ECHO_DELAY="3.5")
    refuse_live_drafts(product)
    visitor = product.visitor()
    product.says(visitor, f"Тимоха, {WORDS}")
    growth = Growth(product, visitor)
    await product.until(growth.grown)
    await product.kill(killed)
    await product.start(killed)
    await growth.ends()


async def test_a_userbot_killed_after_telegram_took_the_last_edit_edits_again(make_product) -> None:
    product = await make_product(USERBOT_LIVE="true", GENERATE_ECHO_DELAY="2")
    visitor = product.visitor()
    product.says(visitor, f"Тимоха, {WORDS}")
    growth = Growth(product, visitor)
    await product.until(growth.grown)
    # Telegram takes every edit from here on, and the userbot never learns.
    product.telegram.faults.lose_answers(product.owner.id, method="messages.EditMessage", times=100)
    await product.until(lambda: growth.seen()[-1:] == [WORDS])
    await product.kill("userbot")
    product.telegram.faults.lose_answers(product.owner.id, method="messages.EditMessage", times=-100)
    await product.start("userbot")
    await growth.ends()


async def test_an_edit_that_telegram_floods_ends_the_growth_and_the_answer_comes(make_product) -> None:
    product = await make_product(USERBOT_LIVE="true", GENERATE_ECHO_DELAY="3.5")
    visitor = product.visitor()
    product.telegram.faults.flood_wait(product.owner.id, 1, method="messages.EditMessage", times=1)
    product.says(visitor, f"Тимоха, {WORDS}")
    growth = Growth(product, visitor)
    await growth.ends()
    assert growth.texts[1:] == [WORDS]


async def test_an_answer_whose_line_the_user_has_deleted_comes_as_a_reply_to_the_question(make_product) -> None:
    product = await make_product(USERBOT_LIVE="true", GENERATE_ECHO_DELAY="2")
    visitor = product.visitor()
    asked = product.says(visitor, f"Тимоха, {WORDS}")
    await product.until(lambda: product.written(visitor))
    product.delete(visitor)
    await product.until(lambda: [message.text for message in product.written(visitor)] == [WORDS])
    assert product.written(visitor)[0].reply_to == asked.id


@pytest.mark.skipif(not HAS_LIVE_DRAFTS, reason="pyrogram knows no live drafts: they are tested with kurigram")
async def test_a_bots_answer_grows_in_a_live_draft_and_is_one_message_even_after_a_kill(make_product) -> None:
    product = await make_product(bot=True, USERBOT_LIVE="true", GENERATE_ECHO_DELAY="3.5")
    visitor, telegram, bot = product.visitor(), product.telegram, product.owner.id

    def drafts() -> list[str]:
        return [draft.text for draft in telegram.live_drafts(bot, visitor.id)]

    asked = product.says(visitor, f"Тимоха, {WORDS}")
    await product.free(visitor)
    assert [(message.text, message.reply_to, message.edited) for message in product.written(visitor)] == [
        (WORDS, asked.id, None)
    ]
    thinking, *grown = drafts()
    assert thinking == phrases.thinking("ru", f"{bot}.{visitor.id}.{asked.id}.0")
    assert len(grown) > 1
    assert all(WORDS.startswith(shorter) and longer.startswith(shorter) for shorter, longer in pairwise(grown))
    assert telegram.live_draft(bot, visitor.id) is None
    again = f"снова {WORDS}"
    product.says(visitor, f"Тимоха, {again}")
    await product.until(lambda: again.startswith(drafts()[-1]))
    await product.kill("userbot")
    await product.start("userbot")
    await product.free(visitor, 2)
    assert [message.text for message in product.written(visitor)] == [WORDS, again]
