"""Catching up: the state, the difference, and what gaps look like."""

import pytest
from pyrogram import Client
from pyrogram.errors import PersistentTimestampEmpty, PersistentTimestampInvalid
from pyrogram.raw import functions, types

from edge.sandbox.server import Sandbox


async def difference(client: Client, pts: int):
    return await client.invoke(functions.updates.GetDifference(pts=pts, date=0, qts=0))


async def state(client: Client):
    return await client.invoke(functions.updates.GetState())


async def test_what_happened_while_away_comes_with_the_difference(people, telegram: Sandbox):
    client, anna, boris = people.anna_client, people.anna, people.boris
    before = (await state(client)).pts
    assert isinstance(await difference(client, before), types.updates.DifferenceEmpty)
    question = telegram.send(boris.id, anna.id, "question")
    mine = telegram.messages(anna.id, boris.id)[0]
    await client.send_message("boris", "answer", reply_to_message_id=mine.id)
    await people.boris_client.edit_message_text(anna.id, question.id, "better question")
    await client.read_chat_history("boris")
    missed = await difference(client, before)
    assert [(message.message, message.out) for message in missed.new_messages] == [
        ("better question", False),
        ("answer", True),
    ]
    assert missed.new_messages[1].reply_to.reply_to_msg_id == mine.id
    assert [type(update) for update in missed.other_updates] == [types.UpdateEditMessage, types.UpdateReadHistoryInbox]
    assert {user.id for user in missed.users} == {anna.id, boris.id}
    assert missed.state.pts == (await state(client)).pts == before + 4


async def test_a_deleted_message_is_not_in_the_difference(people, telegram: Sandbox):
    before = telegram.pts(people.anna.id)
    sent = await people.boris_client.send_message("anna", "oops")
    await people.boris_client.delete_messages("anna", sent.id)
    missed = await difference(people.anna_client, before)
    assert missed.new_messages == []
    assert [type(update) for update in missed.other_updates] == [types.UpdateDeleteMessages]


async def test_a_long_difference_comes_in_slices_that_lead_on(people, telegram: Sandbox):
    telegram.faults.slice_size = 2
    pts, texts, kinds = telegram.pts(people.anna.id), [], []
    for number in range(5):
        telegram.send(people.boris.id, people.anna.id, str(number))
    while not isinstance(part := await difference(people.anna_client, pts), types.updates.DifferenceEmpty):
        kinds.append(type(part))
        texts += [message.message for message in part.new_messages]
        pts = part.state.pts if isinstance(part, types.updates.Difference) else part.intermediate_state.pts
    assert texts == ["0", "1", "2", "3", "4"]
    assert kinds == [types.updates.DifferenceSlice] * 2 + [types.updates.Difference]
    assert pts == telegram.pts(people.anna.id)


async def test_too_long_a_difference_says_where_to_go_on(people, telegram: Sandbox):
    before = telegram.pts(people.anna.id)
    telegram.send(people.boris.id, people.anna.id, "one")
    telegram.faults.difference_too_long(people.anna.id)
    answer = await difference(people.anna_client, before)
    assert (type(answer), answer.pts) == (types.updates.DifferenceTooLong, telegram.pts(people.anna.id))
    assert isinstance(await difference(people.anna_client, answer.pts), types.updates.DifferenceEmpty)


async def test_a_pts_that_never_was_is_refused(people, telegram: Sandbox):
    with pytest.raises(PersistentTimestampEmpty):
        await difference(people.anna_client, 0)
    with pytest.raises(PersistentTimestampInvalid):
        await difference(people.anna_client, telegram.pts(people.anna.id) + 1)
