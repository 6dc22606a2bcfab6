"""Writing to each other: stock pyrogram clients over the sandbox."""

import asyncio

import pytest
from pyrogram import Client, enums
from pyrogram.errors import MessageAuthorRequired, MessageEmpty, MessageNotModified, MessageTooLong
from pyrogram.handlers import DeletedMessagesHandler, EditedMessageHandler, MessageHandler, RawUpdateHandler
from pyrogram.handlers.handler import Handler
from pyrogram.raw import functions, types

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect, signed_in_session

PATIENCE = 10


class Inbox:
    """Collects what a handler is called with."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue = asyncio.Queue()

    async def _put(self, _client: Client, *args) -> None:
        self._queue.put_nowait(args[0])

    def handler(self, kind: type[Handler]) -> Handler:
        return kind(self._put)

    async def next(self):
        return await asyncio.wait_for(self._queue.get(), PATIENCE)

    async def first(self, kind: type):
        while not isinstance(update := await self.next(), kind):
            pass
        return update


async def test_a_message_reaches_the_other_and_is_answered(telegram: Sandbox, anna: Account, boris: Account):
    inbox, replies = Inbox(), Inbox()
    async with (
        connect(telegram, anna.phone, replies.handler(MessageHandler)) as first,
        connect(telegram, boris.phone, inbox.handler(MessageHandler)) as second,
    ):
        sent = await first.send_message("boris", "Привет")
        got = await inbox.next()
        assert (got.text, got.from_user.id, got.chat.id, got.outgoing) == ("Привет", anna.id, anna.id, False)
        answer = await second.send_message(anna.id, "И тебе", reply_to_message_id=got.id)
        assert (answer.outgoing, answer.from_user.id) == (True, boris.id)
        back = await replies.next()
        assert (back.text, back.reply_to_message_id) == ("И тебе", sent.id)
        assert back.reply_to_message.text == "Привет"


async def test_ids_are_each_users_own(telegram: Sandbox, anna: Account, boris: Account):
    vera = telegram.add_user(first_name="Vera")
    telegram.send(vera.id, boris.id, "first in Boris's box")
    question = telegram.send(anna.id, boris.id, "question")
    copy = telegram.messages(boris.id, anna.id)[0]
    assert question.id != copy.id
    answer = telegram.send(boris.id, anna.id, "answer", reply_to=copy.id)
    assert (answer.reply_to, telegram.messages(anna.id, boris.id)[1].reply_to) == (copy.id, question.id)


async def test_saved_messages_keep_one_copy(people, telegram: Sandbox):
    await people.anna_client.send_message("me", "note")
    kept = telegram.messages(people.anna.id, people.anna.id)
    assert [(message.text, message.out) for message in kept] == [("note", True)]
    assert [message.text async for message in people.anna_client.get_chat_history("me")] == ["note"]


async def test_another_session_of_the_sender_sees_what_was_sent(telegram: Sandbox, anna: Account, boris: Account):
    inbox = Inbox()
    async with (
        connect(telegram, anna.phone) as phone,
        connect(telegram, anna.phone, inbox.handler(MessageHandler)),
    ):
        sent = await phone.send_message("boris", "from the phone")
        seen = await inbox.next()
        assert (seen.id, seen.outgoing, seen.chat.id) == (sent.id, True, boris.id)


async def test_edits_and_deletions_reach_the_other(telegram: Sandbox, anna: Account, boris: Account):
    edits, deletions = Inbox(), Inbox()
    handlers = edits.handler(EditedMessageHandler), deletions.handler(DeletedMessagesHandler)
    async with connect(telegram, anna.phone) as first, connect(telegram, boris.phone, *handlers):
        sent = await first.send_message("boris", "**old**")
        edited = await first.edit_message_text("boris", sent.id, "new")
        assert (edited.text, edited.edit_date is not None) == ("new", True)
        seen = await edits.next()
        assert (seen.text, seen.entities) == ("new", None)
        copy = telegram.messages(boris.id, anna.id)[0]
        assert (copy.text, copy.edited is not None, seen.id) == ("new", True, copy.id)
        with pytest.raises(MessageNotModified):
            await first.edit_message_text("boris", sent.id, "new")
        assert await first.delete_messages("boris", sent.id) == 1
        assert [message.id for message in await deletions.next()] == [copy.id]
        assert telegram.messages(boris.id, anna.id) == telegram.messages(anna.id, boris.id) == []


async def test_only_the_author_edits(people, telegram: Sandbox):
    message = telegram.send(people.boris.id, people.anna.id, "mine")
    theirs = telegram.messages(people.anna.id, people.boris.id)[0]
    with pytest.raises(MessageAuthorRequired):
        await people.anna_client.edit_message_text(people.boris.id, theirs.id, "yours")
    assert telegram.messages(people.boris.id, people.anna.id) == [message]


async def test_a_deletion_for_oneself_leaves_the_others_copy(people, telegram: Sandbox):
    sent = await people.anna_client.send_message("boris", "kept")
    await people.anna_client.delete_messages("boris", sent.id, revoke=False)
    assert telegram.messages(people.anna.id, people.boris.id) == []
    assert [message.text for message in telegram.messages(people.boris.id, people.anna.id)] == ["kept"]


async def test_typing_is_shown(telegram: Sandbox, anna: Account, boris: Account):
    updates = Inbox()
    async with (
        connect(telegram, anna.phone) as first,
        connect(telegram, boris.phone, updates.handler(RawUpdateHandler)),
    ):
        await first.send_chat_action("boris", enums.ChatAction.TYPING)
        shown = await updates.first(types.UpdateUserTyping)
        assert shown.user_id == anna.id
        await first.send_chat_action("boris", enums.ChatAction.CANCEL)
    assert telegram.typing(anna.id, boris.id) == ["typing", "cancel"]
    assert telegram.typing(boris.id, anna.id) == []


async def test_formatting_survives(people):
    await people.anna_client.send_message("boris", "plain **bold**")
    [message] = [message async for message in people.boris_client.get_chat_history(people.anna.id)]
    assert (message.text, message.entities[0].type) == ("plain bold", enums.MessageEntityType.BOLD)


async def test_the_length_is_counted_in_utf16_units(people, telegram: Sandbox):
    await people.anna_client.send_message("boris", "😀" * 2048)
    with pytest.raises(MessageTooLong):
        await people.anna_client.send_message("boris", "😀" * 2048 + "!")
    with pytest.raises(MessageEmpty):
        await people.anna_client.send_message("boris", " \n ")
    assert len(telegram.messages(people.boris.id, people.anna.id)) == 1


async def test_reading_is_the_only_thing_that_marks_as_read(telegram: Sandbox, anna: Account, boris: Account):
    updates = Inbox()
    async with (
        connect(telegram, anna.phone, updates.handler(RawUpdateHandler)) as first,
        connect(telegram, boris.phone) as second,
    ):
        sent = await first.send_message("boris", "one")
        copy = telegram.messages(boris.id, anna.id)[0]
        assert [message.text async for message in second.get_chat_history(anna.id)] == ["one"]
        await second.send_message(anna.id, "two")
        assert telegram.read_up_to(boris.id, anna.id) == 0
        await second.read_chat_history(anna.id)
        assert (await updates.first(types.UpdateReadHistoryOutbox)).max_id == sent.id
        assert telegram.read_up_to(boris.id, anna.id) == copy.id
        before = telegram.pts(boris.id)
        await second.read_chat_history(anna.id)
        assert telegram.pts(boris.id) == before


async def test_history_comes_newest_first_in_pages(people, telegram: Sandbox):
    for number in range(120):
        telegram.send(people.boris.id, people.anna.id, str(number))
    history = [message async for message in people.anna_client.get_chat_history("boris")]
    assert [message.text for message in history] == [str(number) for number in reversed(range(120))]
    assert await _page(people.anna_client, limit=2, offset_id=history[9].id) == ["109", "108"]
    between = await _page(people.anna_client, max_id=history[10].id, min_id=history[13].id)
    assert between == ["108", "107"]


async def _page(client: Client, *, limit: int = 100, offset_id: int = 0, max_id: int = 0, min_id: int = 0) -> list[str]:
    peer, unused = await client.resolve_peer("boris"), {"offset_date": 0, "add_offset": 0, "hash": 0}
    found = await client.invoke(
        functions.messages.GetHistory(
            peer=peer, limit=limit, offset_id=offset_id, max_id=max_id, min_id=min_id, **unused
        )
    )
    return [message.message for message in found.messages]


async def test_messages_are_fetched_and_found(people, telegram: Sandbox):
    question = await people.anna_client.send_message("boris", "What is it?")
    copy = telegram.messages(people.boris.id, people.anna.id)[0]
    answer = telegram.send(people.boris.id, people.anna.id, "It is what it is", reply_to=copy.id)
    mine = telegram.messages(people.anna.id, people.boris.id)[1]
    fetched = await people.anna_client.get_messages("boris", [mine.id, 99])
    assert (fetched[0].text, fetched[0].reply_to_message.id, fetched[1].empty) == (answer.text, question.id, True)
    found = [message.id async for message in people.anna_client.search_messages("boris", "what i")]
    assert found == [mine.id, question.id]
    by_me = [message.id async for message in people.anna_client.search_messages("boris", "what", from_user="me")]
    assert by_me == [question.id]


async def test_dialogs_show_the_last_message_and_what_is_unread(people, telegram: Sandbox):
    vera = telegram.add_user(first_name="Vera")
    telegram.send(people.boris.id, people.anna.id, "one")
    telegram.send(vera.id, people.anna.id, "two")
    telegram.send(people.boris.id, people.anna.id, "three")
    dialogs = [dialog async for dialog in people.anna_client.get_dialogs()]
    assert [(dialog.chat.id, dialog.top_message.text, dialog.unread_messages_count) for dialog in dialogs] == [
        (people.boris.id, "three", 2),
        (vera.id, "two", 1),
    ]
    peer = types.InputDialogPeer(peer=await people.anna_client.resolve_peer(vera.id))
    answer = await people.anna_client.invoke(functions.messages.GetPeerDialogs(peers=[peer]))
    assert ([dialog.unread_count for dialog in answer.dialogs], answer.state.pts) == ([1], telegram.pts(people.anna.id))


async def test_a_client_without_updates_gets_none(telegram: Sandbox, anna: Account):
    session = await signed_in_session(telegram, anna.phone)
    async with Client("quiet", session_string=session, no_updates=True):
        assert telegram.sessions(anna.id) == 0
    async with Client("loud", session_string=session):
        assert telegram.sessions(anna.id) == 1


async def test_a_session_string_serves_many_starts(telegram: Sandbox, anna: Account, boris: Account):
    session = await signed_in_session(telegram, anna.phone)
    for text in ("one", "two"):
        async with Client("anna", session_string=session) as client:
            await client.send_message("boris", text)
    assert [message.text for message in telegram.messages(boris.id, anna.id)] == ["one", "two"]
