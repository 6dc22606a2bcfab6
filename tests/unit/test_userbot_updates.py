"""What Telegram pushes reaches us whole, whatever pyrogram would make of it."""

from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from pyrogram import Client, raw, utils

from edge.userbot.chat.incoming import Deleted, Incoming, OwnMessage
from edge.userbot.intake.account_updates import Counter, Gap, GroupChange, LiveChange, UpdatesDifference, UpdatesState
from edge.userbot.people import Person
from edge.userbot.telegram import pyrogram_repairs
from edge.userbot.telegram.update_reader import UpdateReader
from edge.userbot.telegram.updates import Updates
from edge.userbot.telegram.updates_source import TelegramUpdatesSource
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

types = raw.types
HUGE_CHANNEL = 3_000_000_000


@pytest.fixture
async def client() -> Client:
    client = Client("test", 1, "x", in_memory=True)
    await client.storage.open()
    return client


@pytest.fixture
def updates(client: Client) -> Updates:
    return Updates(client)


READER = UpdateReader("1")


def new_message(number: int = 5, user_id: int = 2) -> Any:
    peer = types.PeerUser(user_id=user_id)
    message = types.Message(id=number, peer_id=peer, date=1_700_000_000, message="привет")
    return types.UpdateNewMessage(message=message, pts=number, pts_count=1)


def user(user_id: int = 2, **flags: Any) -> Any:
    return types.User(id=user_id, first_name="A", access_hash=7, lang_code="en", **flags)


def channel() -> Any:
    return types.Channel(
        id=HUGE_CHANNEL, title="c", photo=types.ChatPhotoEmpty(), date=0, access_hash=1, broadcast=True, min=True
    )


def batch(*updates: Any, users: Any = (), chats: Any = ()) -> Any:
    return types.Updates(updates=list(updates), users=list(users), chats=list(chats), date=0, seq=0)


async def pushed(client: Client, updates: Updates, *what: Any, reader: UpdateReader = READER) -> list[Any]:
    got: list[Any] = []
    updates.on_group_change = updates.on_typing = got.append
    updates.listen(reader, got.append)
    for one in what:
        await client.handle_updates(one)
    return got


EXPECTED = Incoming(
    "1", "2", 5, "привет", "en", datetime.fromtimestamp(1_700_000_000, UTC), sender=Person("2", name="A")
)


async def test_a_message_comes_with_its_place_and_its_senders_language(client, updates) -> None:
    assert await pushed(client, updates, batch(new_message(), users=[user()])) == [LiveChange(5, 1, EXPECTED)]


COLLECTIBLE = [types.Username(username="Ann", active=True), types.Username(username="Old")]


@pytest.mark.parametrize(
    ("shown", "person"),
    [
        ({"username": "Anna", "contact": True}, Person("2", frozenset({"anna"}), "A", contact=True)),
        ({"usernames": COLLECTIBLE, "last_name": "Ли"}, Person("2", frozenset({"ann"}), "A Ли")),
        ({"contact": True, "min": True}, Person("2", frozenset(), "A", contact=None)),
        ({"mutual_contact": True, "contact": True}, Person("2", frozenset(), "A", contact=True)),
    ],
    ids=["a contact", "only collectible names", "partly shown", "a mutual contact"],
)
async def test_a_message_says_who_its_sender_is(client, updates, shown, person) -> None:
    [change] = await pushed(client, updates, batch(new_message(), users=[user(**shown)]))
    assert change.content.sender == person


@pytest.mark.parametrize("users", [[], [types.UserEmpty(id=2)]], ids=["left out", "empty"])
async def test_of_a_sender_who_is_not_shown_the_id_is_known(client, updates, users) -> None:
    [change] = await pushed(client, updates, batch(new_message(), users=users))
    assert change.content.sender == Person("2", contact=None)


async def test_in_a_group_the_sender_is_the_author(client) -> None:
    message = new_message()
    message.message.peer_id, message.message.from_id = types.PeerChat(chat_id=9), types.PeerUser(user_id=2)
    people = [user(username="anna"), user(3)]
    [change] = await pushed(client, Updates(client), batch(message, users=people))
    assert (change.content.chat, change.content.sender) == ("-9", Person("2", frozenset({"anna"}), "A"))


@pytest.mark.parametrize(("elsewhere", "expected"), [(None, 3), (types.PeerUser(user_id=4), None)])
async def test_a_message_says_what_it_replies_to_in_its_chat(client, updates, elsewhere, expected) -> None:
    update = new_message()
    update.message.reply_to = types.MessageReplyHeader(reply_to_msg_id=3, reply_to_peer_id=elsewhere)
    [change] = await pushed(client, updates, batch(update, users=[user()]))
    assert change.content.reply_to == expected


