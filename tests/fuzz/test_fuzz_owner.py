"""Any story of two users, the owner, workers, Telegram and an edge that dies keeps every promise, and comes to rest."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from structlog.testing import capture_logs

from edge.userbot.chat.incoming import Typing
from edge.userbot.delays import NO_DELAY, Delay
from edge.userbot.people import NO_LIST, People
from edge.userbot.quiet_hours import QuietHours
from edge.userbot.rules import Rules
from edge.userbot.triggers import NO_TRIGGERS, Triggers
from events.ids import RequestId
from events.runtime.retrying import Retrying
from events.transport import Channel
from tests.fuzz.owner.promises import DELETED, Promises
from tests.fuzz.owner.telegram import ANNA, BORIS, OWNER, Fault, Post, Telegram
from tests.fuzz.owner.world import World
from tests.unit.conftest import VirtualClock, VirtualLoop

CHATS = st.sampled_from([ANNA.id, BORIS.id])


def mostly(usual: object, *others: object) -> st.SearchStrategy[object]:
    return st.sampled_from([usual] * 5 * len(others) + list(others))


RULES = st.builds(
    Rules,
    when_busy=st.sampled_from(["ignore", "queue"]),
    live=st.booleans(),
    approve=st.sampled_from(["off", "off", "all", "new", "listed"]),
    approve_list=st.just(People.of(["contacts"])),
    approve_expired=st.sampled_from(["drop", "send"]),
    owner_pause=st.sampled_from([timedelta(minutes=10), timedelta(0)]),
    max_answers=mostly(20, 2),
    max_answers_per_day=mostly(0, 2),
    max_answers_per_day_for_all=mostly(0, 3),
    quiet_hours=mostly((), (QuietHours.parse("12:30-15:00"),)),
    allow=mostly(NO_LIST, People.of(["contacts"]), People.of([BORIS.id])),
    deny=mostly(NO_LIST, People.of(["@anna"])),
    refused=st.sampled_from(["silence", "line"]),
    triggers=st.sampled_from(
        [NO_TRIGGERS, *(Triggers.of([one]) for one in ("private", "private", "questions", "any:50%"))]
    ),
    delay=mostly(NO_DELAY, Delay.parse("5"), Delay.parse("10-60")),
    thinking=st.sampled_from(["line", "reaction", "typing"]),
    max_without_prefix=mostly(60, 2),
)
QUESTIONS = ["Тимоха, вопрос №{id}.", "Тимоха, /pause №{id}.", "Тимоха, +\n/cancel №{id}."]
SAID = ["вопрос №{id}.", "и ещё №{id}.", "а №{id}. есть?"]
COMMANDS = ["Тимоха,", "/help", "/delete_history", "/delete_history", "/set_context_length 3", "привет", "/pause"]
ORDERS = st.sampled_from(
    [
        *("/pause", "/pause 10m", "/pause @anna 2h", f"/pause {BORIS.id}", "/resume", "/resume @anna"),
        *("/cancel", "/cancel @anna", f"/cancel {BORIS.id}", f"/deny {ANNA.id}", f"/deny {BORIS.id}"),
        *(f"/allow {ANNA.id}", f"/allow {BORIS.id}", "/status", "/queue", "/limits", "/help", "/what", "заметка"),
    ]
)
ANY_FAULT = st.sampled_from(["lost", "lost", "away", "away", "flooded", "unknown", "refused", "spam", None])
FAULTS = st.lists(ANY_FAULT, min_size=1, max_size=4)
REPLIES = st.sampled_from(["ответ на {}", "/pause {}", "+ {}", "long", "blank", "failed"])
WHICH = st.integers(0, 5)
AT_ONCE = st.sampled_from([0.0, 0.0, 0.05, 0.3, 2.0, 2.0])
TIMES = st.sampled_from([0.1, 1.0, 15.0, 100.0, 400.0, 3700.0, 30_000.0, 90_000.0])
OUR_FAULTS = {
    "driver.fault", "driver.gave_up", "driver.stopped", "message.dropped", "message.not_stored",
    "reply.fault", "reply.dropped", "chat.unreadable",
}  # fmt: skip


class Story(RuleBasedStateMachine):
    """After each act the edge gets some time, or none; `Promises` watch what is shown meanwhile."""

    @initialize(rules=RULES, latency=st.sampled_from([0.0, 0.1]), lag=st.sampled_from([0.0, 0.25]), busy=st.booleans())
    def begins(self, rules: Rules, latency: float, lag: float, busy: bool) -> None:
        clock = VirtualClock()
        self.loop, self.failed, self.workers_reply = VirtualLoop(), False, busy
        self.telegram = Telegram(clock.now, latency)
        self.world = World(Retrying(clock, Random(7)), self.telegram, rules, lag)
        self.promises = promises = Promises(self.telegram, rules, self.world.replied, self.world.questions)
        self.world.taking = promises.on_taking
        self.telegram.about_to_show, self.telegram.posted = promises.on_show, promises.on_posted

        async def open_all() -> None:
            self.workers = self.loop.create_task(self.world.run_workers())
            await self.world.marks.add("built.10001")
            await self.world.start()

        self._happens(open_all)

    def _happens(self, act: Callable[[], Awaitable[object] | object], then: float = 0.0) -> None:
        with capture_logs() as logs:
            self.loop.run_until_complete(self._live(act, then))
        self.promises.check_outcomes()
        faults = [entry for entry in logs if entry["event"] in OUR_FAULTS]
        self._demand(not faults, f"{faults}")

    async def _live(self, act: Callable[[], Awaitable[object] | object], then: float) -> None:
        done = act()
        if isinstance(done, Awaitable):
            await done
        await self.world.retrying.clock.sleep(timedelta(seconds=then))
        if self.world.life and self.world.life.fuse.blown.is_set():
            await self.world.die()

    def _demand(self, holds: bool, why: str = "") -> None:
        if not holds or self.promises.broken:
            self.failed = True
            raise AssertionError("\n".join([why, *self.promises.broken, *map(str, self.telegram.posts.values())]))

    @rule(chat=CHATS, text=st.sampled_from(QUESTIONS), then=AT_ONCE)
    def user_asks(self, chat: str, text: str, then: float) -> None:
        self._happens(lambda: self.telegram.post(chat, "user", text), then)

    @rule(chat=CHATS, text=st.sampled_from(QUESTIONS), reply=REPLIES, then=AT_ONCE)
    def user_asks_and_worker_replies(self, chat: str, text: str, reply: str, then: float) -> None:
        self._happens(lambda: self.telegram.post(chat, "user", text), 1.0)
        if self.world.asked:
            self._happens(lambda: self._reply(self.world.asked[-1].request_id, reply), then)

    @rule(chat=CHATS, text=st.sampled_from(QUESTIONS + SAID[:1] * 3), between=AT_ONCE, then=AT_ONCE)
    def user_asks_and_owner_writes(self, chat: str, text: str, between: float, then: float) -> None:
        self._happens(lambda: self.telegram.post(chat, "user", text), between)
        self._happens(lambda: self.telegram.post(chat, "owner", "сам отвечу"), then)

    @rule(
        chat=CHATS,
        texts=st.lists(st.sampled_from([*SAID * 2, QUESTIONS[0]]), min_size=1, max_size=4),
        between=AT_ONCE,
        types=st.booleans(),
        then=AT_ONCE,
    )
    def user_writes_without_prefix(self, chat: str, texts: list[str], between: float, types: bool, then: float) -> None:
        for text in texts:
            self._happens(lambda text=text: self.telegram.post(chat, "user", text), between)
            self._happens(lambda: self._types(chat) if types else None)
        self._happens(lambda: None, then)

    def _types(self, chat: str) -> None:
        if self.world.life:
            self.world.life.drivers.note_typing(Typing(chat, chat))

    def said(self) -> list[Post]:
        return [post for post in self.telegram.posts.values() if post.by == "user" and not post.deleted][-4:]

    @precondition(lambda self: self.said())
    @rule(which=WHICH, then=AT_ONCE)
    def user_edits(self, which: int, then: float) -> None:
        post = self.said()[which % len(self.said())]
        self._happens(lambda: self.telegram.edits(post), then)

    @precondition(lambda self: self.said())
    @rule(which=WHICH, then=AT_ONCE)
    def user_deletes(self, which: int, then: float) -> None:
        post = self.said()[which % len(self.said())]
        self._happens(lambda: self.telegram.deletes(post), then)

    @rule(chat=CHATS, text=st.sampled_from(COMMANDS), then=AT_ONCE)
    def user_commands(self, chat: str, text: str, then: float) -> None:
        self._happens(lambda: self.telegram.post(chat, "user", text), then)

    @rule(chat=CHATS, text=st.sampled_from(["сам отвечу", ""]), then=AT_ONCE)
    def owner_writes(self, chat: str, text: str, then: float) -> None:
        self._happens(lambda: self.telegram.post(chat, "owner", text), then)

    @rule(text=ORDERS, then=AT_ONCE)
    def owner_orders(self, text: str, then: float) -> None:
        self._happens(lambda: self.telegram.post(OWNER, "owner", text), then)

    def drafts(self) -> list[Post]:
        return [post for post in self.telegram.ours(OWNER) if not post.meant and not post.deleted]

    @precondition(lambda self: self.drafts())
    @rule(which=WHICH, text=st.sampled_from(["+", "+", "👍", "-", "мой ответ", "/status"]), then=AT_ONCE)
    def owner_decides(self, which: int, text: str, then: float) -> None:
        draft = self.drafts()[-1 - which % len(self.drafts())]
        self._happens(lambda: self.telegram.post(OWNER, "owner", text, draft.id), then)

    @precondition(lambda self: self.drafts())
    @rule(texts=st.permutations(["+", "-", "мой ответ"]), between=AT_ONCE, then=AT_ONCE)
    def owner_changes_their_mind(self, texts: list[str], between: float, then: float) -> None:
        draft = self.drafts()[-1].id
        self._happens(lambda: self.telegram.post(OWNER, "owner", texts[0], draft), between)
        self._happens(lambda: self.telegram.post(OWNER, "owner", texts[1], draft), then)

    @precondition(lambda self: self.telegram.posts)
    @rule(which=WHICH)
    def somebody_deletes(self, which: int) -> None:
        posts = list(self.telegram.posts.values())
        self.telegram.deletes(posts[-1 - which % len(posts)])

    @precondition(lambda self: self.world.asked)
    @rule(which=WHICH, text=REPLIES, then=AT_ONCE)
    def worker_replies(self, which: int, text: str, then: float) -> None:
        request = self.world.asked[which % len(self.world.asked)]
        self._happens(lambda: self._reply(request.request_id, text), then)

    async def _reply(self, request_id: str, text: str) -> None:
        texts = {"long": " ".join(f"{request_id}/{n}" for n in range(400)), "blank": "\u200b", "failed": None}
        request = next(request for request in self.world.asked if request.request_id == request_id)
        self.promises.replied_at[request_id] = self.telegram.now()
        await self.world.reply(request, texts.get(text, text.format(request_id)))

    @precondition(lambda self: self.world.asked)
    @rule(which=WHICH, sequence=st.integers(1, 9), then=AT_ONCE)
    def worker_writes(self, which: int, sequence: int, then: float) -> None:
        request = self.world.asked[which % len(self.world.asked)]
        self._happens(lambda: self.world.write(request, f"ответ на {'…' * sequence}", sequence), then)

    @rule(faults=FAULTS)
    def telegram_fails(self, faults: list[Fault]) -> None:
        self.telegram.faults.extend(faults)

    @precondition(lambda self: self.world.life)
    @rule(effects=st.integers(0, 8), after=st.booleans())
    def edge_will_die(self, effects: int, after: bool) -> None:
        assert self.world.life
        self.world.life.die_at(effects, after=after)

    @precondition(lambda self: self.world.life)
    @rule()
    def edge_dies(self) -> None:
        self._happens(self.world.die)

    @precondition(lambda self: not self.world.life)
    @rule(then=AT_ONCE)
    def edge_starts(self, then: float) -> None:
        self._happens(self.world.start, then)

    @rule(seconds=TIMES)
    def time_passes(self, seconds: float) -> None:
        self._happens(lambda: None, seconds)

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            if not self.failed:
                self._comes_to_rest()
        finally:
            self.loop.run_until_complete(self._close())
            self.loop.close()

    async def _close(self) -> None:
        await self.world.die()
        self.workers.cancel()

    def _comes_to_rest(self) -> None:
        self.telegram.faults.clear()
        if self.world.life:
            self.world.life.fuse.at = 0
        for _ in range(2):  # it may have been dying
            self._happens(self.world.start, 600)
        for _ in range(30):
            self._happens(self._reply_to_all, 3 * 3600)
            if not (self.world.asked and self.workers_reply):
                break
        self._happens(lambda: None, 24 * 3600)
        self._happens(self._check_rest)
        self.promises.check_end()
        self._demand(holds=True)

    async def _reply_to_all(self) -> None:
        for request in list(self.world.asked) if self.workers_reply else ():
            await self._reply(request.request_id, "ответ на {}")

    async def _check_rest(self) -> None:
        for chat in (ANNA.id, BORIS.id, OWNER):
            record = await self.world.record(chat)
            busy = record.current or record.waiting or record.bursts or record.notices or record.withdrawn
            drafts = [draft for draft in record.drafts if not draft.closed]
            self._demand(
                not (busy or record.recalled or record.orders or drafts or record.erasing), f"{chat} is stuck: {record}"
            )
            await self._check_forgotten(chat)
        self._demand(not await self.world.marks.keys("unfinished."), "a mark is left")

    async def _check_forgotten(self, chat: str) -> None:
        record = await self.world.record(chat)
        takings = self.promises.takings.items()
        deleted = [n for n, taking in takings if taking.effect in DELETED and self.telegram.posts[n].chat == chat]
        for number in range(101, max(deleted, default=0)):
            self._demand(not any(f"№{number}." in turn.text for turn in record.history), f"{number} is remembered")
            for channel in Channel:
                found = await self.world.log.find(channel, RequestId("10001", chat, str(number)))
                self._demand(found is None, f"{number} is in {channel}")


def test_no_story_breaks_a_promise() -> None:
    run_state_machine_as_test(
        Story, settings=settings(max_examples=settings.default.max_examples * 3 // 2, stateful_step_count=20)
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_stories_break_no_promise() -> None:
    run_state_machine_as_test(Story, settings=settings(max_examples=10_000, stateful_step_count=30))
