"""Supergroups, with stock clients: their messages, and the changes that are counted by a pts of their own."""

import pytest
from pyrogram.errors import (
    ChannelInvalid,
    MessageAuthorRequired,
    MessageDeleteForbidden,
    PersistentTimestampEmpty,
    PersistentTimestampInvalid,
)
from pyrogram.raw import functions, types

from edge.sandbox.groups import Group
from edge.sandbox.peers import bare_id
from edge.sandbox.server import Sandbox
from tests.sandbox.groups import reply_to


@pytest.fixture
def vera(telegram: Sandbox):
    return telegram.add_user(first_name="Vera", username="vera")


@pytest.fixture
async def group(telegram: Sandbox, vera, members) -> Group:
    """A group of Vera's, with Anna and Boris in it."""
    group = telegram.add_group("Readers", [vera.id, members[0].account.id, members[1].account.id])
    for member in members:
        await member.next(types.UpdateNewChannelMessage)
    return group


async def test_a_message_has_one_id_for_all_and_is_counted_by_the_groups_pts(telegram, group, members, vera):
    anna, boris = members
    own, before = telegram.pts(boris.account.id), telegram.pts(group.id)
    sent = await anna.send(group, "hello")
    told = await boris.next(types.UpdateNewChannelMessage)
    assert (told.message.id, told.message.message, told.pts, told.pts_count) == (sent.id, "hello", before + 1, 1)
    assert (told.message.from_id.user_id, told.message.peer_id.channel_id) == (anna.account.id, bare_id(group.id))
    assert (sent.out, told.message.out, told.message.post) == (True, False, False)
    [chat], users = boris.batches[-1].chats, boris.batches[-1].users
    assert (chat.id, chat.title, chat.megagroup, chat.left) == (bare_id(group.id), "Readers", True, False)
    assert {user.id for user in users} == {anna.account.id, boris.account.id}
    assert telegram.pts(boris.account.id) == own
    assert [message.text for message in telegram.messages(vera.id, group.id)] == ["hello"]


async def test_the_clients_own_methods_work(telegram, group, members):
    anna, boris = members
    telegram.send(boris.account.id, group.id, "first")
    [dialog] = [dialog async for dialog in anna.client.get_dialogs()]
    assert (dialog.chat.id, dialog.chat.title, dialog.top_message.text) == (group.id, "Readers", "first")
    sent = await anna.client.send_message(group.id, "answer", reply_to_message_id=dialog.top_message.id)
    assert (sent.chat.id, sent.from_user.id, sent.reply_to_message_id) == (
        group.id,
        anna.account.id,
        dialog.top_message.id,
    )
    await anna.client.edit_message_text(group.id, sent.id, "better answer")
    history = [message.text async for message in anna.client.get_chat_history(group.id)]
    assert history[:2] == ["better answer", "first"]
    await anna.client.delete_messages(group.id, sent.id)
    assert [message.text for message in telegram.messages(anna.account.id, group.id)] == ["first"]


async def test_edits_and_deletions_are_counted_too(telegram, group, members):
    anna, boris = members
    sent = await anna.send(group, "old")
    pts = telegram.pts(group.id)
    edit = functions.messages.EditMessage(peer=anna.peer(group), id=sent.id, message="new")
    assert (await anna.invoke(edit)).updates[0].pts == pts + 1
    edited = await boris.next(types.UpdateEditChannelMessage)
    assert (edited.message.message, edited.pts, edited.message.edit_date is not None) == ("new", pts + 1, True)
    with pytest.raises(MessageAuthorRequired):
        await boris.invoke(functions.messages.EditMessage(peer=boris.peer(group), id=sent.id, message="mine"))
    with pytest.raises(MessageDeleteForbidden):
        await boris.invoke(functions.channels.DeleteMessages(channel=boris.channel(group), id=[sent.id]))
    answer = await anna.invoke(functions.channels.DeleteMessages(channel=anna.channel(group), id=[sent.id, 999]))
    assert (answer.pts, answer.pts_count) == (pts + 2, 1)
    deleted = await boris.next(types.UpdateDeleteChannelMessages)
    assert (deleted.channel_id, deleted.messages, deleted.pts) == (bare_id(group.id), [sent.id], pts + 2)


