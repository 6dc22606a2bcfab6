"""Basic groups, channels and anonymous writers, mentions, topics, refusals and typing, with stock clients."""

import pytest
from pyrogram.errors import (
    ChannelPrivate,
    ChatWriteForbidden,
    Forbidden,
    MessageDeleteForbidden,
    RPCError,
    SlowmodeWait,
    UserBannedInChannel,
)
from pyrogram.raw import functions, types

from edge.sandbox.peers import bare_id
from edge.sandbox.server import Sandbox
from tests.sandbox.groups import PAGE, Member, reply_to

pytestmark = pytest.mark.usefixtures("repaired")  # unrepaired, the client writes errors that it does not know to a file


@pytest.fixture
def vera(telegram: Sandbox):
    return telegram.add_user(first_name="Vera", username="vera_v")


@pytest.fixture
def forum(telegram: Sandbox, vera, members):
    return telegram.add_group("Forum", [vera.id, *(member.account.id for member in members)], forum=True)


@pytest.fixture
def group(telegram: Sandbox, vera, members):
    return telegram.add_group("Readers", [vera.id, *(member.account.id for member in members)])


async def next_text(member: Member):
    """Return the next text message that is pushed to the member."""
    while True:
        update = await member.next(types.UpdateNewMessage | types.UpdateNewChannelMessage)
        if isinstance(update.message, types.Message):
            return update.message


async def test_a_basic_groups_messages_are_in_every_members_own_box(telegram, members, vera):
    anna, boris = members
    telegram.send(vera.id, boris.account.id, "first in Boris's box")
    await next_text(boris)
    group = telegram.add_group("Three", [vera.id, anna.account.id, boris.account.id], supergroup=False)
    sent, told = await anna.send(group, "hello"), await next_text(boris)
    assert (told.message, told.peer_id.chat_id, told.from_id.user_id) == ("hello", bare_id(group.id), anna.account.id)
    assert told.id == sent.id + 1
    assert [chat.title for chat in boris.batches[-1].chats] == ["Three"]
    answer = await boris.send(group, "hello yourself", **reply_to(told.id))
    back = await next_text(anna)
    assert (answer.reply_to.reply_to_msg_id, back.reply_to.reply_to_msg_id, back.mentioned) == (told.id, sent.id, True)
    pts = telegram.pts(anna.account.id)
    await boris.invoke(functions.messages.EditMessage(peer=boris.peer(group), id=answer.id, message="hello there"))
    edited = await anna.next(types.UpdateEditMessage)
    assert (edited.message.message, edited.pts) == ("hello there", pts + 1)
    with pytest.raises(MessageDeleteForbidden):
        await anna.invoke(functions.messages.DeleteMessages(id=[back.id], revoke=True))
    await boris.invoke(functions.messages.DeleteMessages(id=[answer.id], revoke=True))
    assert (await anna.next(types.UpdateDeleteMessages)).messages == [back.id]
    [dialog, _] = (await boris.invoke(dialogs())).dialogs
    assert (dialog.peer.chat_id, dialog.pts) == (bare_id(group.id), None)
    await boris.invoke(functions.messages.ReadHistory(peer=boris.peer(group), max_id=0))
    assert (await anna.next(types.UpdateReadHistoryOutbox)).peer.chat_id == bare_id(group.id)
    missed = await anna.invoke(functions.updates.GetDifference(pts=pts, date=0, qts=0))
    assert {type(update) for update in missed.other_updates} >= {types.UpdateDeleteMessages}


async def test_a_basic_groups_short_updates_name_the_chat(telegram, members, vera):
    _, boris = members
    group = telegram.add_group("Three", [vera.id, boris.account.id], supergroup=False)
    telegram.faults.short_updates = True
    telegram.send(vera.id, group.id, "short")
    short = await boris.next(types.UpdateShortChatMessage)
    assert (short.message, short.from_id, short.chat_id) == ("short", vera.id, bare_id(group.id))


