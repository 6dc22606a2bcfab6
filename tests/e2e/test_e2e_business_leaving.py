"""People who leave `timokha business`, and what is around the process, on the shipped NATS users."""

import asyncio
from random import Random

import pytest
from pydantic import SecretStr

from edge.business.phrases import how_to_connect
from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.state import Account
from edge.userbot.owner.phrases import disconnected
from events import subjects
from events.jetstream.addresses import Access
from events.jetstream.api import subjects_of
from events.jetstream.connection import JetStream, connect
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel
from tests.conftest import Guarded
from tests.e2e.conftest import THINKING, WAIT, Product, product

pytestmark = pytest.mark.skipif(not HAS_BUSINESS, reason="pyrogram knows no business connections; kurigram does")
DONE = disconnected("ru")


def access(guarded: Guarded, user: str) -> Access:
    return Access(user=user, password=SecretStr(guarded.passwords[user]))


async def start(made: Product, guarded: Guarded, name: str, user: str) -> None:
    made.settings = {**made.settings, "NATS_USER": user, "NATS_PASSWORD": guarded.passwords[user]}
    begun = made.log(name).count(f"{name}.ready")
    await made.start(name)
    await made.logged(f"{name}.ready", begun + 1, by=name)


class People:
    """Who talks to whom through the bot."""

    def __init__(self, made: Product) -> None:
        self.made = made
        self.telegram = made.telegram
        self.bot = made.owner

    def person(self, name: str) -> Account:
        person = self.telegram.add_user(first_name=name, phone=f"+7888{len(self.telegram.state.accounts):04}")
        self.bot.met.add(person.id)
        return person

    def asks(self, visitor: Account, person: Account, text: str) -> int:
        self.telegram.send(visitor.id, person.id, text)
        return self.telegram.messages(visitor.id, person.id)[-1].id

    def orders(self, person: Account, text: str) -> None:
        self.telegram.send(person.id, self.bot.id, text)

    def answers(self, person: Account, visitor: Account) -> list[str]:
        written = [message for message in self.telegram.messages(person.id, visitor.id) if message.out]
        return [message.text for message in written if message.text not in THINKING]

    def thinking(self, person: Account, visitor: Account) -> int:
        return len([m for m in self.telegram.messages(person.id, visitor.id) if m.out]) - len(
            self.answers(person, visitor)
        )

    async def answered(self, person: Account, visitor: Account, *texts: str) -> None:
        await self.made.until(lambda: self.answers(person, visitor) == [*texts])

    def told(self, person: Account) -> list[str]:
        return [message.text for message in self.telegram.messages(person.id, self.bot.id) if not message.out]


async def stored(js: JetStream, person: Account) -> list[str]:
    """The subjects of all that is stored about a person, but the connection and that an index is complete."""
    places = {f"KV_{bucket}": f"$KV.{bucket}.>" for bucket in (subjects.CHATS_BUCKET, subjects.MARKS_BUCKET)}
    places |= {subjects.stream(channel): subjects.every_subject(channel) for channel in Channel}
    found = [subject for stream, which in places.items() for subject in await subjects_of(js, stream, which)]
    return [subject for subject in found if f".{person.id}." in subject]


async def until_erased(js: JetStream, person: Account) -> None:
    async with asyncio.timeout(WAIT):
        while await stored(js, person):  # noqa: ASYNC110 - a store
            await asyncio.sleep(0.1)


@pytest.mark.timeout(180)
async def test_who_leaves_is_erased_and_nobody_else_whatever_dies(tmp_path, guarded_nats) -> None:
    async with (
        connect(guarded_nats.server.url, name="setup", access=access(guarded_nats, "setup")) as js,
        product(
            tmp_path / "product",
            bot=True,
            business=True,
            NATS_URL=guarded_nats.server.url,
            USERBOT_LANGUAGE="ru",
            GENERATE_ECHO_DELAY="1.5",
        ) as made,
    ):
        await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all()
        await start(made, guarded_nats, "business", "userbot")
        await start(made, guarded_nats, "generate", "generate")
        people = People(made)
        anna, boris, stranger = (people.person(name) for name in ("Anna", "Boris", "Stranger"))
        guest = made.visitor("ru")
        for person in (anna, boris):
            made.telegram.connect_business(person.id, people.bot.id)
        for text in ("/start", "Тимоха, привет"):
            people.orders(stranger, text)
        await made.until(lambda: people.told(stranger))
        await a_deleted_question_gets_no_answer(people, anna, guest)
        await are_served(people, anna, boris, guest)
        before = await stored(js, boris)
        assert len(await stored(js, anna)) >= 4
        assert await stored(js, stranger) == []

        await made.kill("generate")
        await leaves_while_the_process_dies(people, anna, guest, guarded_nats)
        await until_erased(js, anna)
        await start(made, guarded_nats, "generate", "generate")
        people.asks(guest, anna, "Тимоха, три")
        people.asks(guest, boris, "Тимоха, четыре")
        await people.answered(boris, guest, "раз", "четыре")
        assert people.answers(anna, guest) == ["раз"]
        assert await stored(js, anna) == []
        assert set(before) <= set(await stored(js, boris))

        await comes_back_afresh(people, anna, guest)
        assert people.told(stranger) == [how_to_connect("ru", "ru", has_left=False)]
        log = made.log("business")
        assert "not_permitted" not in log
        assert "Traceback" not in log


async def a_deleted_question_gets_no_answer(people: People, person: Account, guest: Account) -> None:
    deleted = people.asks(guest, person, "Тимоха, не надо")
    await people.made.until(lambda: people.thinking(person, guest) == 1)
    people.telegram.delete(guest.id, deleted)
    await people.made.until(lambda: people.thinking(person, guest) == 0)


async def are_served(people: People, anna: Account, boris: Account, guest: Account) -> None:
    for person in (anna, boris):
        people.asks(guest, person, "Тимоха, раз")
    await people.answered(anna, guest, "раз")
    await people.answered(boris, guest, "раз")
    people.orders(anna, "/deny @spam")
    await people.made.until(lambda: people.told(anna))


async def leaves_while_the_process_dies(people: People, person: Account, guest: Account, guarded: Guarded) -> None:
    """A question waits meanwhile, but no worker is there to answer it."""
    people.asks(guest, person, "Тимоха, два")
    await people.made.until(lambda: people.thinking(person, guest) == 2)
    people.orders(person, "/disconnect")
    await people.made.logged('"order": "Disconnect"', by="business")
    await people.made.kill("business")
    await start(people.made, guarded, "business", "userbot")
    await people.made.logged("account.erased", by="business")
    assert people.told(person)[1:] == [DONE]


async def comes_back_afresh(people: People, person: Account, guest: Account) -> None:
    answers = people.answers(person, guest)
    people.telegram.disconnect_business(person.id)
    people.telegram.connect_business(person.id, people.bot.id)
    people.asks(guest, person, "Тимоха, пять")
    await people.answered(person, guest, *answers, "пять")
    people.orders(person, "/deny")
    await people.made.until(lambda: len(people.told(person)) == 3)
    assert "@spam" not in people.told(person)[2]