async def test_a_repeated_random_id_brings_the_first_message_back(telegram, group, members):
    anna, _ = members
    first, again = await anna.send(group, "once", random_id=7), await anna.send(group, "once", random_id=7)
    assert first.id == again.id
    assert [message.text for message in telegram.messages(anna.account.id, group.id)] == ["once"]


async def test_what_was_missed_comes_with_the_channels_difference(telegram, group, members, vera):
    anna, _ = members
    before = telegram.pts(group.id)
    empty = await anna.difference(group, before)
    assert (type(empty), empty.pts, empty.final) == (types.updates.ChannelDifferenceEmpty, before, True)
    asked = telegram.send(vera.id, group.id, "question")
    lost = telegram.send(vera.id, group.id, "oops")
    telegram.edit(vera.id, asked.id, "better question", group_id=group.id)
    telegram.delete(vera.id, lost.id, group_id=group.id)
    missed = await anna.difference(group, before)
    assert ([message.message for message in missed.new_messages], missed.final) == (["better question"], True)
    assert [type(update) for update in missed.other_updates] == [
        types.UpdateEditChannelMessage,
        types.UpdateDeleteChannelMessages,
    ]
    assert missed.pts == telegram.pts(group.id) == before + 4
    assert [chat.id for chat in missed.chats] == [bare_id(group.id)]
    assert {user.id for user in missed.users} == {vera.id, anna.account.id}


async def test_a_long_difference_comes_in_slices_and_too_long_a_one_says_where_to_go_on(telegram, group, members, vera):
    anna, _ = members
    before = pts = telegram.pts(group.id)
    for number in range(5):
        telegram.send(vera.id, group.id, str(number))
    texts, finals = [], []
    while not isinstance(part := await anna.difference(group, pts, limit=2), types.updates.ChannelDifferenceEmpty):
        texts += [message.message for message in part.new_messages]
        finals.append(bool(part.final))
        pts = part.pts
    assert (texts, finals) == (["0", "1", "2", "3", "4"], [False, False, True])
    telegram.faults.longest_difference = 4
    part = await anna.difference(group, before)
    assert (type(part), part.dialog.pts) == (types.updates.ChannelDifferenceTooLong, telegram.pts(group.id))
    assert [message.message for message in part.messages[:2]] == ["4", "3"]


async def test_a_difference_can_be_too_long_or_stuck_on_demand(telegram, group, members, vera):
    anna, _ = members
    before = telegram.pts(group.id)
    telegram.send(vera.id, group.id, "one")
    telegram.faults.difference_too_long(anna.account.id, before, channel_id=group.id)
    telegram.faults.stuck_slices(anna.account.id, channel_id=group.id)
    assert (await anna.difference(group, before)).dialog.pts == before
    stuck = await anna.difference(group, before)
    assert (stuck.pts, bool(stuck.final), stuck.new_messages) == (before, False, [])
    assert [message.message for message in (await anna.difference(group, before)).new_messages] == ["one"]


async def test_a_pts_that_never_was_is_refused(telegram, group, members):
    anna, _ = members
    with pytest.raises(PersistentTimestampEmpty):
        await anna.difference(group, 0)
    with pytest.raises(PersistentTimestampInvalid):
        await anna.difference(group, telegram.pts(group.id) + 1)


async def test_pushes_are_lost_repeated_and_delayed_on_demand(telegram, group, members, vera):
    anna, boris = members
    telegram.faults.suppress_pushes(boris.account.id, channel_id=group.id)
    telegram.faults.repeat_pushes(boris.account.id, channel_id=group.id)
    telegram.faults.delay_pushes(boris.account.id, channel_id=group.id)
    for text in ("lost", "late, twice", "in between", "last"):
        telegram.send(vera.id, group.id, text)
    kind = types.UpdateNewChannelMessage
    pushed = [(await boris.next(kind)).message.message for _ in range(4)]
    assert pushed == ["in between", "late, twice", "late, twice", "last"]
    assert [(await anna.next(kind)).message.message for _ in range(3)] == ["lost", "late, twice", "in between"]


