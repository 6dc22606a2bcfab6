"""The owner's orders are carried out and answered once, whenever the edge dies.

`docs/delivery.md` has the same points as a table.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from edge.userbot.chat.incoming import OwnMessage
from edge.userbot.chat.policy import FOR_EVER
from edge.userbot.chat.record import ChatRecord, Current, Question
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.messenger import FloodWaited
from edge.userbot.driving.ports import Ports
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.owner import phrases
from edge.userbot.owner.orders import ALL, Help, Unknown
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import Sampling
from observability.telemetry import noop_telemetry
from tests.fuses import Fuse, Fused

ACCOUNT, CHAT, OTHER = "1", "2", "3"
RETRYING = Retrying(SystemClock(), Random())
RULES = Rules(locale="en")
ALWAYS = phrases.until("en", FOR_EVER, since=datetime.now(UTC), zone=UTC)


@dataclass
class Telegram:
    """Chats by message, in which the account finds its own; every random id is forgotten. `ann` is chat 2."""

    texts: list[tuple[str, str, int | None]] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    find: Callable[[str], str | None] = {"@ann": CHAT}.get

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        self.texts.append((chat, message.text, reply_to))
        return 1000 + len(self.texts)

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        said = (chat, text, reply_to)
        return 1001 + self.texts.index(said) if said in self.texts else None

    async def find_chat(self, name: str) -> str | None:
        return self.find(name)

    async def has_outcome(self, *_: Any, **__: Any) -> bool:
        return False

    async def delete(self, chat: str, message_id: int) -> None:
        self.deleted.append(message_id)

    async def typing(self, chat: str) -> None:
        pass

    def answers(self) -> list[str]:
        return [text for chat, text, _ in self.texts if chat == ACCOUNT]


@dataclass
class Places:
    """What outlives the edge."""

    telegram: Telegram = field(default_factory=Telegram)
    log: MemoryLog = field(default_factory=lambda: MemoryLog(clock=SystemClock()))
    records: MemoryRecords = field(default_factory=MemoryRecords)
    marks: MemoryMarks = field(default_factory=MemoryMarks)

    @property
    def chats(self) -> Chats:
        return Chats(self.records, self.marks, ACCOUNT, retrying=RETRYING)

    async def open(self) -> None:
        """Both chats have a question being answered, which no worker will answer."""
        await self.marks.add(f"built.{ACCOUNT}")
        for chat in (CHAT, OTHER):
            await self.chats.change(chat, lambda record, chat=chat: record.having(current=asking(chat)))

    async def orders(self, *texts: str) -> None:
        """The owner writes, and it is stored."""
        edge = Edge(self, Fuse(0, False))
        edge.drivers.hold()
        for number, text in enumerate(texts, 10):
            await edge.intake.receive(OwnMessage(ACCOUNT, ACCOUNT, number, text, datetime.now(UTC)))
        await edge.die()


class Edge:
    def __init__(self, places: Places, fuse: Fuse) -> None:
        self.places = places
        records = Fused(places.records, fuse, "save")
        self.ports = Ports(
            account=ACCOUNT,
            chats=Chats(records, Fused(places.marks, fuse, "add", "drop"), ACCOUNT, retrying=RETRYING),
            log=places.log,
            messenger=Fused(places.telegram, fuse, "send", "delete", "find_chat"),
            sampling=Sampling(),
            deadline=timedelta(hours=1),
            telemetry=noop_telemetry(),
            retrying=RETRYING,
            rules=lambda: RULES,
            owner_chat=ACCOUNT,
        )
        self.drivers = Drivers(self.ports)
        self.intake = OwnIntake(self.ports, self.drivers, lambda: RULES)

    async def start(self) -> None:
        await self.drivers.resume()

    async def die(self) -> None:
        await self.drivers.stop()


def asking(chat: str) -> Current:
    question = Question(message_id=5, text="why?", locale="en", asked_at=datetime.now(UTC), asker=f"user {chat}")
    return Current(
        question=question,
        request_id=f"{ACCOUNT}.{chat}.5.0",
        deadline=datetime.now(UTC) + timedelta(hours=1),
        thinking_id=900 + int(chat),
    )


@dataclass(frozen=True)
class Scenario:
    """`orders` are carried out in turn; `answers` are what the owner reads then, the start of each."""

    orders: tuple[str, ...]
    answers: tuple[str, ...]
    holds: Callable[[ChatRecord, ChatRecord], bool] = lambda one, other: bool(one.current and other.current)
    paused: bool = False
    denied: tuple[str, ...] = ()


SCENARIOS = {
    "reports": Scenario(
        ("/status", "/queue", "/limits", "/help", "/allow"),
        ("Timokha", "In work: 2 questions", "Limits:", phrases.how_to_order("en", Help()), "I answer:"),
    ),
    "a pause of all": Scenario(("/pause",), (phrases.paused("en", ALL, ALWAYS),), paused=True),
    "a pause of all that ends": Scenario(
        ("/pause 1h", "/resume"), ("Paused: I answer no one until", phrases.resumed("en", ALL))
    ),
    "a pause of a chat": Scenario(
        ("/pause @ann",),
        (phrases.paused("en", "@ann", ALWAYS),),
        lambda one, other: one.paused_until == FOR_EVER and other.paused_until is None and bool(one.current),
    ),
    "a pause of a chat that ends": Scenario(
        ("/pause 2 1h", "/resume 2"),
        ("Paused: I don't answer in chat 2", phrases.resumed("en", "2")),
        lambda one, other: one.paused_until is None,
    ),
    "a pause of a chat that ends, while all are paused": Scenario(
        ("/pause", "/resume @ann"),
        (phrases.paused("en", ALL, ALWAYS), phrases.resumed("en", "@ann", still_paused=True)),
        paused=True,
    ),
    "cancelling everything": Scenario(
        ("/cancel",),
        (phrases.cancelled("en", ALL),),
        lambda one, other: one.current is None and other.current is None,
    ),
    "cancelling in a chat": Scenario(
        ("/cancel 2",),
        (phrases.cancelled("en", "2"),),
        lambda one, other: one.current is None and other.current is not None,
    ),
    "lists": Scenario(
        ("/deny @eve 7", "/allow 7"),
        (phrases.denied("en", ["@eve", "7"]), phrases.allowed("en", ["7"])),
        denied=("@eve",),
    ),
    "a chat that does not exist": Scenario(("/pause @nobody",), (phrases.no_such_chat("en", "@nobody"),)),
    "what can't be read": Scenario(
        ("/pause soon", "/what"), ("I can't read this command", phrases.how_to_order("en", Unknown()))
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_edge_that_dies_around_anything_it_does_leaves_orders_that_the_next_one_finishes(name, after) -> None:
    for at in range(1, 60):
        fuse = Fuse(at, after)
        await lives_through(SCENARIOS[name], fuse)
        if not fuse.blown.is_set():
            assert at > 2
            return
    pytest.fail("the scenario has no end")


async def lives_through(scenario: Scenario, fuse: Fuse) -> None:
    places = Places()
    await places.open()
    await places.orders(*scenario.orders)
    edge = Edge(places, fuse)
    done = asyncio.create_task(comes_to_rest(places))
    blown = asyncio.create_task(fuse.blown.wait())
    await edge.start()
    try:
        async with asyncio.timeout(15):
            await asyncio.wait({done, blown}, return_when=asyncio.FIRST_COMPLETED)
            if fuse.blown.is_set():
                await edge.die()
                edge = Edge(places, Fuse(0, False))
                await edge.start()
            await done
    except TimeoutError:
        pytest.fail(f"stuck after {fuse.journal}: {places.telegram.texts}")
    finally:
        done.cancel()
        blown.cancel()
        await edge.die()
    await check(scenario, places)


async def comes_to_rest(places: Places) -> None:
    async def rests() -> bool:
        owners = await places.chats.load(ACCOUNT)
        withdrawn = [(await places.chats.load(chat)).withdrawn for chat in (CHAT, OTHER)]
        return not (owners.orders or owners.notices or any(withdrawn))

    while not await rests():  # noqa: ASYNC110 - records have no event
        await asyncio.sleep(0.002)


async def check(scenario: Scenario, places: Places) -> None:
    answers = places.telegram.answers()
    assert len(answers) == len(scenario.answers), answers
    for answer, start in zip(answers, scenario.answers, strict=True):
        assert answer.startswith(start)
    one, other = [await places.chats.load(chat) for chat in (CHAT, OTHER)]
    assert scenario.holds(one, other)
    for chat, record in ((CHAT, one), (OTHER, other)):
        # The thinking line of a question that was cancelled is deleted, once.
        assert places.telegram.deleted.count(900 + int(chat)) >= (record.current is None)
    policy = await places.chats.policy.load()
    assert (policy.paused_until == FOR_EVER) is scenario.paused
    assert policy.denied == scenario.denied


async def test_an_order_that_comes_twice_is_carried_out_once() -> None:
    places = Places()
    await places.open()
    await places.orders("/pause 2 1h", "/resume 2")
    edge = Edge(places, Fuse(0, False))
    await edge.start()
    async with asyncio.timeout(15):
        await comes_to_rest(places)
    await edge.die()
    await places.orders("/pause 2 1h", "/resume 2")
    assert not (await places.chats.load(ACCOUNT)).orders
    assert len(places.telegram.answers()) == 2


async def test_a_look_up_that_telegram_refuses_for_now_holds_up_no_other_order() -> None:
    def refuse(name: str) -> str | None:
        raise FloodWaited(timedelta(hours=9))

    places = Places(Telegram(find=refuse))
    await places.open()
    await places.orders("/pause @ann", "/pause")
    edge = Edge(places, Fuse(0, False))
    await edge.start()
    async with asyncio.timeout(15):
        await comes_to_rest(places)
    await edge.die()
    assert places.telegram.answers() == [phrases.not_now("en", "@ann"), phrases.paused("en", ALL, ALWAYS)]


async def test_a_chat_whose_record_cannot_be_read_is_named_and_holds_up_no_other() -> None:
    places = Places()
    await places.open()
    stored = await places.records.load(f"{ACCOUNT}.{CHAT}")
    assert stored
    await places.records.save(f"{ACCOUNT}.{CHAT}", b"{}", stored.version)
    await places.orders("/pause 2 1h", "/cancel", "/status", "/queue")
    edge = Edge(places, Fuse(0, False))
    await edge.start()
    async with asyncio.timeout(15):
        while len(places.telegram.answers()) < 4:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.002)
    await edge.die()
    assert places.telegram.answers()[:2] == [phrases.unreadable_chat("en", "2"), phrases.cancelled("en", ALL)]
    assert (await places.chats.load(OTHER)).current is None


async def test_a_policy_that_cannot_be_read_is_started_afresh_by_resume_alone() -> None:
    places = Places()
    await places.open()
    await places.records.save(f"{ACCOUNT}.policy", b"{}", None)
    await places.orders("/pause 1h", "/deny @eve", "/resume", "/deny @eve")
    edge = Edge(places, Fuse(0, False))
    await edge.start()
    async with asyncio.timeout(15):
        await comes_to_rest(places)
    await edge.die()
    assert places.telegram.answers() == [
        phrases.unreadable_policy("en"),
        phrases.unreadable_policy("en"),
        phrases.resumed("en", ALL),
        phrases.denied("en", ["@eve"]),
    ]
