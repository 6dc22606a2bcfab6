"""An answer that needs approval has one outcome, and its draft disappears, whenever the edge dies.

`docs/delivery.md` has the same points as a table.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from edge.userbot import draft_phrases, phrases
from edge.userbot.chat.incoming import Incoming, Message, OwnMessage
from edge.userbot.chat.record import ChatRecord
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.formatting.messages import split
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.intake import Intake
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.people import Person
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from events.runtime.retrying import Retrying
from events.schema import Sampling
from events.transport import Channel
from observability.telemetry import noop_telemetry
from tests.crashes.places import Places as Stores
from tests.crashes.stories import MOST_EFFECTS, in_virtual_time
from tests.fuses import Fuse, Fused

ACCOUNT = OWNER = "1"
CHAT = "2"
LONG = " ".join(str(number) for number in range(1200))
ANNA = Person(id=CHAT, name="Анна")


@dataclass
class Telegram:
    """An account's messages, which have ids in common, and what it is told of them.

    It has forgotten every random id. `shut`: nobody may look into its chats, as with a bot, which is not told of its
    own messages either; then it remembers random ids.
    """

    now: Callable[[], datetime]
    shut: bool = False
    by_random_id: dict[int, int] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    messages: list[Message] = field(default_factory=list)
    deleted: set[int] = field(default_factory=set)

    def texts(self, chat: str, *, gone: bool = False) -> list[str]:
        """What the account wrote there; `gone`: also what is deleted."""
        ours = [message for message in self.messages if isinstance(message, OwnMessage) and message.chat == chat]
        return [message.text for message in ours if gone or message.message_id not in self.deleted]

    def user_says(self, text: str) -> None:
        self.messages.append(Incoming(ACCOUNT, CHAT, len(self.messages) + 1, text, "ru", self.now(), sender=ANNA))

    def add(self, chat: str, text: str, reply_to: int | None) -> int:
        """The account writes, from whichever session."""
        number = len(self.messages) + 1
        self.messages.append(OwnMessage(ACCOUNT, chat, number, text, self.now(), reply_to))
        return number

    def drafts(self) -> list[int]:
        """The messages in the owner's chat that are the last of a draft."""
        ours = [message for message in self.messages if isinstance(message, OwnMessage) and message.chat == OWNER]
        ends = draft_phrases.how_to_decide("ru")
        return [one.message_id for one in ours if one.text.endswith(ends) and one.message_id not in self.deleted]

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        if self.shut and random_id in self.by_random_id:
            return self.by_random_id[random_id]
        number = self.by_random_id[random_id] = self.add(chat, message.text, reply_to)
        self.sent.add(number)
        return number

    async def delete(self, chat: str, message_id: int) -> None:
        self.deleted.add(message_id)

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        wanted = (chat, text, reply_to)
        ours = [message for message in self.messages if isinstance(message, OwnMessage) and not self.shut]
        found = (one.message_id for one in ours if (one.chat, one.text, one.reply_to) == wanted)
        return next(found, None)

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        return False

    async def typing(self, chat: str) -> None:
        raise AssertionError("nobody may see that an answer is being prepared")


@dataclass
class Places(Stores):
    """`taken`: messages that were taken in."""

    taken: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.telegram = Telegram(self.retrying.clock.now)

    async def record_of(self, chat: str) -> ChatRecord:
        return await Chats(self.records, self.marks, ACCOUNT, retrying=self.retrying).load(chat)

    async def rests(self) -> bool:
        one, owners = await self.record_of(CHAT), await self.record_of(OWNER)
        open_drafts = [draft for draft in owners.drafts if not draft.closed]
        busy = one.current or one.waiting or one.notices or one.recalled or one.erasing
        return not (busy or owners.orders or owners.notices or owners.withdrawn or open_drafts)


