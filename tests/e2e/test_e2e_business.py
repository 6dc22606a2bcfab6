"""`timokha business` against the sandbox: people connect a bot to their accounts, and it answers in their name."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from edge.business.phrases import refusal
from edge.business.reasons import Reason
from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.centres import OTHER
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.state import Account
from tests.e2e.conftest import THINKING, Product, product

pytestmark = [
    pytest.mark.skipif(not HAS_BUSINESS, reason="pyrogram knows no business connections; kurigram does"),
    pytest.mark.asyncio(loop_scope="module"),
]


@dataclass
class Office:
    """A bot that people connect, in a product that runs."""

    product: Product
    people: int = 0

    @property
    def bot(self) -> Account:
        return self.product.owner

    def person(self, *, connected: bool = True, **options: object) -> Account:
        self.people += 1
        telegram = self.product.telegram
        person = telegram.add_user(first_name=f"Person {self.people}", phone=f"+7888{self.people:04}")
        self.bot.met.add(person.id)  # they have pressed Start
        if connected:
            telegram.connect_business(person.id, self.bot.id, **options)
        return person

    def asks(self, visitor: Account, person: Account, text: str) -> StoredMessage:
        """The person's copy comes back."""
        self.product.telegram.send(visitor.id, person.id, text)
        return self.product.telegram.messages(person.id, visitor.id)[-1]

    def written(self, person: Account, visitor: Account) -> list[StoredMessage]:
        return [message for message in self.product.telegram.messages(person.id, visitor.id) if message.out]

    def answers(self, person: Account, visitor: Account) -> list[str]:
        return [message.text for message in self.written(person, visitor) if message.text not in THINKING]

    def told(self, person: Account) -> list[str]:
        """What the bot wrote to the person."""
        messages = self.product.telegram.messages(person.id, self.bot.id)
        return [message.text for message in messages if not message.out]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    async with product(tmp_path_factory.mktemp("business"), bot=True, business=True) as made:
        await made.start("business", "generate")
        await made.logged("business.ready", by="business")
        yield Office(made)


async def test_a_question_gets_its_answer_as_the_person(office: Office) -> None:
    person, visitor = office.person(), office.product.visitor()
    question = office.asks(visitor, person, "Тимоха, как дела?")
    await office.product.until(lambda: office.answers(person, visitor))
    thinking, answer = office.written(person, visitor)
    assert (thinking.reply_to, answer.reply_to, answer.text) == (question.id, thinking.id, "как дела?")


async def test_a_person_whose_account_is_in_another_data_centre_is_answered_there(office: Office) -> None:
    person, visitor = office.person(dc_id=OTHER), office.product.visitor()
    office.asks(visitor, person, "Тимоха, как дела?")
    await office.product.until(lambda: office.answers(person, visitor))
    assert office.answers(person, visitor) == ["как дела?"]


async def test_a_person_who_gives_no_right_to_answer_is_told_once(office: Office) -> None:
    person, visitor = office.person(can_reply=False), office.product.visitor()
    office.asks(visitor, person, "Тимоха, как дела?")
    await office.product.until(lambda: office.told(person))
    office.asks(visitor, person, "Тимоха, ау?")
    await office.product.logged("no_right", 3, by="business")
    assert (office.told(person), office.written(person, visitor)) == ([refusal("ru", Reason.NO_RIGHT)], [])