async def test_posts_and_anonymous_messages_have_no_user_as_writer(telegram, members, vera, group):
    anna, _ = members
    channel = telegram.add_channel("News", [vera.id, anna.account.id])
    telegram.send(vera.id, channel.id, "post")
    post = await next_text(anna)
    assert (post.post, post.from_id, post.peer_id.channel_id) == (True, None, bare_id(channel.id))
    assert anna.batches[-1].chats[0].broadcast
    with pytest.raises(ChatWriteForbidden):
        await anna.send(channel, "comment")
    telegram.send_to_group(vera.id, group.id, "as the group", anonymous=True)
    hidden = await next_text(anna)
    assert (hidden.post, hidden.from_id.channel_id) == (False, bare_id(group.id))


async def test_who_is_named_in_a_message_is_named_in_it_after_an_edit_too(telegram, members, vera, group):
    anna, boris = members
    by_hand = telegram.send(vera.id, group.id, "Hi @Anna")
    telegram.edit(vera.id, by_hand.id, "Dear @Anna", group_id=group.id)
    by_client = await boris.send(group, "Hi @Anna")
    edit = functions.messages.EditMessage(peer=boris.peer(group), id=by_client.id, message="Dear @Anna")
    await boris.invoke(edit)
    for _ in range(2):
        edited = await anna.next(types.UpdateEditChannelMessage)
        assert [(type(one), one.offset, one.length) for one in edited.message.entities] == [
            (types.MessageEntityMention, 5, 5)
        ]


async def test_who_is_named_or_answered_is_mentioned(telegram, members, vera, group):
    anna, boris = members
    telegram.send(vera.id, group.id, "Hi @Anna, not mail@boris")
    for_anna, for_boris = await next_text(anna), await next_text(boris)
    assert (for_anna.mentioned, for_boris.mentioned) == (True, False)
    assert [(type(one), one.offset, one.length) for one in for_anna.entities] == [(types.MessageEntityMention, 3, 5)]
    user = types.InputUser(
        user_id=boris.account.id, access_hash=telegram.state.access_hash(anna.account.id, boris.account.id)
    )
    name = types.InputMessageEntityMentionName(offset=0, length=5, user_id=user)
    sent = await anna.send(group, "Boris, hello", entities=[name])
    got = await next_text(boris)
    assert (got.mentioned, got.entities[0].user_id) == (True, boris.account.id)
    assert boris.account.id in {user.id for user in boris.batches[-1].users}
    await boris.send(group, "yes?", **reply_to(sent.id))
    assert (await next_text(anna)).mentioned


async def test_messages_in_a_topic_say_which(telegram, members, vera, forum):
    anna, boris = members
    topic = telegram.add_topic(vera.id, forum.id, "Cats")
    first = await anna.send(forum, "about cats", **reply_to(topic.id))
    assert header(first) == (topic.id, None, True)
    assert header(await next_text(boris)) == (topic.id, None, True)
    assert header(await boris.send(forum, "mine too", **reply_to(first.id, topic.id))) == (first.id, topic.id, True)
    assert header(await boris.send(forum, "without the topic", **reply_to(first.id))) == (first.id, topic.id, True)
    general = await anna.send(forum, "in general")
    assert general.reply_to is None
    assert header(await boris.send(forum, "yes", **reply_to(general.id))) == (general.id, None, False)
    telegram.faults.unknown_reply = None
    assert header(await anna.send(forum, "to nothing", **reply_to(999, topic.id))) == (topic.id, None, True)
    by_hand = telegram.send_to_group(vera.id, forum.id, "by hand", topic_id=topic.id)
    assert (by_hand.top_id, by_hand.in_topic) == (topic.id, True)
    replies = functions.messages.GetReplies(peer=anna.peer(forum), msg_id=topic.id, **PAGE)
    texts = [message.message for message in (await anna.invoke(replies)).messages]
    assert texts == ["by hand", "to nothing", "without the topic", "mine too", "about cats"]
    replies = functions.messages.GetReplies(peer=anna.peer(forum), msg_id=1, **PAGE)
    assert [message.message for message in (await anna.invoke(replies)).messages if hasattr(message, "message")] == [
        "yes",
        "in general",
    ]