async def test_updates_from_before_listening_wait(client, updates) -> None:
    await client.handle_updates(batch(new_message(), users=[user()]))
    assert await pushed(client, updates) == [LiveChange(5, 1, EXPECTED)]


async def test_a_channel_id_that_pyrogram_thinks_invalid_costs_no_message_of_the_batch(client, updates) -> None:
    post = types.Message(id=1, peer_id=types.PeerChannel(channel_id=HUGE_CHANNEL), date=0, message="post", post=True)
    strange = types.UpdateNewChannelMessage(message=post, pts=9, pts_count=1)
    got = await pushed(client, updates, batch(strange, new_message(), users=[user()], chats=[channel()]))
    assert got == [GroupChange(f"-100{HUGE_CHANNEL}", LiveChange(9, 1)), LiveChange(5, 1, EXPECTED)]


def test_the_ids_of_new_channels_are_valid(updates) -> None:
    assert utils.get_peer_type(utils.get_channel_id(HUGE_CHANNEL)) == "channel"


async def test_a_fault_in_remembering_people_costs_no_message(client, updates, monkeypatch) -> None:
    async def fail(peers: Any) -> None:
        raise RuntimeError("the session file is broken")

    monkeypatch.setattr(client.storage, "update_peers", fail)
    with structlog.testing.capture_logs() as lines:
        assert await pushed(client, updates, batch(new_message(), users=[user()])) == [LiveChange(5, 1, EXPECTED)]
        await pushed(client, updates, *[batch(new_message(number), users=[user(number)]) for number in range(10, 20)])
    assert [line["event"] for line in lines] == ["telegram.peers_not_remembered"]


async def test_whoever_wrote_is_known_even_if_the_session_file_has_no_room(client, updates) -> None:
    pyrogram_repairs.repair(Retrying(SystemClock(), Random()))
    client.storage.conn.execute("PRAGMA max_page_count = 1")  # no more than it has
    people = [user(number) for number in range(2, 2000)]
    assert await pushed(client, updates, batch(new_message(), users=people)) == [LiveChange(5, 1, EXPECTED)]
    assert await client.storage.get_peer_by_id(1999) == types.InputPeerUser(user_id=1999, access_hash=7)
    with pytest.raises(KeyError):
        await client.storage.get_peer_by_id(2000)


async def test_whoever_wrote_is_remembered_on_disk_before_the_message_is_taken(client, updates, monkeypatch) -> None:
    saves = []

    async def save() -> None:
        saves.append(await client.storage.get_peer_by_id(2))

    monkeypatch.setattr(client.storage, "save", save)
    await pushed(client, updates, batch(new_message(5), users=[user()]), batch(new_message(6), users=[user()]))
    assert saves == [types.InputPeerUser(user_id=2, access_hash=7)]


async def test_short_messages_make_us_fetch_them_all(client, updates) -> None:
    short = types.UpdateShortMessage(id=5, user_id=2, message="привет", pts=5, pts_count=1, date=0)
    assert await pushed(client, updates, short) == [Gap("short", 5)]


@pytest.mark.parametrize("told", [types.UpdatesTooLong(), batch(types.UpdatePtsChanged())])
async def test_being_told_that_there_is_more_makes_us_fetch_it(client, updates, told) -> None:
    [behind, *groups] = await pushed(client, updates, told)
    assert isinstance(behind, Gap)
    assert behind.pts is None
    assert all(behind.group is None and isinstance(behind.change, Gap) for behind in groups)
    assert len(groups) == isinstance(told, types.UpdatesTooLong)


async def test_changes_that_are_no_new_messages_have_their_place_as_well(client, updates) -> None:
    read = types.UpdateReadHistoryOutbox(peer=types.PeerUser(user_id=2), max_id=1, pts=8, pts_count=1)
    got = await pushed(
        client,
        updates,
        batch(types.UpdateDeleteMessages(messages=[1, 2], pts=7, pts_count=2)),
        types.UpdateShort(update=read, date=0),
        types.UpdateShortSentMessage(id=3, pts=9, pts_count=1, date=0),
    )
    assert got == [LiveChange(7, 2, Deleted("1", frozenset({1, 2}))), LiveChange(8, 1), LiveChange(9, 1)]


async def test_what_channels_count_by_themselves_is_not_the_accounts(client, updates) -> None:
    deleted = types.UpdateDeleteChannelMessages(channel_id=HUGE_CHANNEL, messages=[1], pts=900, pts_count=1)
    group = f"-100{HUGE_CHANNEL}"
    change = LiveChange(900, 1, Deleted("1", frozenset({1}), group))
    assert await pushed(client, updates, batch(deleted), SimpleNamespace()) == [GroupChange(group, change)]


