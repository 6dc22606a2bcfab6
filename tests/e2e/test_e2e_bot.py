"""An ordinary bot holds the same conversation, and is nobody else's account."""

import re

from edge.sandbox.visitor import connect
from edge.userbot import phrases
from edge.userbot.rules import DEFAULT_PREFIX


async def test_a_bot_account_holds_the_conversation(make_product) -> None:
    """`test_e2e_conversation.py` has the same at length, for bots too; this is what runs each time."""
    product = await make_product(bot=True, GENERATE_ECHO_DELAY="0.4")
    product.telegram.faults.packs = True
    visitor = product.visitor("en")
    async with connect(product.telegram, product.phone(visitor)) as client:
        for text, answers in [("Тимоха, как дела?", 1), ("/help", 2), ("Тимоха,", 3), ("/delete_history", 4)]:
            await client.send_message("timokha", text)
            await product.until(lambda answers=answers: len(product.answers(visitor)) == answers)
        seen = [message async for message in client.get_chat_history("timokha")]
    assert product.answers(visitor) == [
        "как дела?",
        phrases.help_text("en", DEFAULT_PREFIX),
        phrases.hint("en", DEFAULT_PREFIX),
        phrases.deleted("en", cancelled=False),
    ]
    question, thinking, answer = reversed(seen[-3:])
    assert (thinking.reply_to_message_id, answer.reply_to_message_id) == (question.id, thinking.id)
    assert "typing" in product.telegram.typing(product.owner.id, visitor.id)
    assert not re.search("refused|not_shown|undeliverable|Traceback", product.log("userbot"))