async def test_too_many_changes_are_told_without_them(telegram, group, members):
    _, boris = members
    telegram.push_channel_too_long(boris.account.id, group.id, with_pts=True)
    told = await boris.next(types.UpdateChannelTooLong)
    assert (told.channel_id, told.pts) == (bare_id(group.id), telegram.pts(group.id))


async def test_the_accounts_own_difference_has_nothing_of_the_group_but_may_name_it(telegram, group, members, vera):
    anna, _ = members
    telegram.send(vera.id, group.id, "missed")
    query = functions.updates.GetDifference(pts=telegram.pts(anna.account.id), date=group.date, qts=0)
    assert isinstance(await anna.invoke(query), types.updates.DifferenceEmpty)
    telegram.faults.names_channels = True
    named = await anna.invoke(query)
    assert ([one.channel_id for one in named.other_updates], named.chats[0].title) == ([bare_id(group.id)], "Readers")
    assert type(named.other_updates[0]) is types.UpdateChannelTooLong


async def test_dialogs_and_full_channels_have_the_pts(telegram, group, members, vera):
    anna, boris = members
    telegram.send(vera.id, anna.account.id, "private")
    telegram.send(vera.id, group.id, "public")
    query = functions.messages.GetDialogs(
        offset_date=0, offset_id=0, offset_peer=types.InputPeerEmpty(), limit=1, hash=0
    )
    page = await anna.invoke(query)
    [dialog] = page.dialogs
    assert (dialog.peer.channel_id, dialog.pts) == (bare_id(group.id), telegram.pts(group.id))
    assert (page.count, [message.message for message in page.messages], page.chats[0].title) == (
        2,
        ["public"],
        "Readers",
    )
    after = functions.messages.GetDialogs(
        offset_date=page.messages[0].date, offset_id=dialog.top_message, offset_peer=anna.peer(group), limit=9, hash=0
    )
    assert [message.message for message in (await anna.invoke(after)).messages] == ["private"]
    asked = functions.messages.GetPeerDialogs(peers=[types.InputDialogPeer(peer=boris.peer(group))])
    [dialog] = (await boris.invoke(asked)).dialogs
    assert (dialog.pts, dialog.unread_count) == (telegram.pts(group.id), 2)
    full = (await boris.invoke(functions.channels.GetFullChannel(channel=boris.channel(group)))).full_chat
    assert (full.pts, full.slowmode_seconds, full.participants_count) == (telegram.pts(group.id), None, 3)


async def test_messages_are_read_and_found(telegram, group, members, vera):
    anna, boris = members
    asked = telegram.send(vera.id, group.id, "what?")
    answer = await anna.send(group, "that", **reply_to(asked.id))
    assert (answer.reply_to.reply_to_msg_id, answer.reply_to.reply_to_top_id) == (asked.id, None)
    further = telegram.send(vera.id, group.id, "sure?", reply_to=answer.id)
    [message] = (await boris.history(group, limit=1)).messages
    assert (message.reply_to.reply_to_msg_id, message.reply_to.reply_to_top_id) == (answer.id, asked.id)
    ids = [types.InputMessageID(id=answer.id), types.InputMessageReplyTo(id=further.id), types.InputMessageID(id=99)]
    found = await boris.invoke(functions.channels.GetMessages(channel=boris.channel(group), id=ids))
    assert [getattr(message, "message", None) for message in found.messages] == ["that", "that", None]
    assert found.pts == telegram.pts(group.id)
    await boris.invoke(functions.channels.ReadHistory(channel=boris.channel(group), max_id=answer.id))
    full = (await boris.invoke(functions.channels.GetFullChannel(channel=boris.channel(group)))).full_chat
    assert (full.read_inbox_max_id, full.unread_count) == (answer.id, 1)


async def test_an_access_hash_is_each_members_own(telegram, group, members):
    anna, boris = members
    query = functions.channels.GetChannels(id=[anna.channel(group)])
    assert [chat.title for chat in (await anna.invoke(query)).chats] == ["Readers"]
    with pytest.raises(ChannelInvalid):
        await boris.invoke(query)
