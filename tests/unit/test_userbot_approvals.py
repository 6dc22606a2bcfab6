"""Approval as the drivers carry it out, in the asking chat and in the owner's."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from edge.userbot import draft_phrases, phrases
from edge.userbot.chat.drafts import draft_shown_by
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.record import MAX_DRAFTS, NO_MESSAGE, ChatRecord, Draft, Order, Unconfirmed
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.approvals import Approvals
from edge.userbot.driving.drivers import Drivers
from edge.userbot.driving.messenger import MessengerError, Undeliverable
from edge.userbot.driving.outbox import Outbox
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.intake.intake import Intake
from edge.userbot.people import Person
from edge.userbot.rules import Rules
from edge.userbot.storage.chats import Chats
from events.event import Event
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.runtime.retrying import Retrying
from events.schema import FailureReason, FinishReason, GenerationCompleted, GenerationFailed, Sampling
from events.transport import Channel
from observability.telemetry import noop_telemetry

ACCOUNT = OWNER = "1"
CHAT = "2"
BOSS = "42"
"""A bot's owner."""
HOUR = timedelta(hours=1)
ANNA = Person(id=CHAT, name="Анна")
LONG = "слово. " * 1200


@dataclass
class Telegram:
    """Any number of chats, which fold repeated random ids. `refused`: chats to which nothing can be sent."""

    messages: dict[int, tuple[str, str, int | None]] = field(default_factory=dict)
    by_random_id: dict[int, int] = field(default_factory=dict)
    refused: dict[str, Exception] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)
    formatted: list[FormattedText] = field(default_factory=list)
    outcome: bool = False

    def texts(self, chat: str) -> list[str]:
        return [text for where, text, _ in self.messages.values() if where == chat]

    def ids(self, chat: str) -> list[int]:
        return [number for number, (where, *_) in self.messages.items() if where == chat]

    async def send(
        self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int, buttons: object = ()
    ) -> int:
        if error := self.refused.get(chat):
            raise error
        if random_id not in self.by_random_id:
            self.by_random_id[random_id] = 1001 + len(self.by_random_id)
            self.messages[self.by_random_id[random_id]] = chat, message.text, reply_to
            self.formatted.append(message)
        return self.by_random_id[random_id]

    async def delete(self, chat: str, message_id: int) -> None:
        self.messages.pop(message_id, None)

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        wanted = (chat, text, reply_to)
        return next((number for number, message in self.messages.items() if message == wanted), None)

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        return self.outcome

    async def typing(self, chat: str) -> None:
        self.typed.append(chat)


async def never() -> None:
    raise AssertionError