async def test_a_closed_topic_takes_no_messages(telegram, members, vera, forum):
    anna, _ = members
    topic = telegram.add_topic(vera.id, forum.id, "Cats")
    telegram.close_topic(forum.id, topic.id)
    with pytest.raises(RPCError, match="TOPIC_CLOSED"):
        await anna.send(forum, "about cats", **reply_to(topic.id))
    await anna.send(forum, "in general")
    telegram.close_topic(forum.id, topic.id, closed=False)
    await anna.send(forum, "about cats", **reply_to(topic.id))
    closing = [message for message in (await anna.history(forum)).messages if hasattr(message, "action")]
    assert [type(message.action) for message in closing] == [
        types.MessageActionTopicEdit,
        types.MessageActionTopicEdit,
        types.MessageActionTopicCreate,
        types.MessageActionChannelCreate,
    ]
    assert (closing[2].id, header(closing[0])) == (topic.id, (topic.id, None, True))


async def test_topics_are_listed(telegram, members, vera, forum):
    anna, _ = members
    topic = telegram.add_topic(vera.id, forum.id, "Cats")
    telegram.send_to_group(vera.id, forum.id, "about cats", topic_id=topic.id)
    section = functions.channels if hasattr(functions.channels, "GetForumTopics") else functions.messages
    where = {"channel": anna.channel(forum)} if section is functions.channels else {"peer": anna.peer(forum)}
    found = await anna.invoke(section.GetForumTopics(**where, offset_date=0, offset_id=0, offset_topic=0, limit=10))
    assert [(one.id, one.title, one.unread_count) for one in found.topics] == [(topic.id, "Cats", 2), (1, "General", 1)]
    assert (found.pts, found.chats[0].forum) == (telegram.pts(forum.id), True)
    found = await anna.invoke(section.GetForumTopicsByID(**where, topics=[1, 99]))
    assert [type(one) for one in found.topics] == [types.ForumTopic, types.ForumTopicDeleted]


async def test_slow_mode_makes_a_member_wait_but_not_edit(telegram, members, vera, group):
    anna, boris = members
    telegram.set_slow_mode(group.id, 60)
    sent = await anna.send(group, "one", random_id=7)
    with pytest.raises(SlowmodeWait) as caught:
        await anna.send(group, "two")
    assert 50 < caught.value.value <= 60
    assert (await anna.send(group, "one", random_id=7)).id == sent.id
    await anna.invoke(functions.messages.EditMessage(peer=anna.peer(group), id=sent.id, message="better"))
    await boris.send(group, "somebody else")
    full = (await anna.invoke(functions.channels.GetFullChannel(channel=anna.channel(group)))).full_chat
    assert (full.slowmode_seconds, full.slowmode_next_send_date) == (60, sent.date + 60)
    telegram.set_slow_mode(group.id, 0)
    await anna.send(group, "two")


async def test_who_may_not_write_is_refused(telegram, members, vera, group):
    anna, boris = members
    telegram.mute(anna.account.id, group.id)
    with pytest.raises(UserBannedInChannel):
        await anna.send(group, "muted")
    await boris.send(group, "not muted")
    telegram.mute(anna.account.id, group.id, muted=False)
    telegram.set_writable(group.id, plain=False)
    with pytest.raises(Forbidden, match="CHAT_SEND_PLAIN_FORBIDDEN"):
        await anna.send(group, "text")
    telegram.set_writable(group.id, writable=False)
    with pytest.raises(ChatWriteForbidden):
        await anna.send(group, "anything")


async def test_who_is_removed_finds_a_closed_group(telegram, members, vera, group):
    anna, boris = members
    telegram.remove(anna.account.id, group.id)
    told = await anna.next(types.UpdateChannel)
    assert (told.channel_id, type(anna.batches[-1].chats[0])) == (bare_id(group.id), types.ChannelForbidden)
    for attempt in (anna.send(group, "still here"), anna.history(group), anna.difference(group, 1)):
        with pytest.raises(ChannelPrivate):
            await attempt
    assert (await anna.invoke(dialogs())).dialogs == []
    await boris.send(group, "who was that?")
    telegram.join(anna.account.id, group.id)
    await anna.send(group, "back again")


