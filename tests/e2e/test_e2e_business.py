"""`timokha business` against the sandbox: people connect a bot to their accounts, and it answers in their name."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass

import pytest
import pytest_asyncio

from edge.business.phrases import refusal
from edge.business.reasons import Reason
from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.centres import OTHER
from edge.sandbox.live_drafts import METHOD as SHOW_LIVE_DRAFT
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.state import Account
from edge.userbot import phrases
from tests.e2e.conftest import THINKING, WAIT, Product, product

pytestmark = [
    pytest.mark.skipif(not HAS_BUSINESS, reason="pyrogram knows no business connections; kurigram does"),
    pytest.mark.asyncio(loop_scope="module"),
]
REFUSED = {
    "BUSINESS_PEER_INVALID": Reason.OUTSIDE,
    "BUSINESS_PEER_USAGE_MISSING": Reason.TOO_LATE,
    "PEER_ID_INVALID": Reason.UNKNOWN_PERSON,
    "BOT_ACCESS_FORBIDDEN": Reason.NO_RIGHT,
}


@dataclass
class Office:
    """A bot that people connect, in a product that runs. `early` was connected before the bot signed in."""

    product: Product
    early: Account
    people: int = 0

    @property
    def bot(self) -> Account:
        return self.product.owner

    def person(self, **options: object) -> Account:
        """Somebody who has pressed Start and connected the bot."""
        self.people += 1
        person = self.product.telegram.add_user(first_name=f"Person {self.people}", phone=f"+7888{self.people:04}")
        self.bot.met.add(person.id)
        self.connect(person, **options)
        return person

    def connect(self, person: Account, **options: object) -> None:
        """Connect the bot, or change the connection, which then is another one."""
        self.product.telegram.connect_business(person.id, self.bot.id, **options)

    def asks(self, visitor: Account, person: Account, text: str) -> StoredMessage:
        """The person's copy comes back."""
        self.product.telegram.send(visitor.id, person.id, text)
        return self.product.telegram.messages(person.id, visitor.id)[-1]

    def orders(self, person: Account, text: str) -> None:
        """As a person, write to the bot."""
        self.product.telegram.send(person.id, self.bot.id, text)

    def written(self, person: Account, visitor: Account) -> list[StoredMessage]:
        """What was written to the visitor in the person's name."""
        return [message for message in self.product.telegram.messages(person.id, visitor.id) if message.out]

    def answers(self, person: Account, visitor: Account) -> list[str]:
        return [message.text for message in self.written(person, visitor) if message.text not in THINKING]

    async def answered(self, person: Account, visitor: Account, *texts: str) -> None:
        await self.product.until(lambda: self.answers(person, visitor) == [*texts])

    def told(self, person: Account) -> list[str]:
        """What the bot wrote to the person."""
        return [message.text for message in self.shown(person)]

    def shown(self, person: Account) -> list[StoredMessage]:
        messages = self.product.telegram.messages(person.id, self.bot.id)
        return [message for message in messages if not message.out]

    async def logged(self, *words: str) -> None:
        """A line of the log has all these words."""
        async with asyncio.timeout(WAIT):
            while not any(all(word in line for word in words) for line in self._lines()):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.02)

    def _lines(self) -> list[str]:
        return self.product.log("business").splitlines()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    settings = {"USERBOT_APPROVE": "listed", "USERBOT_APPROVE_LIST": "@careful", "GENERATE_ECHO_DELAY": "0.3"}
    settings |= {"TIMOKHA_CONTACTS": '{"@hasty": {"live": true}, "@friend": {"triggers": ["private"]}}'}
    settings |= {"USERBOT_DEBOUNCE": "3"}
    async with product(tmp_path_factory.mktemp("business"), bot=True, business=True, **settings) as made:
        early = made.telegram.add_user(first_name="Early", phone="+78880000")
        made.telegram.connect_business(early.id, made.owner.id)
        await made.start("business", "generate")
        await made.logged("business.ready", by="business")
        yield Office(made, early)
        assert await made.processes["business"].stop()
        assert made.processes["business"].exit_code == 0
        log = made.log("business")
        assert "Traceback" not in log
        assert '"why": "gap"' not in log  # what is deleted in a person's chats is no change of the bot's
        assert "секрет" not in log
        with closing(sqlite3.connect(made.settings["USERBOT_SESSION"])) as session:
            for table in ("peers", "usernames"):
                assert session.execute(f"SELECT * FROM {table}").fetchall() == []


async def test_a_conversation_is_held_in_the_persons_name(office: Office) -> None:
    person, visitor = office.person(), office.product.visitor("en")
    question = office.asks(visitor, person, "Тимоха, секрет?")
    await office.answered(person, visitor, "секрет?")
    thinking, answer = office.written(person, visitor)
    assert (thinking.reply_to, answer.reply_to) == (question.id, thinking.id)
    assert "typing" in office.product.telegram.typing(person.id, visitor.id)
    office.asks(visitor, person, "/help@timokha")  # another bot's
    office.asks(visitor, person, "секрет")
    office.asks(visitor, person, "/delete_history")
    deleted = phrases.deleted("en", cancelled=False)
    await office.answered(person, visitor, "секрет?", deleted)
    assert office.told(person) == []


