"""A connected bot: what it is told about a person's chats, and what it writes in the person's name."""

from pyrogram.raw import types

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from tests.sandbox.business import Bot


async def test_a_bot_that_is_connected_is_told_what_both_sides_write_and_answers_as_the_person(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot
) -> None:
    before = await bot.state()
    id_ = telegram.connect_business(anna.id, bot.account.id)
    connected = await bot.next()
    assert (connected.connection.connection_id, connected.qts) == (id_, before.qts + 1)
    telegram.send(boris.id, anna.id, "question")
    asked = await bot.next()
    [stored] = telegram.messages(anna.id, boris.id)
    assert isinstance(asked, types.UpdateBotNewBusinessMessage)
    assert (asked.message.id, asked.message.message, asked.message.out) == (stored.id, "question", False)
    assert {anna.id, boris.id} <= bot.users.keys()

    sent = await bot.send(id_, boris.id, "answer", reply_to=stored.id)
    assert isinstance(sent, types.UpdateBotNewBusinessMessage)
    assert (sent.message.message, sent.message.out, sent.message.via_business_bot_id) == (
        "answer",
        True,
        bot.account.id,
    )
    assert sent.reply_to_message.message == "question"
    assert await bot.next() == sent
    telegram.send(anna.id, boris.id, "by hand")
    by_hand = await bot.next()
    assert (by_hand.message.message, by_hand.message.out, by_hand.message.via_business_bot_id) == (
        "by hand",
        True,
        None,
    )
    assert [message.text for message in telegram.messages(boris.id, anna.id)] == ["question", "answer", "by hand"]

    missed = await bot.difference(before.pts, before.qts)
    assert missed.other_updates == [connected, asked, sent, by_hand]
    assert {user.id for user in missed.users} == {bot.account.id, anna.id, boris.id}
    assert missed.state.qts == (await bot.state()).qts == before.qts + 4 == telegram.qts(bot.account.id)
    assert isinstance(await bot.difference(before.pts, missed.state.qts), types.updates.DifferenceEmpty)
