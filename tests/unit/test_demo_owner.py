"""The demo's chat with the owner's side: who writes where, and what is shown of it."""

from datetime import UTC, datetime

import pytest

from cli.demo.owner import ChatWithOwner
from edge.sandbox.server import Sandbox
from edge.userbot.chat.record import ChatRecord, Draft, Notice, Order
from events.runtime.clock import SystemClock

DRAFT = Draft(chat="2", request_id="1.2.3.0", message_ids=(4, 5), shown=True)


class Product:
    """A Telegram without clients, the records, and what is printed."""

    def __init__(self) -> None:
        self.telegram = Sandbox()
        self.owner = self.telegram.add_user(first_name="Owner").id
        self.guest = self.telegram.add_user(first_name="Guest").id
        self.records: dict[str, ChatRecord] = {}
        self.printed: list[str] = []
        self.chat = ChatWithOwner(
            telegram=self.telegram,
            client=self,  # type: ignore[arg-type]
            owner=self.owner,
            visitor=self.guest,
            chats=self,  # type: ignore[arg-type]
            prefix="Тимоха,",
            names=set(),
            show=self.printed.append,
            clock=SystemClock(),
        )

    async def load(self, chat: str) -> ChatRecord:
        return self.records.get(chat, ChatRecord())

    async def get_chat_history(self, owner: int):
        """The guest's view of the chat, as pyrogram shows it."""
        for message in reversed(self.telegram.messages(self.guest, owner)):
            yield replace_names(message)

    def saved(self) -> list[tuple[str, int | None]]:
        return [(message.text, message.reply_to) for message in self.telegram.messages(self.owner, self.owner)]

    async def shows(self, *lines: str) -> None:
        await self.chat.refresh()
        assert self.printed == list(lines)
        self.printed.clear()


def replace_names(message):
    class Seen:
        id, text, entities, outgoing = message.id, message.text, None, message.out
        reply_to_message_id, edit_date = message.reply_to, None

    return Seen


@pytest.fixture
def product() -> Product:
    return Product()


async def test_a_line_with_a_sign_is_the_owners_in_saved_messages_and_what_answers_it_is_shown(product) -> None:
    order = await product.chat.say("> /status")
    assert product.saved() == [("/status", None)]
    await product.shows("owner> /status")
    product.telegram.send(product.owner, product.owner, "all is well\nreally", reply_to=order)
    await product.shows("saved> all is well\n       really")
    await product.shows()


async def test_with_two_signs_the_owner_writes_to_the_guest_and_not_the_bot(product) -> None:
    await product.chat.say(">> I am here")
    assert [message.text for message in product.telegram.messages(product.guest, product.owner)] == ["I am here"]
    await product.shows("owner>> I am here")
    product.telegram.send(product.owner, product.guest, "an answer")
    await product.shows("bot> an answer")


async def test_what_is_no_command_replies_to_the_draft_that_waits(product) -> None:
    for number in range(1, 6):
        product.telegram.send(product.owner, product.owner, str(number))
    await product.chat.say("> a note")
    product.records[str(product.owner)] = ChatRecord(drafts=(DRAFT,))
    await product.chat.say("> +")
    await product.chat.say("> /status")
    assert product.saved()[5:] == [("a note", None), ("+", 5), ("/status", None)]


async def test_nothing_after_a_sign_is_not_sent(product) -> None:
    assert await product.chat.say("> ") == await product.chat.say(">>") == 0
    assert product.saved() == []


async def test_an_order_is_settled_once_it_is_taken_in_carried_out_and_answered(product) -> None:
    order = await product.chat.say("> /status")
    own = ChatRecord(seen=(order,))
    now = datetime.now(UTC)
    stages = [
        ChatRecord(),
        own.having(orders=(Order(message_id=order, text="/status", date=now),)),
        own.having(notices=(Notice(message_id=order, text="all is well"),)),
        own,
    ]
    settled = []
    for record in stages:
        product.records[str(product.owner)] = record
        settled.append(await product.chat._is_settled("> /status", order))
    assert settled == [False, False, False, True]
    note = await product.chat.say("> a note")
    assert await product.chat._is_settled("> a note", note)