async def test_who_is_not_answered_still_has_a_place(client, updates) -> None:
    assert await pushed(client, updates, batch(new_message(), users=[user(bot=True)])) == [LiveChange(5, 1)]


async def test_what_the_owner_writes_on_another_device_is_told_from_what_users_write(client, updates) -> None:
    update = new_message()
    update.message.out = True
    [change] = await pushed(client, updates, batch(update, users=[user(3)]))
    assert isinstance(change.content, OwnMessage)
    assert (change.content.text, change.content.chat) == ("привет", "2")


async def test_a_message_says_whether_its_sender_has_forwarded_it(client, updates) -> None:
    update, other = new_message(), new_message(6)
    update.message.fwd_from = types.MessageFwdHeader(date=1)
    got = await pushed(client, updates, batch(update, other, users=[user()]))
    assert [change.content.forwarded for change in got] == [True, False]


async def test_what_the_owner_forwards_has_none_of_the_owners_words(client, updates) -> None:
    update = new_message()
    update.message.out, update.message.fwd_from = True, types.MessageFwdHeader(date=1)
    [change] = await pushed(client, updates, batch(update, users=[user(3)]))
    assert change.content.text == ""


async def test_in_the_accounts_own_chat_every_message_is_its_own(client, updates) -> None:
    """Telegram does not mark them as outgoing."""
    update = new_message()
    update.message.peer_id = types.PeerUser(user_id=1)
    [change] = await pushed(client, updates, batch(update, users=[user(3)]))
    assert isinstance(change.content, OwnMessage)
    assert change.content.chat == "1"


async def test_updates_that_cant_be_understood_make_us_fetch_them(client, updates) -> None:
    strange = types.Updates(updates=None, users=[], chats=[], date=0, seq=0)
    assert await pushed(client, updates, strange, batch(new_message(), users=[user()])) == [
        Gap("unreadable"),
        GroupChange(None, Gap("unreadable")),
        LiveChange(5, 1, EXPECTED),
    ]


class Counted(SimpleNamespace):
    """An update that Telegram counts by `qts`."""


def read(update: Any, users: Any) -> Any:
    if update.says is None:
        raise AttributeError("what is this?")
    return EXPECTED if update.says else None


async def test_a_business_connections_changes_are_counted_apart_and_the_uncounted_are_taken_too(client) -> None:
    updates, reader = Updates(client), UpdateReader("1", read_other=read)
    counted = [Counted(qts=qts, says=says) for qts, says in ((7, True), (8, False), (0, True), (0, False))]
    assert await pushed(client, updates, *(batch(one) for one in counted), reader=reader) == [
        LiveChange(7, 1, EXPECTED, Counter.QTS),
        LiveChange(8, 1, None, Counter.QTS),
        EXPECTED,
    ]


async def test_a_user_account_leaves_them_out(client, updates) -> None:
    assert await pushed(client, updates, batch(Counted(qts=7, says=True))) == []


def source_of(messages: list[Any], others: list[Any], read: Any) -> TelegramUpdatesSource:
    async def invoke(query: Any) -> Any:
        return types.updates.Difference(
            new_messages=messages,
            new_encrypted_messages=[],
            other_updates=others,
            chats=[],
            users=[],
            state=types.updates.State(pts=1, qts=9, date=0, seq=0, unread_count=0),
        )

    async def save_peers() -> None:
        pass

    api: Any = SimpleNamespace(invoke=invoke, save_peers=save_peers)
    return TelegramUpdatesSource(api, UpdateReader("1", read_other=read))


async def test_an_update_that_can_not_be_read_costs_a_difference_no_other() -> None:
    source = source_of([], [Counted(qts=8, says=None), Counted(qts=9, says=True)], read)
    found = await source.difference(UpdatesState(pts=1, qts=7))
    assert isinstance(found, UpdatesDifference)
    assert (found.messages, found.state.qts) == ([EXPECTED], 9)


async def test_what_a_difference_contains_comes_by_date_but_each_counter_in_its_order() -> None:
    def content(second: int | None) -> Any:
        dated = {} if second is None else {"date": datetime.fromtimestamp(1_700_000_000 + second, UTC)}
        return SimpleNamespace(qts=1, **dated)

    messages = [new_message(number).message for number in (5, 6, 7)]
    for message, second in zip(messages, (0, 9, 9), strict=True):
        message.date += second
    others = [content(second) for second in (-5, 9, 3, None, 20)]
    found = await source_of(messages, others, lambda update, users: update).difference(UpdatesState(pts=1, qts=7))
    assert isinstance(found, UpdatesDifference)
    first, *following, last = others
    order = [one if one in others else one.message_id for one in found.messages]
    assert order == [first, 5, *following, 6, 7, last]
