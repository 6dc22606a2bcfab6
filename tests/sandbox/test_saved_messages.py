"""An account with two sessions, and its chat with itself, Saved Messages: stock pyrogram over the sandbox."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from pyrogram import Client
from pyrogram.raw import functions, types

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect

PATIENCE = 10


@dataclass
class Session:
    """A client, and the raw updates that it gets."""

    client: Client
    updates: asyncio.Queue

    async def first(self, kind: type):
        """The next update of this type."""
        async with asyncio.timeout(PATIENCE):
            while not isinstance(update := await self.updates.get(), kind):
                pass
        return update

    def heard(self, kind: type) -> list:
        return [
            update
            for update in (self.updates.get_nowait() for _ in range(self.updates.qsize()))
            if isinstance(update, kind)
        ]


@pytest.fixture
async def sessions(telegram: Sandbox, anna: Account, boris: Account) -> AsyncIterator[tuple[Session, Session]]:
    async with connect(telegram, anna.phone) as one, connect(telegram, anna.phone) as other:
        yield listening(one), listening(other)


def listening(client: Client) -> Session:
    session = Session(client, asyncio.Queue())

    async def take(updates) -> None:
        for update in getattr(updates, "updates", [updates]):
            session.updates.put_nowait(update)

    client.handle_updates = take
    return session


async def difference(client: Client, pts: int):
    return await client.invoke(functions.updates.GetDifference(pts=pts, date=0, qts=0))


async def test_what_one_session_sends_reaches_the_other_and_its_difference_and_not_itself(
    telegram: Sandbox, anna: Account, boris: Account, sessions
) -> None:
    one, other = sessions
    before = telegram.pts(anna.id)
    sent = await one.client.send_message("boris", "from the phone")
    update = await other.first(types.UpdateNewMessage)
    message = update.message
    assert (message.id, message.message, message.out, message.peer_id.user_id) == (sent.id, sent.text, True, boris.id)
    assert (update.pts, update.pts_count) == (before + 1, 1)
    [missed] = (await difference(other.client, before)).new_messages
    assert (missed.id, missed.out, missed.from_id.user_id) == (sent.id, True, anna.id)
    await other.client.send_message("boris", "from the desk")
    await one.first(types.UpdateNewMessage)
    assert [update.message.message for update in other.heard(types.UpdateNewMessage)] == []


async def test_a_short_update_to_the_other_session_says_that_it_is_outgoing(
    telegram: Sandbox, boris: Account, sessions
) -> None:
    one, other = sessions
    telegram.faults.short_updates = True
    await one.client.send_message("boris", "from the phone")
    update = await other.first(types.UpdateShortMessage)
    assert (update.message, update.out, update.user_id) == ("from the phone", True, boris.id)


async def test_the_other_session_learns_of_an_edit_and_a_deletion(telegram: Sandbox, anna: Account, sessions) -> None:
    one, other = sessions
    sent = await one.client.send_message("boris", "old")
    before = telegram.pts(anna.id)
    await one.client.edit_message_text("boris", sent.id, "new")
    assert (await other.first(types.UpdateEditMessage)).message.message == "new"
    await one.client.delete_messages("boris", sent.id)
    assert (await other.first(types.UpdateDeleteMessages)).messages == [sent.id]
    missed = await difference(other.client, before)
    assert [type(update) for update in missed.other_updates] == [types.UpdateDeleteMessages]
    assert missed.state.pts == before + 2


async def test_a_note_to_oneself_is_one_message_from_oneself_that_is_not_marked_as_outgoing(
    telegram: Sandbox, anna: Account, sessions
) -> None:
    one, other = sessions
    before = telegram.pts(anna.id)
    await one.client.send_message("me", "note")
    message = (await other.first(types.UpdateNewMessage)).message
    assert (message.out, message.from_id.user_id, message.peer_id.user_id) == (False, anna.id, anna.id)
    assert telegram.pts(anna.id) == before + 1
    missed = await difference(other.client, before)
    assert [(message.message, message.out) for message in missed.new_messages] == [("note", False)]
    assert (await other.client.invoke(functions.updates.GetState())).unread_count == 0


async def test_saved_messages_are_read_searched_edited_and_deleted_as_any_chat(
    telegram: Sandbox, anna: Account, sessions
) -> None:
    one, other = sessions
    first = await one.client.send_message("me", "buy bread")
    second = await other.client.send_message("me", "and milk", reply_to_message_id=first.id)
    history = [message async for message in one.client.get_chat_history("me")]
    assert [(message.text, message.from_user.id) for message in history] == [
        ("and milk", anna.id),
        ("buy bread", anna.id),
    ]
    assert history[0].reply_to_message_id == first.id
    assert [message.id async for message in one.client.search_messages("me", "bread", from_user="me")] == [first.id]
    await one.client.edit_message_text("me", second.id, "and cheese")
    await other.client.delete_messages("me", first.id)
    assert [message.text async for message in one.client.get_chat_history("me")] == ["and cheese"]


async def test_saved_messages_are_a_dialog_in_which_everything_is_read(
    telegram: Sandbox, anna: Account, sessions
) -> None:
    one, _ = sessions
    telegram.send(anna.id, anna.id, "note")
    [dialog] = [dialog async for dialog in one.client.get_dialogs()]
    assert (dialog.chat.id, dialog.top_message.text, dialog.unread_messages_count) == (anna.id, "note", 0)
    peer = types.InputDialogPeer(peer=types.InputPeerSelf())
    [raw] = (await one.client.invoke(functions.messages.GetPeerDialogs(peers=[peer]))).dialogs
    assert raw.read_inbox_max_id == raw.read_outbox_max_id == raw.top_message == dialog.top_message.id


async def oldest(client: Client, *, offset_id: int, add_offset: int, limit: int) -> list[str]:
    query = functions.messages.GetHistory(
        peer=await client.resolve_peer("boris"),
        offset_id=offset_id,
        offset_date=0,
        add_offset=add_offset,
        limit=limit,
        max_id=0,
        min_id=0,
        hash=0,
    )
    return [message.message for message in (await client.invoke(query)).messages]


async def test_the_oldest_messages_come_with_a_negative_offset_from_the_first_id(
    telegram: Sandbox, anna: Account, boris: Account, sessions
) -> None:
    one, _ = sessions
    assert await oldest(one.client, offset_id=1, add_offset=-3, limit=3) == []
    for number in range(120):
        telegram.send(boris.id, anna.id, str(number))
    assert await oldest(one.client, offset_id=1, add_offset=-1, limit=1) == ["0"]
    assert await oldest(one.client, offset_id=1, add_offset=-3, limit=3) == ["2", "1", "0"]
    middle = telegram.messages(anna.id, boris.id)[60].id
    assert await oldest(one.client, offset_id=middle, add_offset=-2, limit=3) == ["61", "60", "59"]
