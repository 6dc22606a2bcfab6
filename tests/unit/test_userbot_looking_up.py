"""Deleting our messages, finding a chat by name, and who wrote first in it."""

from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.errors import FloodWait, MessageDeleteForbidden, MessageIdInvalid, PeerIdInvalid

from edge.userbot.driving.messenger import FloodWaited, Undeliverable
from tests.unit.test_userbot_calls import FakeClient, Forgetful, dialogs, event, history, own, refused, telegram

types, functions = raw.types, raw.functions
ACCOUNT = 1


def signed_in(*answers: Any, bot: bool = False) -> FakeClient:
    client = FakeClient(*answers, bot=bot)
    client.me = SimpleNamespace(id=ACCOUNT, is_bot=bot)
    client.known.add(ACCOUNT)
    return client


def affected(pts: int = 5, count: int = 1) -> Any:
    return types.messages.AffectedMessages(pts=pts, pts_count=count)


async def test_a_message_is_deleted_for_both_sides_and_the_deletion_has_its_place_among_the_changes() -> None:
    client, told = signed_in(affected()), []
    await telegram(client, told).delete("2", 9)
    assert client.api == [functions.messages.DeleteMessages(id=[9], revoke=True)]
    assert told[0].update == types.UpdateDeleteMessages(messages=[9], pts=5, pts_count=1)


async def test_a_message_of_a_supergroup_is_deleted_there_and_counts_there() -> None:
    client, told = signed_in(affected()), []

    async def resolve(chat: int) -> Any:
        return types.InputPeerChannel(channel_id=7, access_hash=8)

    client.resolve_peer = resolve
    await telegram(client, told).delete("-1000000000007", 9)
    assert client.api == [
        functions.channels.DeleteMessages(channel=types.InputChannel(channel_id=7, access_hash=8), id=[9])
    ]
    update = types.UpdateDeleteChannelMessages(channel_id=7, messages=[9], pts=5, pts_count=1)
    assert told == [types.UpdateShort(update=update, date=0)]


async def test_what_is_gone_already_is_deleted() -> None:
    await telegram(signed_in(MessageIdInvalid())).delete("2", 9)
    await telegram(signed_in(affected(count=0))).delete("2", 9)


async def test_what_telegram_will_not_delete_is_refused_for_good_and_a_flood_wait_is_not() -> None:
    with pytest.raises(Undeliverable, match="MESSAGE_DELETE_FORBIDDEN"):
        await telegram(signed_in(MessageDeleteForbidden())).delete("2", 9)
    with pytest.raises(FloodWaited):
        await telegram(signed_in(FloodWait(30))).delete("2", 9)


def resolved(peer: Any) -> Any:
    return types.contacts.ResolvedPeer(peer=peer, chats=[], users=[])


@pytest.mark.parametrize("name", ["@Anna_1", "anna_1"])
@pytest.mark.parametrize("bot", [False, True])
async def test_a_chat_is_found_by_its_username(name: str, bot: bool) -> None:
    client = signed_in(resolved(types.PeerUser(user_id=7)), bot=bot)
    assert await telegram(client).find_chat(name) == "7"
    assert client.api[0].username.lower() == "anna_1"
    assert client.saved == 1


async def test_a_group_is_found_under_the_id_that_its_messages_have() -> None:
    client = signed_in(resolved(types.PeerChannel(channel_id=7)))
    assert await telegram(client).find_chat("@group") == "-1000000000007"


@pytest.mark.parametrize("reason", ["USERNAME_NOT_OCCUPIED", "USERNAME_INVALID"])
async def test_a_username_that_nobody_has_names_no_chat(reason: str) -> None:
    assert await telegram(signed_in(refused(400, reason))).find_chat("@nobody") is None


@pytest.mark.parametrize("name", ["", "@", "Анна", "an na", "@1", "9" * 40, "--2", "٣", "a" * 33])
async def test_what_is_neither_a_username_nor_an_id_asks_telegram_nothing(name: str) -> None:
    assert await telegram(signed_in()).find_chat(name) is None


async def test_an_id_is_a_chat_if_the_session_can_address_it() -> None:
    assert await telegram(signed_in()).find_chat("2") == "2"
    assert await telegram(signed_in(bot=True)).find_chat("77") == "77"
    assert await telegram(Forgetful(dialogs(9, 8))).find_chat("8") == "8"
    assert await telegram(Forgetful(dialogs(9, 8))).find_chat("7") is None


async def test_too_many_look_ups_have_to_wait() -> None:
    with pytest.raises(FloodWaited):
        await telegram(signed_in(FloodWait(30))).find_chat("@anna")


def said(number: int, *, out: bool) -> Any:
    return types.Message(id=number, peer_id=types.PeerUser(user_id=2), date=0, message="?", out=out or None)


@pytest.mark.parametrize("ours", [False, True])
async def test_whoever_wrote_the_oldest_message_wrote_first(ours: bool) -> None:
    client = signed_in(history(said(3, out=not ours), said(2, out=ours), event(1, None)))
    assert await telegram(client).wrote_first("2") is not ours
    [query] = client.api
    assert (query.offset_id, query.add_offset, query.limit) == (1, -query.limit, query.limit)


async def test_it_is_not_known_who_wrote_first_where_there_is_nothing_to_see() -> None:
    assert await telegram(signed_in(history())).wrote_first("2") is None
    assert await telegram(signed_in(PeerIdInvalid())).wrote_first("2") is None
    assert await telegram(Forgetful(dialogs(9))).wrote_first("2") is None
    assert await telegram(signed_in()).wrote_first("-5") is None
    assert await telegram(signed_in()).wrote_first(str(ACCOUNT)) is None


async def test_a_bot_is_always_written_to_first() -> None:
    assert await telegram(signed_in(bot=True)).wrote_first("2") is True
    assert await telegram(signed_in(bot=True)).wrote_first("-5") is None


async def test_in_the_own_chat_our_messages_are_found_although_telegram_does_not_mark_them_as_outgoing() -> None:
    kept = own(8, "привет", 3)
    kept.out = None
    assert await telegram(signed_in(history(kept))).find_own(str(ACCOUNT), "привет", reply_to=3) == 8
    assert await telegram(signed_in(history(kept))).find_own("2", "привет", reply_to=3) is None
    assert await telegram(signed_in(history(kept))).has_outcome(str(ACCOUNT), 3, thinking=())
    kept.fwd_from = types.MessageFwdHeader(date=0)
    assert await telegram(signed_in(history(kept))).find_own(str(ACCOUNT), "привет", reply_to=3) is None
