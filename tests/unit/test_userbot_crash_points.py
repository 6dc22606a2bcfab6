"""The edge dies before or after every single thing that it does to the world; the next start makes it good.

`docs/delivery.md` has the same points as a table.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from edge.userbot import phrases
from edge.userbot.chat.incoming import Incoming, Message, OwnMessage
from edge.userbot.chat.record import ChatRecord
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.messenger import Undeliverable
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.formatting.messages import formatted_messages, split
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.account_updates import LiveChange, UpdatesDifference, UpdatesState
from edge.userbot.intake.catch_up import CatchUp
from edge.userbot.intake.intake import Intake
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.people import People
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from edge.userbot.storage.watermark import Watermark
from events.errors import Conflict
from events.event import Event
from events.ids import RequestId
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import (
    FailureReason,
    FinishReason,
    GenerationCompleted,
    GenerationFailed,
    GenerationProgressed,
    Sampling,
)
from events.transport import Channel
from observability.telemetry import noop_telemetry
from tests.fuses import Fuse, Fused

ACCOUNT, CHAT = "1", "2"
LONG = " ".join(str(number) for number in range(1200))
MARKED = "\n".join(f"* **{number}** и `{number}`" for number in range(400))
"""Cut elsewhere if it is plain."""
MOST_EFFECTS = 60
AT_ONCE = 8
RETRYING = Retrying(SystemClock(), Random())


class FusedSubscription:
    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse
        self.lease = inner.lease

    async def fetch(self, limit: int, timeout: timedelta) -> list[Any]:
        return [Fused(delivery, self._fuse, "ack", "discard") for delivery in await self._inner.fetch(limit, timeout)]


@dataclass
class Telegram:
    """The chat, and the account's changes; it has forgotten every random id.

    `ago`: how old everything is when it comes.
    `shut`: nobody may look into the chat, as with a bot; then the random ids are remembered.
    `takes_drafts`: answers may grow in live drafts. `drafts`: their texts.
    """

    shut: bool = False
    takes_drafts: bool = False
    drafts: list[str] = field(default_factory=list)
    ago: timedelta = timedelta(0)
    by_random_id: dict[int, int] = field(default_factory=dict)
    texts: list[tuple[str, int | None]] = field(default_factory=list)
    questions: list[Incoming] = field(default_factory=list)
    changes: list[Message] = field(default_factory=list)
    live: Callable[[LiveChange], None] = lambda change: None
    deleted: set[int] = field(default_factory=set)

    def user_says(self, text: str) -> None:
        number = len(self.questions) + 1
        self.questions.append(Incoming(ACCOUNT, CHAT, number, text, "ru", datetime.now(UTC) - self.ago))
        self._changed(self.questions[-1])

    def owner_says(self, text: str) -> None:
        """From another device."""
        self.texts.append((text, None))
        self._show_own(text, None)

    def _show_own(self, text: str, reply_to: int | None) -> None:
        self._changed(OwnMessage(ACCOUNT, CHAT, 1000 + len(self.texts), text, datetime.now(UTC) - self.ago, reply_to))

    def _changed(self, message: Message) -> None:
        self.changes.append(message)
        self.live(LiveChange(len(self.changes), 1, message))

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        if self.shut and random_id in self.by_random_id:
            return self.by_random_id[random_id]
        self.texts.append((message.text, reply_to))
        self.by_random_id[random_id] = 1000 + len(self.texts)
        self._show_own(message.text, reply_to)
        return self.by_random_id[random_id]

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        seen = (text, reply_to) in self.texts and not self.shut
        return 1001 + self.texts.index((text, reply_to)) if seen else None

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        if self.shut:
            return False
        direct = [1001 + at for at, (_, replied) in enumerate(self.texts) if replied == message_id]
        told = thinking is not None and any(self.texts[id_ - 1001][0] not in thinking for id_ in direct)
        return told or any(replied in direct for _, replied in self.texts)

    async def edit(self, chat: str, message_id: int, message: FormattedText) -> None:
        if message_id in self.deleted:
            raise Undeliverable("MESSAGE_ID_INVALID")
        self.texts[message_id - 1001] = (message.text, self.texts[message_id - 1001][1])

    async def preview(self, chat: str, message_id: int, message: FormattedText) -> bool:
        await self.edit(chat, message_id, message)
        return True

    def takes_live_drafts(self, chat: str) -> bool:
        return self.takes_drafts

    async def live_draft(self, chat: str, random_id: int, message: FormattedText) -> bool:
        self.drafts.append(message.text)
        return True

    async def delete(self, chat: str, message_id: int) -> None:
        self.deleted.add(message_id)

    async def find_chat(self, name: str) -> str | None:
        return name if name == CHAT else None

    async def wrote_first(self, chat: str) -> bool | None:
        return None if self.shut else True

    async def typing(self, chat: str) -> None:
        pass

    async def state(self) -> UpdatesState:
        return UpdatesState(pts=len(self.changes))

    async def difference(self, since: UpdatesState) -> UpdatesDifference:
        return UpdatesDifference(await self.state(), self.changes[since.pts :], complete=True)

    async def recent(self, since: datetime) -> list[Message]:
        return self.changes


@dataclass
class Places:
    """What outlives the edge, a worker included."""

    answer: Callable[[str], str | None]
    telegram: Telegram = field(default_factory=Telegram)
    log: MemoryLog = field(default_factory=lambda: MemoryLog(clock=SystemClock()))
    chats: MemoryRecords = field(default_factory=MemoryRecords)
    marks: MemoryMarks = field(default_factory=MemoryMarks)
    watermarks: MemoryRecords = field(default_factory=MemoryRecords)
    hear: Callable[[Event], None] = lambda event: None

    async def work(self) -> None:
        """`answer` gives the reply's text for a question's, None fails it, and "" leaves it without a reply."""
        requests = self.log.subscribe(Channel.REQUESTS, "generate", lease=timedelta(seconds=60))
        while True:
            for delivery in await requests.fetch(1, timedelta(seconds=1)):
                request = delivery.event.data()
                text = self.answer(request.turns[-1].text)
                if text and request.live:
                    await self.write(request.request_id, text)
                data: Any = GenerationFailed(request_id=request.request_id, reason=FailureReason.REJECTED)
                if text:
                    data = GenerationCompleted(
                        request_id=request.request_id, text=text, finish_reason=FinishReason.STOP, model="test"
                    )
                if text != "":
                    await self.log.publish(Channel.REPLIES, Event.of(data, source="/test", time=datetime.now(UTC)))

    async def write(self, request_id: str, text: str) -> None:
        """Until an edge has shown the first words, or none is there that could."""
        words = text.partition(" ")[0]
        for sequence in range(1, 20):
            event = Event.of(
                GenerationProgressed(request_id=request_id, text=words, sequence=sequence),
                source="/test",
                time=datetime.now(UTC),
            )
            self.hear(event)
            if words in self.telegram.drafts or any(said == words for said, _ in self.telegram.texts):
                return
            await asyncio.sleep(0.005)

    async def open(self) -> None:
        """An edge has been here before: what it had not seen yet when it died is fetched."""
        await Watermark(self.watermarks, ACCOUNT, retrying=RETRYING).save(UpdatesState(pts=0))
        await self.marks.add(f"built.{ACCOUNT}")

    async def record(self) -> ChatRecord:
        return await Chats(self.chats, self.marks, ACCOUNT, retrying=RETRYING).load(CHAT)


@dataclass
class Life:
    """One life of the edge."""

    places: Places
    fuse: Fuse
    rules: Rules
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def start(self) -> None:
        places, fuse = self.places, self.fuse
        ports = Ports(
            account=ACCOUNT,
            chats=Chats(
                Fused(places.chats, fuse, "save"), Fused(places.marks, fuse, "add", "drop"), ACCOUNT, retrying=RETRYING
            ),
            log=Fused(places.log, fuse, "publish", "erase", "erase_chat"),
            messenger=Fused(places.telegram, fuse, "send", "edit", "preview", "live_draft", "delete"),
            sampling=Sampling(),
            deadline=self.rules.deadline,
            telemetry=noop_telemetry(),
            retrying=RETRYING,
            owner_chat=ACCOUNT,
        )
        self.drivers = Drivers(ports)
        watermark = Watermark(Fused(places.watermarks, fuse, "save"), ACCOUNT, retrying=RETRYING)
        intake = Intake(ports, self.drivers, lambda: self.rules)
        own_intake = OwnIntake(ports, self.drivers, lambda: self.rules)

        async def receive(message: Message) -> None:
            if isinstance(message, OwnMessage):
                await own_intake.receive(message)
            else:
                await intake.receive(message)

        catch_up = CatchUp(
            places.telegram,
            watermark,
            receive,
            retrying=RETRYING,
            window=timedelta(minutes=10),
            known_since=ports.chats.created_at,
        )
        replies = places.log.subscribe(Channel.REPLIES, "edge", lease=timedelta(seconds=0.1))

        async def run() -> None:
            self.drivers.hold()
            await self.drivers.resume()
            places.telegram.live = catch_up.put
            places.hear = self.drivers.take_progress
            await asyncio.gather(
                catch_up.run(), release(), Replies(ports, self.drivers, FusedSubscription(replies, fuse)).run()
            )

        async def release() -> None:
            await catch_up.wait_until_caught_up()
            self.drivers.release()

        self.tasks = [asyncio.create_task(run())]

    async def die(self) -> None:
        """Whatever has something to do then is in the index."""
        self.places.telegram.live = lambda change: None
        self.places.hear = lambda event: None
        for task in self.tasks:
            task.cancel()
        await self.drivers.stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        marked = bool(await self.places.marks.keys("unfinished."))
        assert marked or rests(await self.places.record()), f"not in the index after {self.fuse.journal}"


@dataclass(frozen=True)
class Scenario:
    """`user` says each text once the one before it is in the record; `holds` is what must be true in the end.

    `owner`: what the owner writes after that.
    """

    user: tuple[str, ...]
    holds: Callable[[Places, ChatRecord], bool]
    answer: Callable[[str], str | None] = lambda text: f"ответ на {text}"
    rules: Rules = field(default_factory=Rules)
    deleted: frozenset[int] = frozenset()
    owner: str = ""
    drafts: tuple[bool, bool] = (False, False)
    """Whether the chat takes live drafts, of the first process and of the next."""


def replies(places: Places) -> list[str]:
    """What was said to the user, without thinking lines."""
    thinking = {phrases.thinking("ru", f"1.2.{number}.0") for number in range(1, 9)}
    return [text for text, _ in places.telegram.texts if text not in thinking]


def thoughts(places: Places) -> int:
    return len(places.telegram.texts) - len(replies(places))


def rests(record: ChatRecord) -> bool:
    return not (record.current or record.waiting or record.notices or record.erasing or record.withdrawn)


SCENARIOS = {
    "an answer in several parts": Scenario(
        ("Тимоха, раз",),
        lambda places, record: (
            replies(places) == split(LONG) and thoughts(places) == 1 and [t.text for t in record.history][1:] == [LONG]
        ),
        answer=lambda text: LONG,
    ),
    "a formatted answer in several parts": Scenario(
        ("Тимоха, раз",),
        lambda places, record: (
            replies(places) == [part.text for part in formatted_messages(MARKED, formatted=True)]
            and thoughts(places) == 1
            and [t.text for t in record.history][1:] == [MARKED]
        ),
        answer=lambda text: MARKED,
    ),
    "a failure": Scenario(
        ("Тимоха, раз",),
        lambda places, record: (
            replies(places) == [phrases.failure("ru", FailureReason.REJECTED)] and thoughts(places) == 1
        ),
        answer=lambda text: None,
    ),
    "a live answer in several parts": Scenario(
        ("Тимоха, раз",),
        lambda places, record: (
            [text for text, _ in places.telegram.texts] == split(LONG)
            and [t.text for t in record.history][1:] == [LONG]
        ),
        answer=lambda text: LONG,
        rules=Rules(live=True),
    ),
    "a live failure": Scenario(
        ("Тимоха, раз",),
        lambda places, record: (
            [text for text, _ in places.telegram.texts] == [phrases.failure("ru", FailureReason.REJECTED)]
        ),
        answer=lambda text: None,
        rules=Rules(live=True),
    ),
    "a live answer whose thinking line the user has deleted": Scenario(
        ("Тимоха, раз",),
        lambda places, record: (
            replies(places) == ["ответ на раз"] and thoughts(places) == 1 and places.telegram.texts[-1][1] == 1
        ),
        rules=Rules(live=True),
        deleted=frozenset({1001}),
    ),
    "live questions that wait for each other": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda places, record: (
            [text for text, _ in places.telegram.texts] == ["ответ на раз", "ответ на два"] and len(record.history) == 4
        ),
        rules=Rules(when_busy="queue", live=True),
    ),
    "an answer that grows in a live draft": Scenario(
        ("Тимоха, раз",),
        lambda places, record: (
            [text for text, _ in places.telegram.texts] == split(LONG)
            and [t.text for t in record.history][1:] == [LONG]
        ),
        answer=lambda text: LONG,
        rules=Rules(live=True),
        drafts=(True, True),
    ),
    "a live draft of which the next process must make messages": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda places, record: (
            [text for text, _ in places.telegram.texts] == ["ответ на раз", "ответ на два"] and len(record.history) == 4
        ),
        rules=Rules(when_busy="queue", live=True),
        drafts=(True, False),
    ),
    "a thinking line in a chat that takes live drafts from the next process": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda places, record: (
            [text for text, _ in places.telegram.texts] == ["ответ на раз", "ответ на два"] and len(record.history) == 4
        ),
        rules=Rules(when_busy="queue", live=True),
        drafts=(False, True),
    ),
    "a deletion while a live answer is being written": Scenario(
        ("Тимоха, раз", "/delete_history"),
        lambda places, record: 1 <= len(places.telegram.texts) <= 2 and record.history == (),
        answer=lambda text: "",
        rules=Rules(live=True),
    ),
    "no reply before the deadline": Scenario(
        ("Тимоха, раз",),
        lambda places, record: replies(places) == [phrases.failure("ru", phrases.DEADLINE)] and thoughts(places) <= 1,
        answer=lambda text: "",
        rules=Rules(deadline=timedelta(seconds=0.15)),
    ),
    "questions that wait for each other": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda places, record: (
            replies(places) == ["ответ на раз", "ответ на два"] and thoughts(places) == 2 and len(record.history) == 4
        ),
        rules=Rules(when_busy="queue"),
    ),
    "an owner who takes over": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda places, record: (
            replies(places) == ["сам отвечу"]
            and thoughts(places) <= 1
            and len(places.telegram.deleted) == thoughts(places)
            and record.history == ()
        ),
        answer=lambda text: "",
        rules=Rules(when_busy="queue"),
        owner="сам отвечу",
    ),
    "an owner who cuts an answer of several parts short": Scenario(
        ("Тимоха, раз",),
        lambda places, record: "хватит" in replies(places),
        answer=lambda text: LONG,
        owner="хватит",
    ),
    "the last answer of the day of all chats": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda places, record: (
            sorted(replies(places)) == sorted(["ответ на раз", phrases.refusal("ru", phrases.DAY_LIMIT)])
            and thoughts(places) == 1
        ),
        rules=Rules(max_answers_per_day_for_all=1, refused="line"),
    ),
    "somebody denied who wants to be forgotten": Scenario(
        ("Тимоха, раз", "/delete_history", "/help"),
        lambda places, record: (
            replies(places) == [phrases.refusal("ru", phrases.REFUSED_PERSON)]
            and thoughts(places) == 0
            and record.deleted_to == 2
        ),
        rules=Rules(deny=People.of(["2"]), refused="line"),
    ),
    "commands": Scenario(
        ("/set_context_length 7", "/help"),
        lambda places, record: len(replies(places)) == 2 and record.settings.context_length == 7,
    ),
    "a deletion while a question is being answered": Scenario(
        ("Тимоха, раз", "/delete_history"),
        lambda places, record: (
            replies(places)[-1] in {phrases.deleted("ru", cancelled=True), phrases.deleted("ru", cancelled=False)}
            and len(replies(places)) <= 2
            and record.history == ()
        ),
        answer=lambda text: "",
    ),
}


WITH_SHUT_CHATS = {"an answer in several parts", "commands"}
"""Those that run each time: the rest of them is slow."""
LIVES = [
    *(pytest.param(name, False, id=name) for name in SCENARIOS),
    *(
        pytest.param(name, True, id=f"{name}, shut", marks=() if name in WITH_SHUT_CHATS else pytest.mark.slow)
        for name in SCENARIOS
    ),
]


@pytest.mark.parametrize(("name", "shut"), LIVES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_edge_that_dies_around_anything_it_does_leaves_what_the_next_one_finishes(name, shut, after) -> None:
    scenario = SCENARIOS[name]
    for first in range(1, MOST_EFFECTS, AT_ONCE):
        # Lives mostly wait. Each has ports of its own.
        fuses = [Fuse(at, after) for at in range(first, first + AT_ONCE)]
        await asyncio.gather(*(lives_through(scenario, fuse, shut=shut) for fuse in fuses))
        if unharmed := [fuse for fuse in fuses if not fuse.blown.is_set()]:
            assert unharmed[0].at > 4
            # A harness that shows no growing text would test nothing of it.
            grows = scenario.rules.live and bool(scenario.answer("раз"))
            assert ("Telegram.preview" in unharmed[0].journal) is (grows and not scenario.drafts[0])
            assert ("Telegram.live_draft" in unharmed[0].journal) is scenario.drafts[0]
            return
    pytest.fail("the scenario has no end")


async def lives_through(scenario: Scenario, fuse: Fuse, *, shut: bool) -> None:
    """The scenario holds, whether the fuse blows or not."""
    places = Places(scenario.answer, Telegram(shut=shut, takes_drafts=scenario.drafts[0]))
    places.telegram.deleted = set(scenario.deleted)
    await places.open()
    worker = asyncio.create_task(places.work())
    life = Life(places, fuse, scenario.rules)
    await life.start()
    talking = asyncio.create_task(talk(scenario, places))
    done = asyncio.create_task(comes_true(scenario, places, talking))
    blown = asyncio.create_task(fuse.blown.wait())
    try:
        async with asyncio.timeout(15):
            await asyncio.wait({done, blown}, return_when=asyncio.FIRST_COMPLETED)
            if fuse.blown.is_set():
                await life.die()
                places.telegram.takes_drafts = scenario.drafts[1]
                life = Life(places, Fuse(0, False), scenario.rules)
                await life.start()
            await done
    except TimeoutError:
        pytest.fail(f"stuck after {fuse.journal}: {replies(places)}, {await places.record()}")
    finally:
        for task in (worker, talking, done, blown):
            task.cancel()
        await life.die()


async def talk(scenario: Scenario, places: Places) -> None:
    for number, text in enumerate(scenario.user, 1):
        places.telegram.user_says(text)
        while number not in (await places.record()).seen:  # noqa: ASYNC110 - records have no event
            await asyncio.sleep(0.002)
    if scenario.owner:
        places.telegram.owner_says(scenario.owner)
        while (await places.record()).paused_until is None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.002)


async def comes_true(scenario: Scenario, places: Places, talking: asyncio.Task[None]) -> None:
    await talking
    while not (rests(record := await places.record()) and scenario.holds(places, record)):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.002)
    # Nothing more may come of what is still under way: replies that come again, messages that are fetched again.
    said = list(places.telegram.texts)
    await asyncio.sleep(0.15)
    assert places.telegram.texts == said
    record = await places.record()
    assert rests(record)
    assert (record.paused_until is not None) is bool(scenario.owner), "our own message was taken for the owner's"
    assert not await places.marks.keys("unfinished."), "a chat at rest is looked at by every start"


async def test_what_was_asked_before_a_deletion_is_gone_from_the_streams_after_a_crash_at_any_point() -> None:
    scenario = SCENARIOS["a deletion while a question is being answered"]
    for at in range(1, 12):
        places = Places(scenario.answer)
        await places.open()
        fuse = Fuse(at, True)
        life = Life(places, fuse, scenario.rules)
        await life.start()
        talking = asyncio.create_task(talk(scenario, places))
        blown = asyncio.create_task(fuse.blown.wait())
        await asyncio.wait({blown, talking}, return_when=asyncio.FIRST_COMPLETED)
        await life.die()
        life = Life(places, Fuse(0, False), scenario.rules)
        await life.start()
        async with asyncio.timeout(10):
            await comes_true(scenario, places, talking)
        blown.cancel()
        await life.die()
        assert await places.log.find(Channel.REQUESTS, RequestId(ACCOUNT, CHAT, "1")) is None


def test_the_fused_records_still_refuse_what_lost_a_race() -> None:
    """The harness must not hide conflicts: they are part of the promise."""

    async def lose() -> None:
        records = Fused(MemoryRecords(), Fuse(0, False), "save")
        await records.save("k", b"1", None)
        with pytest.raises(Conflict):
            await records.save("k", b"2", None)

    asyncio.run(lose())