async def test_a_burst_without_the_prefix_gets_one_answer_in_the_persons_name(office: Office) -> None:
    """Of a burst in which something is edited and something deleted meanwhile."""
    telegram, person = office.product.telegram, office.person()
    friend = telegram.add_user(first_name="Friend", phone="+78885555", username="friend")
    texts = ("превет", "дурак", "секрет?")
    first, second, _ = (telegram.send(friend.id, person.id, text).id for text in texts)
    telegram.edit(friend.id, first, "привет")
    telegram.delete(friend.id, second)
    asked = telegram.messages(person.id, friend.id)[-1]
    await office.answered(person, friend, "привет\nсекрет?")
    assert office.written(person, friend)[0].reply_to == asked.id
    assert office.told(person) == []


async def test_a_connection_made_before_the_bot_signed_in_is_asked_for(office: Office) -> None:
    visitor = office.product.visitor()
    office.asks(visitor, office.early, "Тимоха, как дела?")
    await office.answered(office.early, visitor, "как дела?")


async def test_a_person_whose_account_is_in_another_data_centre_is_answered_there(office: Office) -> None:
    person, visitor = office.person(dc_id=OTHER), office.product.visitor()
    office.asks(visitor, person, "Тимоха, как дела?")
    await office.answered(person, visitor, "как дела?")
    office.product.telegram.drop_connections(office.bot.id)
    office.asks(visitor, person, "Тимоха, а теперь?")
    await office.answered(person, visitor, "как дела?", "а теперь?")


async def test_what_is_sent_after_a_change_of_the_connection_goes_through_the_new_one(office: Office) -> None:
    person, visitor = office.person(), office.product.visitor()
    office.asks(visitor, person, "Тимоха, как дела?")
    await office.product.until(lambda: office.written(person, visitor))
    office.connect(person, dc_id=OTHER)
    await office.answered(person, visitor, "как дела?")


async def test_a_change_of_the_connection_of_which_no_update_came_is_fetched(office: Office) -> None:
    person, visitor, faults = office.person(), office.product.visitor(), office.product.telegram.faults
    office.asks(visitor, person, "Тимоха, как дела?")
    await office.product.until(lambda: office.written(person, visitor))
    faults.suppress_pushes(office.bot.id, times=100)
    office.connect(person)
    faults.suppress_pushes(office.bot.id, times=-100)
    await office.answered(person, visitor, "как дела?")
    assert office.told(person) == []


async def test_two_persons_chats_have_nothing_in_common(office: Office) -> None:
    """Their partner is the same, and plants what would be an order of theirs."""
    anna, boris, visitor = office.person(), office.person(), office.product.visitor()
    for text in ("/pause", "/status", "+", "/disconnect", "Тимоха, раз"):
        office.asks(visitor, anna, text)
    await office.answered(anna, visitor, "раз")
    assert (office.told(anna), office.told(boris)) == ([], [])
    office.orders(anna, "/pause")
    await office.product.until(lambda: office.told(anna))
    office.asks(visitor, anna, "Тимоха, два")
    office.asks(visitor, boris, "Тимоха, три")
    await office.answered(boris, visitor, "три")
    office.orders(boris, "/queue")
    office.orders(boris, "/deny @somebody")
    office.orders(boris, "/status")
    await office.product.until(lambda: len(office.told(boris)) == 3)
    assert "Сегодня: 1 ответ." in office.told(boris)[2]
    office.orders(anna, "/allow")
    await office.product.until(lambda: len(office.told(anna)) == 2)
    assert "somebody" not in office.told(anna)[1]
    assert office.answers(anna, visitor) == ["раз"]


async def test_a_person_who_writes_in_a_chat_pauses_the_bot_there(office: Office) -> None:
    person, visitor, other = office.person(), office.product.visitor(), office.product.visitor()
    office.asks(visitor, person, "Тимоха, раз")
    await office.product.until(lambda: office.written(person, visitor))
    office.product.telegram.send(person.id, visitor.id, "сам")
    await office.product.until(lambda: office.answers(person, visitor) == ["сам"])
    await office.logged("owner_took_over", f"{visitor.id}")
    office.asks(visitor, person, "Тимоха, два")
    office.asks(other, person, "Тимоха, три")
    await office.answered(person, other, "три")
    await office.product.until(lambda: [message.text for message in office.written(person, visitor)] == ["сам"])


