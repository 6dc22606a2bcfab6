"""People who leave `timokha business`, and what is around the process, on the shipped NATS users."""

import asyncio
from random import Random

import pytest
from pydantic import SecretStr

from edge.business.phrases import how_to_connect
from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.state import Account
from edge.userbot.owner.phrases import words
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
DONE = words("ru").disconnected
SLOW = "медленно"


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

        # Strangers learn how to connect, once.
        for text in ("/start", "Тимоха, привет"):
            people.orders(stranger, text)
        await made.until(lambda: people.told(stranger))

        # A question that its author has deleted gets no answer, and its thinking line goes.
        deleted = people.asks(guest, anna, "Тимоха, не надо")
        await made.until(lambda: people.thinking(anna, guest) == 1)
        made.telegram.delete(guest.id, deleted)
        await made.until(lambda: people.thinking(anna, guest) == 0)
        for person in (anna, boris):
            people.asks(guest, person, "Тимоха, раз")
        await people.answered(anna, guest, "раз")
        await people.answered(boris, guest, "раз")
        assert await stored(js, stranger) == []
        people.orders(anna, "/deny @spam")
        await made.until(lambda: people.told(anna))
        before = await stored(js, boris)
        assert len(await stored(js, anna)) >= 4

        # She leaves while a question is being answered, and the process dies on the way.
        await made.kill("generate")
        people.asks(guest, anna, "Тимоха, два")
        await made.until(lambda: people.thinking(anna, guest) == 2)
        people.orders(anna, "/disconnect")
        await made.logged('"order": "Disconnect"', by="business")
        await made.kill("business")
        await start(made, guarded_nats, "business", "userbot")
        await made.logged("account.erased", by="business")
        await until_erased(js, anna)
        assert people.told(anna)[1:] == [DONE]
        await start(made, guarded_nats, "generate", "generate")
        people.asks(guest, anna, "Тимоха, три")
        people.asks(guest, boris, "Тимоха, четыре")
        await people.answered(boris, guest, "раз", "четыре")
        answers = people.answers(anna, guest)
        # If the process died before it had stored that she left, the reply may have come first.
        assert answers in (["раз"], ["раз", "два"])
        assert await stored(js, anna) == []
        assert set(before) <= set(await stored(js, boris))

        # She comes back: afresh.
        made.telegram.disconnect_business(anna.id)
        made.telegram.connect_business(anna.id, people.bot.id)
        people.asks(guest, anna, "Тимоха, пять")
        await people.answered(anna, guest, *answers, "пять")
        people.orders(anna, "/deny")
        await made.until(lambda: len(people.told(anna)) == 3)
        assert "@spam" not in people.told(anna)[2]
        assert people.told(stranger) == [how_to_connect("ru", "ru", has_left=False)]
        log = made.log("business")
        assert "not_permitted" not in log
        assert "Traceback" not in log
