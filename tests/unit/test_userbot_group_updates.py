"""What Telegram says of groups, topics, edits, deletions and typing, in our form."""

from typing import Any

import pytest
from pyrogram import Client, raw

from edge.userbot.chat.incoming import Deleted, Edited, Incoming, OwnMessage, Typing
from edge.userbot.intake.account_updates import Gap, GroupChange, LiveChange, UpdatesDifference, UpdatesState
from edge.userbot.telegram.update_reader import UpdateReader
from edge.userbot.telegram.updates import Updates
from tests.unit.test_userbot_updates import batch, new_message, pushed, source_of, user

types = raw.types
READER = UpdateReader("1", lambda: {"timokha", "тимоха"})
BASIC, CHANNEL = types.PeerChat(chat_id=9), types.PeerChannel(channel_id=7)
GROUP = "-1000000000007"


@pytest.fixture
async def client() -> Client:
    client = Client("test", 1, "x", in_memory=True)
    await client.storage.open()
    return client


def message(peer: Any = CHANNEL, *, text: str = "привет", **fields: Any) -> Any:
    writer = types.PeerUser(user_id=2)
    return types.Message(id=5, peer_id=peer, date=1_700_000_000, **{"from_id": writer, "message": text} | fields)


def read(found: Any, *users: Any) -> Any:
    return READER.message(found, {user.id: user for user in users or [user()]})


def topic(message_id: int, top_id: int | None = None) -> Any:
    return types.MessageReplyHeader(reply_to_msg_id=message_id, reply_to_top_id=top_id, forum_topic=True)


@pytest.mark.parametrize(("peer", "chat"), [(BASIC, "-9"), (CHANNEL, GROUP), (types.PeerUser(user_id=2), "2")])
def test_messages_of_every_kind_of_chat_are_read(peer, chat) -> None:
    assert read(message(peer)).chat == chat
    assert isinstance(read(message(peer, out=True)), OwnMessage)
    assert read(message(peer, out=True)).chat == chat


@pytest.mark.parametrize(
    ("header", "chat", "reply_to"),
    [
        (None, GROUP, None),
        (types.MessageReplyHeader(reply_to_msg_id=4), GROUP, 4),
        (types.MessageReplyHeader(reply_to_msg_id=4, reply_to_top_id=3), GROUP, 4),
        (topic(45), f"{GROUP}t45", None),
        (topic(46, 45), f"{GROUP}t45", 46),
        (topic(4, 1), GROUP, 4),
    ],
    ids=["nothing", "a reply", "a thread", "a topic", "a reply in a topic", "the General topic"],
)
@pytest.mark.parametrize("out", [False, True])
def test_a_topic_is_a_chat_of_its_own_and_what_began_it_is_not_replied_to(header, chat, reply_to, out) -> None:
    found = read(message(reply_to=header, out=out))
    assert (found.chat, found.reply_to) == (chat, reply_to)


@pytest.mark.parametrize(
    ("text", "entity", "mentions"),
    [
        ("👍 @Timokha?", types.MessageEntityMention(offset=3, length=8), True),
        ("@тимоха", types.MessageEntityMention(offset=0, length=7), True),
        ("👍 @Timokha?", types.MessageEntityMention(offset=3, length=7), False),
        ("@other", types.MessageEntityMention(offset=0, length=6), False),
        ("тимоха", types.MessageEntityMentionName(offset=0, length=6, user_id=1), True),
        ("тимоха", types.MessageEntityMentionName(offset=0, length=6, user_id=3), False),
        ("@timokha", types.MessageEntityBold(offset=0, length=8), False),
        ("@timokha", types.MessageEntityMention(offset=90, length=8), False),
    ],
)
def test_a_message_names_the_account_by_a_username_or_a_link(text, entity, mentions) -> None:
    assert read(message(text=text, entities=[entity])).mentions_us == mentions


def test_a_reply_to_us_is_no_mention() -> None:
    assert not read(message(mentioned=True, reply_to=types.MessageReplyHeader(reply_to_msg_id=4))).mentions_us


def test_what_an_inline_bot_has_written_is_known_as_such() -> None:
    assert [read(message(**fields)).by_machine for fields in ({}, {"via_bot_id": 8})] == [False, True]


@pytest.mark.parametrize(
    ("found", "users"),
    [
        (message(from_id=CHANNEL), [user()]),
        (message(from_id=None), [user()]),
        (message(from_id=None, post=True), [user()]),
        (message(out=True, post=True), [user()]),
        (message(types.PeerUser(user_id=777000), from_id=None), [user(777000)]),
        (message(types.PeerUser(user_id=777000), from_id=None), []),
        (message(types.PeerUser(user_id=2)), [user(support=True)]),
        (message(), [user(bot=True)]),
    ],
    ids=["a channel's", "anonymous", "a post", "our own post", "Telegram's", "unknown Telegram's", "support", "a bot"],
)
def test_what_no_person_has_written_is_nobodys(found, users) -> None:
    assert READER.message(found, {user.id: user for user in users}) is None


