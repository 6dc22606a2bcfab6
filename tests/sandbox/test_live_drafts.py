"""Live drafts: what a bot shows of a message that it is writing. They need kurigram's layer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pyrogram import Client
from pyrogram.errors import BadRequest, FloodWait
from pyrogram.handlers import RawUpdateHandler
from pyrogram.raw import functions, types

from edge.sandbox.live_drafts import LASTS, METHOD
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from edge.userbot.telegram.client_differences import HAS_LIVE_DRAFTS, client_options, live_draft
from edge.userbot.telegram.server import use_server
from tests.sandbox.test_sandbox_messages import Inbox

pytestmark = pytest.mark.skipif(not HAS_LIVE_DRAFTS, reason="pyrogram knows none: they are tested with kurigram")


@pytest.fixture
async def bot(telegram: Sandbox) -> AsyncIterator[tuple[Account, Client]]:
    account = telegram.add_user(first_name="Robot", username="robot", bot=True)
    use_server(telegram.address, telegram.public_key_pem)
    client = Client("robot", 1, "hash", bot_token=account.token, in_memory=True, **client_options())
    async with client:
        yield account, client


async def show(client: Client, peer: Account, text: str, entities: Any = (), random_id: int = 9) -> bool:
    to = types.InputPeerUser(user_id=peer.id, access_hash=0)
    action = live_draft(random_id, text, list(entities))
    return await client.invoke(functions.messages.SetTyping(peer=to, action=action), sleep_threshold=0)


async def test_a_draft_is_shown_until_it_grows_or_gets_its_message(telegram: Sandbox, anna: Account, bot) -> None:
    account, client = bot
    telegram.send(anna.id, account.id, "hello")
    updates = Inbox()
    async with connect(telegram, anna.phone, updates.handler(RawUpdateHandler)):
        assert await show(client, anna, "Once", [types.MessageEntityBold(offset=0, length=4)]) is True
        told = await updates.first(types.UpdateUserTyping)
        assert (told.user_id, told.action.random_id, told.action.text.text) == (account.id, 9, "Once")
    await show(client, anna, "Once upon")
    assert [draft.text for draft in telegram.live_drafts(account.id, anna.id)] == ["Once", "Once upon"]
    assert telegram.live_draft(account.id, anna.id).text == "Once upon"
    await client.send_message(anna.id, "Once upon a time")
    assert telegram.live_draft(account.id, anna.id) is None


async def test_a_draft_that_is_not_repeated_disappears(telegram: Sandbox, anna: Account, bot) -> None:
    account, client = bot
    telegram.send(anna.id, account.id, "hello")
    await show(client, anna, "Once")
    [draft] = telegram.live_drafts(account.id, anna.id)
    drafts = telegram.state.live_drafts
    assert drafts.shown(account.id, anna.id, draft.date + LASTS - 1) == draft
    assert drafts.shown(account.id, anna.id, draft.date + LASTS) is None


async def test_drafts_are_refused_on_demand_and_to_whom_none_can_be_shown(
    telegram: Sandbox, anna: Account, bot
) -> None:
    account, client = bot
    telegram.send(anna.id, account.id, "hello")
    telegram.faults.refuse(account.id, 400, "TEXTDRAFT_PEER_INVALID", method=METHOD)
    telegram.faults.flood_wait(account.id, 5, method=METHOD, times=1)
    with pytest.raises(BadRequest, match="TEXTDRAFT_PEER_INVALID"):
        await show(client, anna, "Once")
    with pytest.raises(FloodWait):
        await show(client, anna, "Once")
    with pytest.raises(BadRequest, match="MESSAGE_TOO_LONG"):
        await show(client, anna, "a" * 4097)
    assert telegram.live_drafts(account.id, anna.id) == []