async def test_who_is_removed_from_a_basic_group_reads_that_and_no_more(telegram, members, vera):
    anna, boris = members
    group = telegram.add_group("Three", [vera.id, anna.account.id, boris.account.id], supergroup=False)
    telegram.remove(anna.account.id, group.id)
    await anna.next(types.UpdateChat)
    assert type(anna.batches[-1].chats[0]) is types.ChatForbidden
    with pytest.raises(ChatWriteForbidden):
        await anna.send(group, "still here")
    await boris.send(group, "who was that?")
    [newest] = (await anna.history(group, limit=1)).messages
    assert newest.action.user_id == anna.account.id


async def test_a_public_group_is_found_and_read_but_only_members_write(telegram, members, vera):
    anna, _ = members
    group = telegram.add_group("Public", [vera.id], username="public_readers")
    telegram.send(vera.id, group.id, "hello")
    found = await anna.invoke(functions.contacts.ResolveUsername(username="public_readers"))
    assert (found.peer.channel_id, found.chats[0].left) == (bare_id(group.id), True)
    assert [message.message for message in (await anna.history(group, limit=1)).messages] == ["hello"]
    with pytest.raises(ChatWriteForbidden):
        await anna.send(group, "hello")


@pytest.mark.parametrize("supergroup", [False, True])
async def test_typing_is_shown_in_groups(telegram, members, supergroup):
    anna, boris = members
    group = telegram.add_group("Two", [anna.account.id, boris.account.id], supergroup=supergroup)
    kind = types.UpdateChannelUserTyping if supergroup else types.UpdateChatUserTyping
    await anna.invoke(
        functions.messages.SetTyping(peer=anna.peer(group), action=types.SendMessageTypingAction(), top_msg_id=None)
    )
    shown = await boris.next(kind)
    assert (shown.from_id.user_id, type(shown.action)) == (anna.account.id, types.SendMessageTypingAction)
    telegram.type(boris.account.id, group.id, "cancel")
    assert type((await anna.next(kind)).action) is types.SendMessageCancelAction
    assert telegram.typing(anna.account.id, group.id) == ["typing"]
    telegram.type(boris.account.id, anna.account.id)
    assert (await anna.next(types.UpdateUserTyping)).user_id == boris.account.id


async def test_typing_in_a_topic_names_it(telegram, members, vera, forum):
    anna, _ = members
    topic = telegram.add_topic(vera.id, forum.id, "Cats")
    telegram.type(vera.id, forum.id, topic_id=topic.id)
    assert (await anna.next(types.UpdateChannelUserTyping)).top_msg_id == topic.id


async def test_edits_and_deletions_in_private_chats_are_telegrams_updates(telegram, members):
    anna, boris = members
    sent = telegram.send(anna.account.id, boris.account.id, "old")
    copy, pts = telegram.messages(boris.account.id, anna.account.id)[0], telegram.pts(boris.account.id)
    telegram.edit(anna.account.id, sent.id, "new")
    edited = await boris.next(types.UpdateEditMessage)
    assert (edited.message.id, edited.message.message, edited.pts, edited.pts_count) == (copy.id, "new", pts + 1, 1)
    assert (edited.message.edit_hide, edited.message.edit_date is None) == (False, False)
    telegram.delete(anna.account.id, sent.id)
    deleted = await boris.next(types.UpdateDeleteMessages)
    assert (deleted.messages, deleted.pts, deleted.pts_count) == ([copy.id], pts + 2, 1)


def header(message) -> tuple[int, int | None, bool]:
    """Return what a message replies to, its thread's first message, and whether that is a topic."""
    reply = message.reply_to
    return reply.reply_to_msg_id, reply.reply_to_top_id, bool(reply.forum_topic)


def dialogs():
    return functions.messages.GetDialogs(
        offset_date=0, offset_id=0, offset_peer=types.InputPeerEmpty(), limit=10, hash=0
    )