class World:
    """One life of the edge. `answers` are the worker's, None for a failure."""

    def __init__(self, retrying: Retrying, rules: Rules, *, owner_chat: str | None = OWNER) -> None:
        self.retrying, self.rules, self.owner_chat = retrying, rules, owner_chat
        self.clock = retrying.clock
        self.telegram, self.log = Telegram(), MemoryLog(clock=retrying.clock)
        self.records, self.marks = MemoryRecords(), MemoryMarks()
        self.numbers = iter(range(1, 100))
        self.by_bot = False
        self.tasks: list[asyncio.Task[Any]] = []
        self.start()

    def start(self) -> None:
        self.ports = Ports(
            account=ACCOUNT,
            chats=Chats(self.records, self.marks, ACCOUNT, retrying=self.retrying),
            log=self.log,
            messenger=self.telegram,  # type: ignore[arg-type]
            sampling=Sampling(),
            deadline=self.rules.deadline,
            telemetry=noop_telemetry(),
            retrying=self.retrying,
            rules=lambda: self.rules,
            owner_chat=self.owner_chat,
            by_bot=self.by_bot,
        )
        self.drivers = Drivers(self.ports)
        self.intake = Intake(self.ports, self.drivers, lambda: self.rules)
        replies = self.log.subscribe(Channel.REPLIES, "edge", lease=timedelta(seconds=1))
        self.tasks = [asyncio.create_task(Replies(self.ports, self.drivers, replies).run())]

    async def die(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.drivers.stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def restart(self) -> None:
        await self.die()
        self.start()
        await self.drivers.resume()

    async def says(self, text: str, chat: str = CHAT) -> Effect:
        number = next(self.numbers)
        return await self.intake.receive(Incoming(ACCOUNT, chat, number, text, "ru", self.clock.now(), sender=ANNA))

    async def answer(self, message_id: int, text: str | None) -> None:
        request_id = f"{ACCOUNT}.{CHAT}.{message_id}.0"
        data: Any = GenerationFailed(request_id=request_id, reason=FailureReason.EMPTY)
        if text is not None:
            data = GenerationCompleted(request_id=request_id, text=text, finish_reason=FinishReason.STOP, model="test")
        await self.log.publish(Channel.REPLIES, Event.of(data, source="/test", time=self.clock.now()))

    async def ask(self, text: str | None = "хорошо", question: str = "Тимоха, как дела?") -> None:
        """Until the draft of the answer is shown."""
        await self.says(question)
        await self.answer(1, text)
        await self.until(lambda record: any(draft.shown for draft in record.drafts), OWNER)

    async def reply(self, text: str, to: int | None = None, number: int = 500) -> str:
        """As the owner, to the last message of the newest draft."""
        record = await self.record(OWNER)
        draft = draft_shown_by(record, to or record.drafts[-1].message_ids[-1])
        assert draft
        outbox = Outbox(
            OWNER, self.ports.messenger, self.ports.telemetry.spans, check_first=False, flooded=never, forbidden=never
        )
        order = Order(message_id=number, text=text, date=self.clock.now())
        return await Approvals(OWNER, self.ports, outbox, self.drivers.wake).decide(order, draft)

    async def record(self, chat: str = CHAT) -> ChatRecord:
        return await self.ports.chats.load(chat)

    async def until(self, condition: Callable[[ChatRecord], object], chat: str = CHAT) -> ChatRecord:
        async with asyncio.timeout(600):
            while not condition(record := await self.record(chat)):  # noqa: ASYNC110 - records have no event
                await asyncio.sleep(0.05)
        return record

    async def rest(self) -> None:
        """Until nothing is left to do, in either chat."""
        await self.until(lambda record: not (record.current or record.recalled or record.notices))
        await self.until(lambda record: not record.withdrawn, OWNER)


Story = Callable[[World], Awaitable[None]]


@pytest.fixture
def lives(virtually) -> Callable[..., None]:
    """`lives(story, approve="all")` tells the story in virtual time."""

    def run(story: Story, *, owner_chat: str | None = OWNER, **rules: Any) -> None:
        async def life(retrying: Retrying) -> None:
            world = World(retrying, Rules(**{"approve": "all", **rules}), owner_chat=owner_chat)
            try:
                await story(world)
            finally:
                await world.die()

        virtually(life)

    return run


def test_until_the_owner_decides_the_chat_sees_nothing_not_even_typing(lives) -> None:
    async def story(world: World) -> None:
        await world.ask()
        await world.clock.sleep(timedelta(minutes=30))
        assert world.telegram.texts(CHAT) == []
        assert world.telegram.typed == []
        (draft,) = world.telegram.texts(OWNER)
        assert draft.startswith("Черновик ответа. Спрашивает Анна: «как дела?»\n\nхорошо\n\n")

    lives(story, live=True)


def test_an_approved_answer_is_sent_once_as_a_reply_to_the_question_and_the_draft_disappears(lives) -> None:
    async def story(world: World) -> None:
        await world.ask()
        assert await world.reply("+") == draft_phrases.sent("ru", "Анна")
        await world.rest()
        assert list(world.telegram.messages.values()) == [(CHAT, "хорошо", 1)]
        assert [turn.text for turn in (await world.record()).history] == ["как дела?", "хорошо"]

    lives(story)


def test_a_rejected_answer_is_never_sent_and_the_chat_is_free_at_once(lives) -> None:
    async def story(world: World) -> None:
        await world.ask()
        assert await world.reply("-") == draft_phrases.rejected("ru", "Анна")
        await world.rest()
        assert world.telegram.messages == {}
        assert await world.says("Тимоха, ещё") is Effect.ASKED

    lives(story)


def test_the_owners_own_text_is_sent_and_kept_in_place_of_the_answer(lives) -> None:
    async def story(world: World) -> None:
        await world.ask()
        assert await world.reply("Привет, это *я*") == draft_phrases.replaced("ru", "Анна")
        await world.rest()
        assert world.telegram.texts(CHAT) == ["Привет, это *я*"]
        assert [turn.text for turn in (await world.record()).history] == ["как дела?", "Привет, это *я*"]

    lives(story)


def test_a_long_draft_comes_in_several_messages_any_of_which_may_be_replied_to(lives) -> None:
    async def story(world: World) -> None:
        await world.ask(LONG)
        first, *_, last = world.telegram.ids(OWNER)
        assert first != last
        await world.reply("+", to=first)
        await world.rest()
        assert world.telegram.texts(OWNER) == []
        assert " ".join(world.telegram.texts(CHAT)).split() == LONG.split()

    lives(story)


def test_a_reply_that_is_no_decision_changes_nothing_and_says_how_to_decide(lives) -> None:
    async def story(world: World) -> None:
        await world.ask()
        for text in ("", "/status"):
            assert await world.reply(text) == draft_phrases.unclear("ru")
        assert (await world.record()).current
        assert world.telegram.texts(CHAT) == []

    lives(story)


def test_a_second_decision_is_told_that_it_is_too_late_but_a_repeated_one_is_not(lives) -> None:
    async def story(world: World) -> None:
        await world.ask()
        shown = world.telegram.ids(OWNER)[0]
        await world.reply("+", to=shown)
        await world.rest()
        assert await world.reply("-", to=shown, number=501) == draft_phrases.over("ru")
        assert await world.reply("+", to=shown, number=500) == draft_phrases.sent("ru", "Анна")
        assert world.telegram.texts(CHAT) == ["хорошо"]

    lives(story)


@pytest.mark.parametrize(("expired", "said"), [("drop", []), ("send", ["хорошо"])])
def test_a_draft_that_is_not_decided_in_time_is_dropped_or_sent_as_the_owner_has_set(lives, expired, said) -> None:
    async def story(world: World) -> None:
        await world.ask()
        await world.clock.sleep(HOUR - timedelta(seconds=30))
        assert len(world.telegram.texts(OWNER)) == 1
        await world.clock.sleep(timedelta(minutes=1))
        await world.rest()
        assert world.telegram.texts(CHAT) == said
        assert world.telegram.texts(OWNER) == []

    lives(story, approve_expired=expired)


def test_a_failure_is_shown_to_the_owner_and_never_sent_by_itself(lives) -> None:
    async def story(world: World) -> None:
        await world.ask(None)
        (draft,) = world.telegram.texts(OWNER)
        assert phrases.failure("ru", FailureReason.EMPTY) in draft
        await world.clock.sleep(HOUR)
        await world.rest()
        assert world.telegram.messages == {}

    lives(story, approve_expired="send")


def test_without_an_answer_before_the_deadline_the_owner_may_still_answer(lives) -> None:
    async def story(world: World) -> None:
        await world.says("Тимоха, как дела?")
        await world.until(lambda record: any(draft.shown for draft in record.drafts), OWNER)
        await world.reply("сам")
        await world.rest()
        assert world.telegram.texts(CHAT) == ["сам"]

    lives(story)


def test_a_new_question_joins_the_draft_and_one_answer_is_shown_for_both(lives) -> None:
    async def story(world: World) -> None:
        await world.ask()
        first = world.telegram.ids(OWNER)
        assert await world.says("Тимоха, а погода?") is Effect.JOINED
        await world.answer(2, "ясно")
        await world.until(lambda record: len([draft for draft in record.drafts if draft.shown]) == 2, OWNER)
        await world.until(lambda record: not record.withdrawn, OWNER)
        (draft,) = world.telegram.texts(OWNER)
        assert "«как дела? а погода?»" in draft
        assert await world.reply("+", to=first[0], number=501) == draft_phrases.over("ru")
        await world.reply("+")
        await world.rest()
        assert list(world.telegram.messages.values()) == [(CHAT, "ясно", 2)]
        assert [turn.text for turn in (await world.record()).history] == ["как дела?\nа погода?", "ясно"]

    lives(story)


def test_deleting_the_history_deletes_the_draft_in_the_owners_chat(lives) -> None:
    async def story(world: World) -> None:
        await world.ask(LONG)
        await world.says("/delete_history")
        await world.rest()
        assert world.telegram.texts(OWNER) == []
        assert world.telegram.texts(CHAT) == [phrases.deleted("ru", cancelled=True)]

    lives(story)


def test_a_chat_that_starts_afresh_as_its_record_cant_be_read_leaves_no_draft_in_the_owners_chat(lives) -> None:
    async def story(world: World) -> None:
        await world.ask(LONG)
        stored = await world.records.load(f"{ACCOUNT}.{CHAT}")
        await world.records.save(f"{ACCOUNT}.{CHAT}", b"nonsense", stored.version if stored else None)
        assert world.telegram.texts(OWNER)
        await world.says("/delete_history")
        await world.rest()
        assert world.telegram.texts(OWNER) == []
        assert all(draft.closed for draft in (await world.record(OWNER)).drafts)
        assert world.telegram.texts(CHAT) == [phrases.deleted("ru", cancelled=False)]

    lives(story)


def test_an_owners_record_that_cannot_be_read_keeps_no_chat_from_starting_afresh(lives) -> None:
    async def story(world: World) -> None:
        for chat in (OWNER, CHAT):
            await world.records.save(f"{ACCOUNT}.{chat}", b"nonsense", None)
        assert await world.says("/delete_history") is Effect.DELETED

    lives(story)


@pytest.mark.parametrize(
    "error", [Undeliverable("USER_IS_BLOCKED"), MessengerError("Telegram is away")], ids=["refused", "away"]
)
def test_an_owner_who_cannot_be_reached_holds_up_nobody_for_longer_than_the_setting(lives, error) -> None:
    async def story(world: World) -> None:
        world.telegram.refused[OWNER] = error
        await world.says("Тимоха, как дела?")
        await world.answer(1, "хорошо")
        await world.clock.sleep(HOUR + timedelta(minutes=1))
        await world.until(lambda record: not record.current)
        assert await world.says("Тимоха, ещё") is Effect.ASKED

    lives(story)


async def wait_out(world: World) -> None:
    """The draft is nowhere shown; the question expires."""
    await world.says("Тимоха, как дела?")
    await world.answer(1, "хорошо")
    await world.until(lambda record: record.current and record.current.submitted)
    assert world.telegram.messages == {}
    await world.clock.sleep(HOUR + timedelta(minutes=1))
    await world.until(lambda record: not (record.current or record.recalled))


def test_without_an_owners_chat_the_answer_expires(lives) -> None:
    lives(wait_out, owner_chat=None)


def test_with_an_owners_record_that_cannot_be_read_the_answer_expires(lives) -> None:
    async def story(world: World) -> None:
        await world.records.save(f"{ACCOUNT}.{OWNER}", b"nonsense", None)
        await wait_out(world)

    lives(story)


def test_with_as_many_drafts_as_may_wait_a_further_one_expires_unseen(lives) -> None:
    async def story(world: World) -> None:
        drafts = tuple(Draft(chat="9", request_id=f"1.9.{number}.0", shown=True) for number in range(MAX_DRAFTS))
        await world.ports.chats.change(OWNER, lambda record: record.having(drafts=drafts))
        await wait_out(world)

    lives(story)


def test_a_draft_survives_a_restart_and_is_shown_once(lives) -> None:
    async def story(world: World) -> None:
        await world.ask(LONG)
        before = dict(world.telegram.messages)
        await world.restart()
        await world.clock.sleep(timedelta(minutes=1))
        assert world.telegram.messages == before
        await world.reply("+")
        await world.rest()
        assert world.telegram.texts(OWNER) == []

    lives(story)


def test_a_wait_that_a_wrong_clock_has_made_too_long_is_cut_short(lives) -> None:
    async def story(world: World) -> None:
        await world.ask()
        world.rules = Rules(approve="all", approve_for=timedelta(minutes=5))
        await world.restart()
        await world.clock.sleep(timedelta(minutes=6))
        await world.rest()
        assert world.telegram.messages == {}

    lives(story)


async def restored(world: World) -> None:
    """A backup that was made while the draft waited is restored, which creates the index anew."""
    await world.ask()
    await world.die()
    await world.clock.sleep(timedelta(seconds=10))
    world.marks = MemoryMarks(world.clock.now())


def test_after_a_restore_a_draft_whose_answer_is_in_the_chat_is_dropped(lives) -> None:
    async def story(world: World) -> None:
        await restored(world)
        world.telegram.outcome = True
        world.start()
        await world.drivers.resume()
        await world.rest()
        assert world.telegram.messages == {}

    lives(story)


def test_after_a_restore_a_draft_that_may_have_been_rejected_is_not_sent_when_it_expires(lives) -> None:
    async def story(world: World) -> None:
        await restored(world)
        world.start()
        await world.drivers.resume()
        await world.clock.sleep(HOUR)
        await world.rest()
        assert world.telegram.texts(CHAT) == []

    lives(story, approve_expired="send")


def test_a_draft_of_which_the_asking_chat_knows_nothing_is_closed_not_shown(lives) -> None:
    async def story(world: World) -> None:
        draft = Draft(chat=CHAT, request_id="1.2.9.0")
        await world.ports.chats.change(OWNER, lambda record: record.having(drafts=(draft,)))
        world.drivers.wake(OWNER)
        await world.until(lambda record: record.drafts[0].closed, OWNER)
        assert world.telegram.messages == {}

    lives(story)


def test_a_decision_that_was_ordered_in_time_counts_though_it_is_carried_out_later(lives) -> None:
    async def story(world: World) -> None:
        await world.ask()
        (shown,) = world.telegram.ids(OWNER)
        order = Order(message_id=500, text="+", date=world.clock.now(), reply_to=shown)
        await world.die()
        await world.ports.chats.change(OWNER, lambda record: record.having(orders=(order,)))
        await world.clock.sleep(2 * HOUR)
        world.start()
        world.drivers.wake(CHAT)
        await world.until(lambda record: record.history)
        assert world.telegram.texts(CHAT) == ["хорошо"]
        assert (await world.record()).decided_by == 500

    lives(story)


def test_while_drafts_can_not_be_shown_the_owners_commands_are_still_carried_out(lives) -> None:
    async def story(world: World) -> None:
        world.telegram.refused[OWNER] = Undeliverable("refused")
        await world.ask(LONG)
        world.telegram.refused.clear()
        order = Order(message_id=500, text="/pause 1h", date=world.clock.now())
        await world.ports.chats.change(OWNER, lambda record: record.having(orders=(order,)))
        world.drivers.wake(OWNER)
        await world.until(lambda record: not (record.orders or record.notices), OWNER)
        assert (await world.ports.chats.policy.load()).paused_by == "owner"

    lives(story)


def test_a_decision_behind_a_reply_that_was_none_still_counts_when_the_draft_expires(lives) -> None:
    async def story(world: World) -> None:
        await world.ask()
        shown = world.telegram.ids(OWNER)[0]
        await world.die()
        await world.clock.sleep(HOUR)
        orders = tuple(
            Order(message_id=number, text=text, date=world.clock.now(), reply_to=shown)
            for number, text in ((500, "/what"), (501, "+"))
        )
        world.start()
        world.drivers.wake(CHAT)
        await world.ports.chats.change(OWNER, lambda record: record.having(orders=orders))
        await world.rest()
        assert world.telegram.texts(CHAT) == ["хорошо"]

    lives(story)


def test_who_is_the_owner_no_longer_sees_no_draft_and_orders_nothing(lives) -> None:
    async def story(world: World) -> None:
        world.telegram.refused[OWNER] = MessengerError("Telegram is away")
        await world.says("Тимоха, как дела?")
        await world.answer(1, "хорошо")
        await world.until(lambda record: record.drafts, OWNER)
        order = Order(message_id=500, text="/pause", date=world.clock.now())
        await world.ports.chats.change(OWNER, lambda record: record.having(orders=(order,)))
        await world.die()
        world.owner_chat = "3"
        world.telegram.refused.clear()
        world.start()
        await world.drivers.resume()
        await world.until(lambda record: not record.orders and record.drafts[0].closed, OWNER)
        assert world.telegram.texts(OWNER) == []
        assert (await world.ports.chats.policy.load()).paused_until is None

    lives(story)


@pytest.mark.parametrize(("by_bot", "lines"), [(True, [draft_phrases.over("ru")]), (False, [])])
def test_who_replies_to_a_draft_that_a_bot_lost_as_it_was_sent_is_told_that_it_is_over(lives, by_bot, lines) -> None:
    async def story(world: World) -> None:
        world.by_bot = by_bot
        await world.restart()
        world.telegram.refused[BOSS] = MessengerError("Telegram did not answer")
        await wait_out(world)
        world.telegram.refused.clear()
        await world.ports.chats.change(BOSS, lambda record: record.having(orders=(replied(world),)))
        world.drivers.wake(BOSS)
        await world.until(lambda record: not (record.orders or record.notices), BOSS)
        assert world.telegram.texts(BOSS) == lines

    lives(story, owner_chat=BOSS)


def test_who_replies_to_a_draft_of_unknown_id_that_waits_is_not_told_that_it_is_over(lives) -> None:
    async def story(world: World) -> None:
        world.by_bot = True
        await world.restart()
        draft = Draft(chat="9", request_id="1.9.1.0", message_ids=(NO_MESSAGE,), shown=True)
        unnamed = Unconfirmed(digest="draft", reply_to=NO_MESSAGE)
        known = {"drafts": (draft,), "unconfirmed": (unnamed,), "orders": (replied(world),)}
        await world.ports.chats.change(BOSS, lambda record: record.having(**known))
        world.drivers.wake(BOSS)
        await world.until(lambda record: not (record.orders or record.notices), BOSS)
        assert world.telegram.texts(BOSS) == []

    lives(story, owner_chat=BOSS)


def replied(world: World) -> Order:
    """To a message that no record knows."""
    return Order(message_id=500, text="+", date=world.clock.now(), reply_to=499)
