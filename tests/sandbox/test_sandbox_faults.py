"""What goes wrong on demand, as a client sees it that counts its tries alike, whichever it is."""

import asyncio

import pytest
from pyrogram import Client
from pyrogram.errors import FloodWait, PeerFlood, RandomIdDuplicate, UserPrivacyRestricted, YouBlockedUser
from pyrogram.handlers import MessageHandler, RawUpdateHandler
from pyrogram.raw import functions, types

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect

pytestmark = pytest.mark.usefixtures("repaired")
PATIENCE = 20


@pytest.fixture
async def sender(telegram: Sandbox, anna: Account, boris: Account):
    async with connect(telegram, anna.phone) as client:
        await client.get_users("boris")
        yield client


async def send(client: Client, random_id: int, text: str = "once", retries: int = 0):
    peer = await client.resolve_peer("boris")
    query = functions.messages.SendMessage(peer=peer, message=text, random_id=random_id)
    return await client.invoke(query, retries=retries, timeout=1)


def texts(telegram: Sandbox, anna: Account, boris: Account) -> list[str]:
    return [message.text for message in telegram.messages(boris.id, anna.id)]


async def test_a_repeated_random_id_brings_the_first_message_back(telegram, sender, anna, boris):
    first, again = await send(sender, 7), await send(sender, 7)
    assert [update.id for update in (first.updates[0], again.updates[0])] == [1, 1]
    assert (first.updates[1].pts_count, again.updates[1].pts_count) == (1, 0)
    assert again.updates[1].pts == telegram.pts(anna.id)
    await send(sender, 8, "twice")
    assert texts(telegram, anna, boris) == ["once", "twice"]


async def test_a_repeated_random_id_can_be_refused(telegram, sender, anna, boris):
    telegram.faults.refuse_repeats = True
    await send(sender, 7)
    with pytest.raises(RandomIdDuplicate):
        await send(sender, 7)
    assert texts(telegram, anna, boris) == ["once"]


async def test_a_random_id_is_each_senders_own(telegram, sender, anna, boris):
    await send(sender, 7)
    async with connect(telegram, boris.phone) as other:
        peer = await other.resolve_peer("anna")
        await other.invoke(functions.messages.SendMessage(peer=peer, message="mine", random_id=7))
    assert texts(telegram, anna, boris) == ["once", "mine"]


async def test_a_flood_wait_lasts_for_so_many_calls(telegram, sender, anna, boris):
    telegram.faults.flood_wait(anna.id, 42, times=2)
    for _ in range(2):
        with pytest.raises(FloodWait) as caught:
            await send(sender, 7)
        assert caught.value.value == 42
    await send(sender, 7)
    assert texts(telegram, anna, boris) == ["once"]


async def test_a_short_flood_wait_is_waited_out_by_the_client(telegram, sender, anna, boris):
    telegram.faults.flood_wait(anna.id, 1)
    await send(sender, 7)
    assert texts(telegram, anna, boris) == ["once"]


async def test_a_dropped_client_comes_back_and_misses_what_was_sent_meanwhile(telegram, anna, boris):
    heard: list[str] = []

    async def hear(_client: Client, message) -> None:
        if not message.outgoing:
            heard.append(message.text)
            telegram.send(anna.id, boris.id, f"heard {message.text}")

    async with connect(telegram, anna.phone, MessageHandler(hear)) as client:
        await telegram.refuse_connections()
        telegram.send(boris.id, anna.id, "missed")
        await telegram.accept_connections()
        await telegram.wait_for(lambda: telegram.sessions(anna.id), PATIENCE)
        telegram.send(boris.id, anna.id, "seen")
        await telegram.wait_for(lambda: "heard seen" in texts(telegram, anna, boris), PATIENCE)
        telegram.drop_connections(anna.id)
        await telegram.wait_for(lambda: telegram.sessions(anna.id), PATIENCE)
        assert (await client.get_me()).id == anna.id
    assert heard == ["seen"]


async def test_an_answer_can_be_lost_after_the_message_is_sent(telegram, sender, anna, boris):
    telegram.faults.lose_answers(anna.id)
    sent = asyncio.ensure_future(send(sender, 7, retries=5))
    await telegram.wait_for(lambda: texts(telegram, anna, boris) == ["once"])
    answer = await sent
    assert (answer.updates[0].id, answer.updates[1].pts_count) == (1, 0)
    assert texts(telegram, anna, boris) == ["once"]


async def test_a_suppressed_push_leaves_a_gap(telegram, anna, boris):
    seen: list[int] = []

    async def see(_client: Client, update, _users, _chats) -> None:
        if isinstance(update, types.UpdateNewMessage) and update.message.peer_id.user_id == boris.id:
            seen.append(update.pts)
            telegram.send(anna.id, anna.id, "noted")

    async with connect(telegram, anna.phone, RawUpdateHandler(see)):
        before = telegram.pts(anna.id)
        telegram.faults.suppress_pushes(anna.id, 2)
        for number in range(3):
            telegram.send(boris.id, anna.id, str(number))
        await telegram.wait_for(lambda: telegram.messages(anna.id, anna.id))
    assert seen == [before + 3]


async def test_short_updates_make_the_client_ask_for_the_rest(telegram, anna, boris):
    async def echo(_client: Client, message) -> None:
        if not message.outgoing:
            await message.reply(f"{message.from_user.first_name}: {message.text}")

    telegram.faults.short_updates = True
    async with connect(telegram, anna.phone, MessageHandler(echo)):
        telegram.send(boris.id, anna.id, "short")
        await telegram.wait_for(lambda: len(telegram.messages(boris.id, anna.id)) > 1)
    assert texts(telegram, anna, boris) == ["short", "Boris: short"]


async def test_an_account_that_telegram_has_limited_can_write_to_nobody_until_it_may_again(
    telegram, sender, anna, boris
):
    telegram.faults.refuse(anna.id, 400, "PEER_FLOOD", times=None)
    for _ in range(3):
        with pytest.raises(PeerFlood):
            await send(sender, 7)
    telegram.faults.stop_refusing(anna.id)
    await send(sender, 7)
    assert texts(telegram, anna, boris) == ["once"]


async def test_one_person_can_be_closed_to_a_sender_and_others_are_not(telegram, sender, anna, boris):
    telegram.faults.refuse(anna.id, 403, "USER_PRIVACY_RESTRICTED", peer_id=boris.id, times=None)
    with pytest.raises(UserPrivacyRestricted):
        await send(sender, 7)
    await sender.send_message("me", "note")
    assert texts(telegram, anna, boris) == []


async def test_whoever_has_blocked_somebody_can_not_write_to_them(telegram, sender, anna, boris):
    telegram.block(anna.id, boris.id)
    with pytest.raises(YouBlockedUser):
        await send(sender, 7)
