"""Approval over the wire: the owner decides with a stock client in a second session, or as a bot's owner."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from pyrogram import Client

from edge.sandbox.message_box import StoredMessage
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect
from edge.userbot import draft_phrases, phrases
from tests.e2e.conftest import BOT_TOO, OWNER_PHONE, Product, product

pytestmark = pytest.mark.asyncio(loop_scope="module")
DRAFT = ("Черновик", "Draft")


@dataclass
class Approving:
    """A product whose answers need approval, and the owner: the account itself, or of a bot account `boss`."""

    made: Product
    boss: Account

    def client(self) -> AbstractAsyncContextManager[Client]:
        """The owner's phone."""
        phone = f"+{self.boss.phone}" if self.made.owner.bot else OWNER_PHONE
        return connect(self.made.telegram, phone)

    def chat(self) -> str:
        """Where the owner decides, as their client names it."""
        return "timokha" if self.made.owner.bot else "me"

    def drafts(self, visitor: Account) -> list[StoredMessage]:
        """The drafts of answers to the visitor, as the owner sees them."""
        return [message for message in self._about(visitor) if message.text.startswith(DRAFT)]

    def lines(self, visitor: Account) -> list[str]:
        """What the owner was answered about the visitor."""
        return [message.text for message in self._about(visitor) if not message.text.startswith(DRAFT)]

    def _about(self, visitor: Account) -> list[StoredMessage]:
        messages = self.made.telegram.messages(self.boss.id, self.made.owner.id)
        return [message for message in messages if visitor.first_name in message.text]

    async def drafted(self, visitor: Account, question: str, answer: str | None = None) -> StoredMessage:
        """The visitor asks, and the owner has the draft, of which `answer` is a part."""
        self.made.says(visitor, f"Тимоха, {question}")
        await self.made.until(lambda: any((answer or question) in draft.text for draft in self.drafts(visitor)))
        return self.drafts(visitor)[-1]

    async def decide(self, draft: StoredMessage, text: str) -> None:
        async with self.client() as client:
            await client.resolve_peer(self.chat())
            await client.send_message(self.chat(), text, reply_to_message_id=draft.id)

    async def is_done(self, visitor: Account) -> None:
        """The question is settled, and the draft deleted."""
        await self.made.free(visitor)
        await self.made.until(lambda: not self.drafts(visitor))


async def started(made: Product) -> Approving:
    boss = made.visitor() if made.owner.bot else made.owner
    if made.owner.bot:
        made.settings["USERBOT_OWNER"] = str(boss.id)
        made.telegram.send(boss.id, made.owner.id, "/start")  # else a bot may not write first
    await made.start()
    await made.ready()
    return Approving(made, boss)


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=BOT_TOO)
async def approving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Approving]:
    directory: Path = tmp_path_factory.mktemp("approving")
    async with product(directory, bot=request.param, USERBOT_APPROVE="all", USERBOT_LIVE="true") as made:
        yield await started(made)


async def test_an_answer_is_sent_once_the_owner_replies_with_a_plus_and_until_then_nothing_is_seen(approving) -> None:
    visitor = approving.made.visitor()
    draft = await approving.drafted(visitor, "как дела?")
    assert approving.made.written(visitor) == []
    assert "typing" not in approving.made.telegram.typing(approving.made.owner.id, visitor.id)
    await approving.decide(draft, "+")
    await approving.is_done(visitor)
    assert approving.made.answers(visitor) == ["как дела?"]
    await approving.made.until(lambda: approving.lines(visitor))
    assert approving.lines(visitor) == [draft_phrases.sent("ru", visitor.first_name)]


async def test_an_answer_is_never_sent_once_the_owner_replies_with_a_minus(approving) -> None:
    visitor = approving.made.visitor()
    await approving.decide(await approving.drafted(visitor, "секрет?"), "-")
    await approving.is_done(visitor)
    await approving.made.until(lambda: approving.lines(visitor))
    assert approving.lines(visitor) == [draft_phrases.rejected("ru", visitor.first_name)]
    assert approving.made.written(visitor) == []


async def test_another_text_is_sent_in_place_of_the_answer(approving) -> None:
    visitor = approving.made.visitor()
    await approving.decide(await approving.drafted(visitor, "кто ты?"), "Я человек")
    await approving.is_done(visitor)
    assert approving.made.answers(visitor) == ["Я человек"]


async def test_questions_asked_meanwhile_get_one_answer_together(approving) -> None:
    visitor = approving.made.visitor()
    await approving.drafted(visitor, "раз")
    draft = await approving.drafted(visitor, "два", "раз\nдва")
    await approving.made.until(lambda: approving.drafts(visitor) == [draft])
    await approving.decide(draft, "+")
    await approving.is_done(visitor)
    assert approving.made.answers(visitor) == ["раз\nдва"]


async def test_a_visitor_who_deletes_the_history_deletes_the_draft_as_well(approving) -> None:
    visitor = approving.made.visitor()
    await approving.drafted(visitor, "личное")
    approving.made.says(visitor, "/delete_history")
    await approving.made.until(lambda: not approving.drafts(visitor))
    await approving.made.until(lambda: approving.made.answers(visitor))
    assert approving.made.answers(visitor) == [phrases.deleted("ru", cancelled=True)]


async def test_an_owner_who_answers_in_the_chat_itself_needs_no_draft(approving) -> None:
    if approving.made.owner.bot:
        pytest.skip("nobody but the bot writes from its account")
    visitor = approving.made.visitor()
    await approving.drafted(visitor, "ты здесь?")
    approving.made.owner_says(visitor, "да, сам")
    await approving.is_done(visitor)
    assert approving.made.answers(visitor) == ["да, сам"]


@pytest.mark.parametrize(("expired", "answers"), [("drop", []), ("send", ["вопрос"])])
async def test_a_draft_that_is_not_decided_in_time_expires(tmp_path, expired, answers) -> None:
    settings = {"USERBOT_APPROVE": "all", "USERBOT_APPROVE_FOR": "1", "USERBOT_APPROVE_EXPIRED": expired}
    async with product(tmp_path, **settings) as made:
        approving = await started(made)
        visitor = made.visitor()
        await approving.drafted(visitor, "вопрос")
        await approving.is_done(visitor)
        assert made.answers(visitor) == answers
