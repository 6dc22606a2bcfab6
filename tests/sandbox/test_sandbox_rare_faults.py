"""Answers of Telegram's that come late or from behind, and styles that it refuses."""

import asyncio

import pytest
from pyrogram import Client
from pyrogram.errors import BadRequest
from pyrogram.raw import functions, types

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect

BOLD = [types.MessageEntityBold(offset=0, length=4)]


@pytest.fixture
async def client(telegram: Sandbox, anna: Account, boris: Account):
    async with connect(telegram, anna.phone) as client:
        await client.get_users("boris")
        yield client


async def test_an_answer_can_come_late_while_others_come_at_once(telegram: Sandbox, client: Client, anna: Account):
    telegram.faults.rare.answer_late(anna.id, "updates.GetState", 0.3)
    late = asyncio.ensure_future(client.invoke(functions.updates.GetState()))
    await client.invoke(functions.help.GetConfig())
    assert not late.done()
    assert (await late).pts == telegram.pts(anna.id)


async def test_a_late_answer_to_a_client_that_is_gone_does_no_harm(telegram: Sandbox, client: Client, anna: Account):
    telegram.faults.rare.answer_late(anna.id, "updates.GetState", 0.1)
    asked = asyncio.ensure_future(client.invoke(functions.updates.GetState(), timeout=2))
    await asyncio.sleep(0.05)
    telegram.drop_connections(anna.id)
    await asyncio.sleep(0.1)
    assert (await client.invoke(functions.updates.GetState())).pts == telegram.pts(anna.id)
    asked.cancel()


async def test_a_difference_can_leave_out_the_last_changes(telegram, client, anna, boris):
    before = telegram.pts(anna.id)
    telegram.send(boris.id, anna.id, "first")
    telegram.send(boris.id, anna.id, "second")
    telegram.faults.rare.answer_from_behind(anna.id, 1)
    query = functions.updates.GetDifference(pts=before, date=0, qts=0)
    behind = await client.invoke(query)
    assert [message.message for message in behind.new_messages] == ["first"]
    assert behind.state.pts == before + 1
    assert [message.message for message in (await client.invoke(query)).new_messages] == ["first", "second"]


async def test_a_difference_can_be_from_before_what_is_known(telegram, client, anna, boris):
    for text in ("first", "second"):
        telegram.send(boris.id, anna.id, text)
    known = telegram.pts(anna.id)
    telegram.faults.rare.answer_from_behind(anna.id, 1)
    behind = await client.invoke(functions.updates.GetDifference(pts=known, date=0, qts=0))
    assert (behind.new_messages, behind.state.pts) == ([], known - 1)


async def test_a_difference_that_ends_early_is_never_from_before_what_is_known(telegram, client, anna, boris):
    telegram.send(boris.id, anna.id, "first")
    known = telegram.pts(anna.id)
    for text in ("second", "third"):
        telegram.send(boris.id, anna.id, text)
    query = functions.updates.GetDifference(pts=known, date=0, qts=0)
    for changes, shown in ((1, ["second"]), (3, []), (0, ["second", "third"])):
        telegram.faults.rare.end_early(anna.id, changes)
        difference = await client.invoke(query)
        assert [message.message for message in difference.new_messages] == shown
        assert difference.state.pts == known + len(shown)


async def test_styles_can_be_refused_and_plain_texts_are_not(telegram, client, anna, boris):
    telegram.faults.rare.refuse_styles(anna.id)
    peer = await client.resolve_peer("boris")
    await client.invoke(functions.messages.SendMessage(peer=peer, message="plain", random_id=1))
    styled = functions.messages.SendMessage(peer=peer, message="bold", random_id=2, entities=BOLD)
    with pytest.raises(BadRequest, match="ENTITY_BOUNDS_INVALID"):
        await client.invoke(styled)
    await client.invoke(styled)
    assert [message.text for message in telegram.messages(boris.id, anna.id)] == ["plain", "bold"]
