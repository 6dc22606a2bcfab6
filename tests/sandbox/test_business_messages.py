"""A connected bot: what it is told about a person's chats, and what it writes in the person's name."""

import pytest
from pyrogram.errors import RPCError
from pyrogram.raw import functions, types

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
    assert (sent.message.message, sent.message.out) == ("answer", True)
    assert sent.message.via_business_bot_id == bot.account.id
    assert sent.reply_to_message.message == "question"
    assert await bot.next() == sent
    telegram.send(anna.id, boris.id, "by hand")
    by_hand = await bot.next()
    assert (by_hand.message.message, by_hand.message.out) == ("by hand", True)
    assert by_hand.message.via_business_bot_id is None
    assert [message.text for message in telegram.messages(boris.id, anna.id)] == ["question", "answer", "by hand"]
    assert [message.via_business_bot for message in telegram.messages(boris.id, anna.id)] == [None] * 3

    missed = await bot.difference(before.pts, before.qts)
    assert missed.other_updates == [connected, asked, sent, by_hand]
    assert {user.id for user in missed.users} == {bot.account.id, anna.id, boris.id}
    assert missed.state.qts == (await bot.state()).qts == before.qts + 4 == telegram.qts(bot.account.id)
    assert isinstance(await bot.difference(before.pts, missed.state.qts), types.updates.DifferenceEmpty)


async def test_it_is_told_of_edits_and_deletions_and_makes_them_itself(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, connection: str
) -> None:
    [asked] = telegram.messages(boris.id, anna.id)
    telegram.edit(boris.id, asked.id, "better question")
    edited = await bot.next()
    assert (type(edited), edited.message.message) == (types.UpdateBotEditBusinessMessage, "better question")
    answer = await bot.send(connection, boris.id, "answer")
    query = functions.messages.EditMessage(peer=bot.peer(boris.id), id=answer.message.id, message="better answer")
    improved = await bot.one(connection, query)
    assert (type(improved), improved.message.message) == (types.UpdateBotNewBusinessMessage, "better answer")
    assert improved.message.via_business_bot_id == bot.account.id
    assert await bot.next() == answer
    told = await bot.next()
    assert (type(told), told.message, told.qts) == (
        types.UpdateBotEditBusinessMessage,
        improved.message,
        improved.qts,
    )
    telegram.delete(boris.id, asked.id)
    gone = await bot.next()
    assert (type(gone), gone.peer.user_id) == (types.UpdateBotDeleteBusinessMessage, boris.id)
    assert gone.connection_id == connection
    affected = await bot.client.delete_business_messages(connection, answer.message.id)
    assert (affected, (await bot.next()).messages) == (1, [answer.message.id])
    assert telegram.messages(boris.id, anna.id) == telegram.messages(anna.id, boris.id) == []


async def test_a_repeated_random_id_gives_the_same_message_or_is_refused(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, connection: str
) -> None:
    vera = telegram.add_user(first_name="Vera")
    first = await bot.send(connection, boris.id, "answer", random_id=7)
    assert await bot.send(connection, boris.id, "another", random_id=7) == first
    id_ = telegram.connect_business(anna.id, bot.account.id, exclude=[vera.id])
    assert (await bot.send(id_, boris.id, "answer", random_id=7)).message.id == first.message.id
    telegram.faults.refuse_repeats = True
    repeat = functions.messages.SendMessage(peer=bot.peer(boris.id), message="answer", random_id=7)
    with pytest.raises(RPCError, match="RANDOM_ID_DUPLICATE"):
        await bot.invoke_once(id_, repeat)
    assert [message.text for message in telegram.messages(boris.id, anna.id)] == ["question", "answer"]

    telegram.send(boris.id, vera.id, "to Vera")
    other = telegram.connect_business(vera.id, bot.account.id)
    assert (await bot.send(other, boris.id, "answer", random_id=7)).message.message == "answer"
    assert [message.text for message in telegram.messages(boris.id, vera.id)] == ["to Vera", "answer"]


async def test_its_own_messages_need_not_be_counted(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, connection: str
) -> None:
    telegram.faults.echo_business = False
    before = telegram.qts(bot.account.id)
    sent = await bot.send(connection, boris.id, "answer")
    assert (sent.message.message, sent.qts) == ("answer", 0)
    telegram.send(anna.id, boris.id, "by hand")
    assert (await bot.next()).message.message == "by hand"
    assert telegram.qts(bot.account.id) == before + 1


async def test_it_reads_shows_that_it_types_and_shows_drafts(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, connection: str
) -> None:
    peer = bot.peer(boris.id)
    [asked] = telegram.messages(anna.id, boris.id)
    read = await bot.invoke(connection, functions.messages.ReadHistory(peer=peer, max_id=asked.id))
    assert (read.pts_count, telegram.read_up_to(anna.id, boris.id)) == (1, asked.id)
    typing = types.SendMessageTypingAction()
    assert await bot.invoke(connection, functions.messages.SetTyping(peer=peer, action=typing)) is True
    for text in ("Once", "Once upon"):
        shown = types.TextWithEntities(text=text, entities=[])
        draft = types.SendMessageTextDraftAction(random_id=9, text=shown)
        await bot.invoke(connection, functions.messages.SetTyping(peer=peer, action=draft))
    assert telegram.typing(anna.id, boris.id) == ["typing", "textdraft", "textdraft"]
    drafts = telegram.live_drafts(anna.id, boris.id)
    assert [(draft.random_id, draft.text) for draft in drafts] == [(9, "Once"), (9, "Once upon")]
    assert telegram.live_drafts(boris.id, anna.id) == []


async def test_two_persons_with_the_same_bot_write_to_each_other(
    telegram: Sandbox, anna: Account, boris: Account, bot: Bot, connection: str
) -> None:
    other = telegram.connect_business(boris.id, bot.account.id)
    assert (await bot.next()).connection.user_id == boris.id
    sent = await bot.send(connection, boris.id, "answer")
    told = [await bot.next(), await bot.next()]
    assert told[0] == sent
    assert (told[1].connection_id, told[1].message.out, told[1].message.message) == (other, False, "answer")