@dataclass
class Life:
    """One life of the edge."""

    places: Places
    fuse: Fuse
    rules: Rules
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def start(self) -> None:
        places, fuse, retrying = self.places, self.fuse, self.places.retrying
        records, marks = Fused(places.records, fuse, "save"), Fused(places.marks, fuse, "add", "drop")
        ports = Ports(
            account=ACCOUNT,
            chats=Chats(records, marks, ACCOUNT, retrying=retrying),
            log=Fused(places.log, fuse, "publish", "erase", "erase_chat"),
            messenger=Fused(places.telegram, fuse, "send", "delete"),
            sampling=Sampling(),
            deadline=self.rules.deadline,
            telemetry=noop_telemetry(),
            retrying=retrying,
            rules=lambda: self.rules,
            owner_chat=OWNER,
        )
        self.drivers = Drivers(ports)
        self.intake = Intake(ports, self.drivers, lambda: self.rules)
        self.own_intake = OwnIntake(ports, self.drivers, lambda: self.rules)
        replies = places.log.subscribe(Channel.REPLIES, "edge", lease=timedelta(seconds=0.1))
        self.drivers.hold()
        await self.drivers.resume()
        self.tasks = [
            asyncio.create_task(self._take_in()),
            asyncio.create_task(Replies(ports, self.drivers, replies).run()),
        ]

    async def _take_in(self) -> None:
        """Each message again until it is stored, as catching up does."""
        places = self.places
        while True:
            while places.taken < len(places.telegram.messages):
                message = places.telegram.messages[places.taken]
                if isinstance(message, OwnMessage):
                    if not (places.telegram.shut and message.message_id in places.telegram.sent):
                        await self.own_intake.receive(message)
                else:
                    await self.intake.receive(message)
                places.taken += 1
            self.drivers.release()
            await asyncio.sleep(0.002)

    async def die(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.drivers.stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        marked = bool(await self.places.marks.keys("unfinished."))
        assert marked or await self.places.rests(), f"not in the index after {self.fuse.journal}"


Act = Callable[[Telegram], Coroutine[Any, Any, None]]


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - it may become true anywhere
        await asyncio.sleep(0.002)


def owner_replies(text: str) -> Act:
    async def act(telegram: Telegram) -> None:
        await until(telegram.drafts)
        telegram.add(OWNER, text, telegram.drafts()[-1])

    return act


def user_says(text: str) -> Act:
    """Once a message of a draft is shown."""

    async def act(telegram: Telegram) -> None:
        await until(lambda: telegram.texts(OWNER))
        telegram.user_says(text)

    return act


def user_adds_and_owner_approves(text: str) -> Act:
    async def act(telegram: Telegram) -> None:
        await user_says(text)(telegram)
        await until(lambda: any(f" {text.partition(' ')[2]}»" in shown for shown in telegram.texts(OWNER)))
        await owner_replies("+")(telegram)

    return act


async def owner_answers(telegram: Telegram) -> None:
    """In the chat itself."""
    await until(telegram.drafts)
    telegram.add(CHAT, "сам отвечу", None)


async def nobody_does_anything(telegram: Telegram) -> None:
    pass


@dataclass(frozen=True)
class Scenario:
    """The user asks `раз`, then `act` happens. In the end `said` is in the user's chat and `told` in the owner's."""

    act: Act
    said: list[str]
    told: list[str]
    history: int = 2
    answer: Callable[[str], str | None] = lambda text: f"ответ на {text}"
    rules: Rules = field(default_factory=lambda: Rules(approve="all", live=True))


def expiring(expired: Any) -> Rules:
    return Rules(approve="all", approve_for=timedelta(seconds=0.15), approve_expired=expired)


SENT = draft_phrases.sent("ru", "Анна")
SCENARIOS = {
    "approved": Scenario(owner_replies("+"), ["ответ на раз"], [SENT]),
    "approved, in several parts": Scenario(owner_replies("+"), split(LONG), [SENT], answer=lambda text: LONG),
    "rejected": Scenario(owner_replies("-"), [], [draft_phrases.rejected("ru", "Анна")], history=0),
    "replaced": Scenario(owner_replies("Это я"), ["Это я"], [draft_phrases.replaced("ru", "Анна")]),
    "a failure replaced": Scenario(
        owner_replies("Это я"), ["Это я"], [draft_phrases.replaced("ru", "Анна")], answer=lambda text: None
    ),
    "expired and dropped": Scenario(nobody_does_anything, [], [], history=0, rules=expiring("drop")),
    "expired and sent": Scenario(nobody_does_anything, ["ответ на раз"], [], rules=expiring("send")),
    "joined by a question, approved": Scenario(
        user_adds_and_owner_approves("Тимоха, два"), ["ответ на раз\nдва"], [SENT]
    ),
    "the history deleted": Scenario(
        user_says("/delete_history"),
        [phrases.deleted("ru", cancelled=True)],
        [],
        history=0,
        answer=lambda text: LONG,
    ),
    "taken over by the owner": Scenario(owner_answers, ["сам отвечу"], [], history=0),
}


@pytest.mark.parametrize("shut", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["open", "shut"])
@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_edge_that_dies_around_anything_it_does_leaves_what_the_next_one_finishes(name, after, shut) -> None:
    for at in range(1, MOST_EFFECTS):
        fuse = Fuse(at, after)
        in_virtual_time(lambda retrying, fuse=fuse: lives_through(SCENARIOS[name], fuse, retrying, shut=shut))
        if not fuse.blown.is_set():
            assert at > 12
            return
    pytest.fail("the scenario has no end")


async def lives_through(scenario: Scenario, fuse: Fuse, retrying: Retrying, *, shut: bool) -> None:
    """The scenario holds, whether the fuse blows or not."""
    places = Places(scenario.answer, (), retrying)
    places.telegram.shut = shut
    await places.marks.add(f"built.{ACCOUNT}")
    life = Life(places, fuse, scenario.rules)
    await life.start()
    done = asyncio.create_task(happens(scenario, places))
    others = [asyncio.create_task(places.work()), asyncio.create_task(fuse.blown.wait())]
    try:
        async with asyncio.timeout(60):
            await asyncio.wait({done, others[1]}, return_when=asyncio.FIRST_COMPLETED)
            if fuse.blown.is_set():
                await life.die()
                life = Life(places, Fuse(0, False), scenario.rules)
                await life.start()
            await done
    except TimeoutError:
        records = await places.record_of(CHAT), await places.record_of(OWNER)
        pytest.fail(f"stuck after {fuse.journal}: {places.telegram.messages}, {records}")
    finally:
        for task in (done, *others):
            task.cancel()
        await life.die()
    assert places.telegram.texts(CHAT) == scenario.said, fuse.journal
    if not (shut and fuse.at):
        left = [text for text in places.telegram.texts(OWNER) if text not in (*scenario.told, "+", "-", "Это я")]
        assert not left, fuse.journal
    assert [text for text in places.telegram.texts(OWNER, gone=True) if text in scenario.told] == scenario.told
    assert len((await places.record_of(CHAT)).history) == scenario.history


async def happens(scenario: Scenario, places: Places) -> None:
    places.telegram.user_says("Тимоха, раз")
    await scenario.act(places.telegram)
    said = len(places.telegram.messages)
    while True:
        await asyncio.sleep(0.02)
        # Nothing more may come of what is still under way.
        if places.taken == len(places.telegram.messages) == said and await places.rests():
            await asyncio.sleep(0.1)
            if places.taken == len(places.telegram.messages) == said and await places.rests():
                return
        said = len(places.telegram.messages)