@pytest.mark.parametrize(("peer", "chat"), [(BASIC, "-9"), (types.PeerUser(user_id=2), "2")])
async def test_edits_and_deletions_have_a_place_among_the_accounts_changes(client, peer, chat) -> None:
    edit = types.UpdateEditMessage(message=message(peer), pts=6, pts_count=1)
    own = types.UpdateEditMessage(message=message(peer, out=True), pts=7, pts_count=1)
    deleted = types.UpdateDeleteMessages(messages=[4, 5], pts=9, pts_count=2)
    got = await pushed(client, Updates(client), batch(edit, own, deleted, users=[user()]), reader=READER)
    assert got == [
        LiveChange(6, 1, Edited("1", chat, 5, "привет")),
        LiveChange(7, 1),
        LiveChange(9, 2, Deleted("1", frozenset({4, 5}))),
    ]


async def test_a_supergroup_counts_by_itself(client) -> None:
    new = types.UpdateNewChannelMessage(message=message(reply_to=topic(45)), pts=5, pts_count=1)
    edit = types.UpdateEditChannelMessage(message=message(text="нет", reply_to=topic(45)), pts=6, pts_count=1)
    deleted = types.UpdateDeleteChannelMessages(channel_id=7, messages=[4], pts=7, pts_count=1)
    page = types.UpdateChannelWebPage(channel_id=7, webpage=types.WebPageEmpty(id=1), pts=8, pts_count=1)
    read_up_to = types.UpdateReadChannelInbox(channel_id=7, max_id=5, still_unread_count=0, pts=8)
    behind = types.UpdateChannelTooLong(channel_id=7, pts=9), types.UpdateChannel(channel_id=7)
    updates = batch(new, edit, deleted, page, read_up_to, *behind, users=[user()])
    first, *others = await pushed(client, Updates(client), updates, reader=READER)
    assert (first.group, first.change.content.chat) == (GROUP, f"{GROUP}t45")
    assert others == [
        GroupChange(GROUP, LiveChange(6, 1, Edited("1", f"{GROUP}t45", 5, "нет"))),
        GroupChange(GROUP, LiveChange(7, 1, Deleted("1", frozenset({4}), GROUP))),
        GroupChange(GROUP, LiveChange(8, 1)),
        GroupChange(GROUP, Gap("too long", 9)),
        GroupChange(GROUP, Gap("changed")),
    ]


async def test_a_difference_has_edits_and_deletions_after_its_messages_and_hands_on_what_groups_count() -> None:
    edit = types.UpdateEditMessage(message=message(types.PeerUser(user_id=2)), pts=6, pts_count=1)
    deleted = types.UpdateDeleteMessages(messages=[4], pts=9, pts_count=1)
    new = types.UpdateNewChannelMessage(message=message(), pts=5, pts_count=1)
    behind = types.UpdateChannelTooLong(channel_id=7, pts=9)
    handed_on: list[GroupChange] = []
    source = source_of([new_message(7).message], [deleted, new, behind, edit], None)
    source._on_group_change = handed_on.append
    found = await source.difference(UpdatesState(pts=1, qts=0))
    assert isinstance(found, UpdatesDifference)
    first, *others = found.messages
    assert isinstance(first, Incoming)
    assert others == [Deleted("1", frozenset({4})), Edited("1", "2", 5, "привет")]
    assert [type(change.change) for change in handed_on] == [LiveChange, Gap]


TYPES, CANCELS = types.SendMessageTypingAction(), types.SendMessageCancelAction()
BORIS = types.PeerUser(user_id=2)


@pytest.mark.parametrize(
    ("update", "typing"),
    [
        (types.UpdateUserTyping(user_id=2, action=TYPES), Typing("2", "2")),
        (types.UpdateUserTyping(user_id=2, action=CANCELS), Typing("2", "2", stops=True)),
        (types.UpdateUserTyping(user_id=2, action=types.SendMessageGamePlayAction()), None),
        (types.UpdateChatUserTyping(chat_id=9, from_id=BORIS, action=TYPES), Typing("-9", "2")),
        (types.UpdateChannelUserTyping(channel_id=7, from_id=BORIS, action=TYPES), Typing(GROUP, "2")),
        (
            types.UpdateChannelUserTyping(channel_id=7, from_id=BORIS, action=TYPES, top_msg_id=45),
            Typing(f"{GROUP}t45", "2"),
        ),
        (types.UpdateChannelUserTyping(channel_id=7, from_id=CHANNEL, action=TYPES), None),
    ],
)
async def test_who_is_typing_is_told_beside_the_changes(client, update, typing) -> None:
    told = types.UpdateShort(update=update, date=0)
    assert await pushed(client, Updates(client), told, reader=READER) == ([typing] if typing else [])