async def test_a_person_approves_with_the_buttons_in_the_chat_with_the_bot(office: Office) -> None:
    telegram = office.product.telegram
    person, other = office.person(), office.person()
    visitor = telegram.add_user(first_name="Careful", username="careful", phone="+79993331122")
    office.asks(visitor, person, "Тимоха, раз")
    await office.product.until(lambda: any(message.markup for message in office.shown(person)))
    [draft] = [message for message in office.shown(person) if message.markup]
    assert (office.written(person, visitor), office.told(other)) == ([], [])
    telegram.press(person.id, office.bot.id, draft.id, b"+")
    await office.answered(person, visitor, "раз")


async def test_an_answer_grows_in_a_live_draft_unless_telegram_refuses_it_which_concerns_nobody(office: Office) -> None:
    telegram = office.product.telegram
    person, other = office.person(), office.person(dc_id=OTHER)
    visitor = telegram.add_user(first_name="Hasty", username="hasty", phone="+79993331123")
    question = office.asks(visitor, person, "Тимоха, раз")
    await office.answered(person, visitor, "раз")
    [answer] = office.written(person, visitor)
    assert (answer.reply_to, answer.edited) == (question.id, None)
    assert telegram.live_drafts(person.id, visitor.id)[0].text in THINKING
    telegram.faults.refuse(office.bot.id, 400, "BUSINESS_CONNECTION_NOT_ALLOWED", method=SHOW_LIVE_DRAFT, times=None)
    office.asks(visitor, other, "Тимоха, два")
    await office.answered(other, visitor, "два")
    [answer] = office.written(other, visitor)
    assert answer.edited
    assert office.told(other) == []
    telegram.faults.stop_refusing(office.bot.id)


async def test_a_person_who_gives_no_right_to_answer_is_told_once(office: Office) -> None:
    person, visitor = office.person(can_reply=False), office.product.visitor()
    office.asks(visitor, person, "Тимоха, как дела?")
    await office.product.until(lambda: office.told(person))
    office.asks(visitor, person, "Тимоха, ау?")
    office.connect(person)
    office.asks(visitor, person, "Тимоха, а теперь?")
    await office.answered(person, visitor, "а теперь?")
    assert office.told(person) == [refusal("ru", Reason.NO_RIGHT)]


async def test_a_person_who_presses_start_only_later_is_told_then(office: Office) -> None:
    person, visitor = office.person(can_reply=False), office.product.visitor()
    office.bot.met.remove(person.id)
    office.asks(visitor, person, "Тимоха, как дела?")
    await office.logged("message.undeliverable", f"{person.id}")
    office.orders(person, "/start")
    await office.product.until(lambda: office.told(person))
    office.asks(visitor, person, "Тимоха, ау?")
    await office.product.until(lambda: refusal("ru", Reason.NO_RIGHT) in office.told(person))


async def test_what_telegram_refuses_is_told_once_for_each_reason(office: Office) -> None:
    faults, person, telling = office.product.telegram.faults, office.person(), []
    for number, (error, reason) in enumerate(REFUSED.items()):
        visitor = office.product.visitor()
        faults.refuse(office.bot.id, 400, error, times=None, peer_id=visitor.id)
        for _ in range(2):
            question = office.asks(visitor, person, "Тимоха, как дела?")
            await office.logged(f"{person.id}.{visitor.id}.{question.id}.0", "undeliverable")
        telling.append(refusal("ru", reason))
        await office.product.until(lambda number=number: len(office.told(person)) > number)
        assert (office.told(person), office.written(person, visitor)) == (telling, [])
    faults.stop_refusing(office.bot.id)


async def test_a_person_who_disconnects_gets_no_answer_and_is_told_once(office: Office) -> None:
    person, visitor = office.person(), office.product.visitor()
    office.asks(visitor, person, "Тимоха, как дела?")
    await office.product.until(lambda: office.written(person, visitor))
    office.product.telegram.disconnect_business(person.id)
    await office.product.until(lambda: office.told(person))
    assert (office.told(person), office.answers(person, visitor)) == ([refusal("ru", Reason.ENDED)], [])


@pytest.mark.parametrize("taken", [False, True], ids=["before", "after"])
async def test_a_process_killed_before_or_after_telegram_took_the_answer_answers_once(
    office: Office, taken: bool
) -> None:
    person, visitor, faults = office.person(dc_id=OTHER), office.product.visitor(), office.product.telegram.faults
    office.asks(visitor, person, "Тимоха, раз")
    await office.product.until(lambda: office.written(person, visitor))
    if taken:
        faults.lose_answers(office.bot.id, times=100)
        await office.answered(person, visitor, "раз")
    await office.product.kill("business")
    faults.lose_answers(office.bot.id, times=-100 if taken else 0)
    if not taken:
        os.remove(office.product.settings["USERBOT_SESSION"])  # a container may keep no session
    office.asks(visitor, person, "Тимоха, два")  # while it is away
    await office.product.start("business")
    await office.answered(person, visitor, "раз", "два")
    assert len(office.written(person, visitor)) == 4
