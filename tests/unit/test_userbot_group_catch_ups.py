"""Each listed supergroup is caught up with by itself: none holds up or harms another."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import structlog

from edge.userbot.chat.incoming import Incoming
from edge.userbot.driving.messenger import MessengerError
from edge.userbot.intake.account_updates import Gap, GroupChange, LiveChange, NotShown
from edge.userbot.intake.catch_up import CatchUp
from edge.userbot.intake.group_catch_ups import GroupCatchUps
from edge.userbot.people import People
from edge.userbot.rules import Rules
from edge.userbot.storage.watermark import Watermark, group_key
from events.memory import MemoryRecords
from tests.unit.test_userbot_catch_up import RETRYING, FakeAccount, message

FIRST, SECOND, OTHER = "-1000000000001", "-1000000000002", "-1000000000003"


@dataclass
class Groups:
    """The supergroups of one account, and what was taken in of each."""

    listed: set[str] = field(default_factory=lambda: {FIRST, SECOND})
    accounts: dict[str, FakeAccount] = field(default_factory=lambda: {one: FakeAccount(5) for one in (FIRST, SECOND)})
    records: MemoryRecords = field(default_factory=MemoryRecords)
    got: dict[str, list[int]] = field(default_factory=lambda: {FIRST: [], SECOND: []})
    uncounted: list[int] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> "Groups":
        self.groups = GroupCatchUps(
            lambda: self.listed,
            self._open,
            lambda content: self.uncounted.append(content.message_id),
            clock=RETRYING.clock,
        )
        self.tasks.append(asyncio.create_task(self.groups.run()))
        return self

    def _open(self, group: str, anew: bool) -> CatchUp:
        async def receive(content: Incoming) -> None:
            self.got[group].append(content.message_id)

        return CatchUp(
            self.accounts[group],
            Watermark(self.records, group_key("1", group), retrying=RETRYING),
            receive,
            retrying=RETRYING,
            window=timedelta(minutes=10),
            known_since=self.records.created_at,
            group=group,
            begins_anew=anew,
        )

    async def saved(self, group: str, pts: int) -> None:
        state = await Watermark(self.records, group_key("1", group), retrying=RETRYING).load()
        assert state
        assert state.pts == pts

    async def leaves(self, group: str) -> None:
        async with asyncio.timeout(10):
            while group in self.groups._groups:  # noqa: ASYNC110 - nothing outside shows it
                await asyncio.sleep(0.01)

    async def is_saved(self, group: str, pts: int) -> None:
        watermark = Watermark(self.records, group_key("1", group), retrying=RETRYING)
        async with asyncio.timeout(10):
            while (state := await watermark.load()) is None or state.pts != pts:  # noqa: ASYNC110 - records have no event
                await asyncio.sleep(0.01)

    def happens(self, group: str, number: int, *, live: bool = True) -> None:
        if group in self.accounts:
            self.accounts[group].pts = number
        if live:
            self.groups.put(GroupChange(group, LiveChange(number, 1, message(number))))

    async def gets(self, group: str, *numbers: int) -> None:
        async with asyncio.timeout(10):
            while self.got[group] != list(numbers):  # noqa: ASYNC110 - polled on purpose: the list must end up as it is
                await asyncio.sleep(0.01)

    async def caught_up(self) -> None:
        async with asyncio.timeout(10):
            await self.groups.wait_until_caught_up()

    async def die(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
async def groups() -> AsyncIterator[Groups]:
    groups = Groups()
    yield groups
    await groups.die()


async def test_every_group_counts_by_itself_and_what_others_contain_is_taken_as_it_comes(groups) -> None:
    groups.start()
    await groups.caught_up()
    groups.happens(FIRST, 6)
    groups.happens(SECOND, 6)
    groups.happens(OTHER, 99)
    groups.groups.put(GroupChange(OTHER, Gap("too long")))
    groups.groups.put(GroupChange(OTHER, LiveChange(100, 1)))
    await groups.gets(FIRST, 6)
    await groups.gets(SECOND, 6)
    assert groups.uncounted == [99]


async def test_what_was_missed_while_nothing_ran_is_fetched_from_where_each_group_was(groups) -> None:
    groups.start()
    await groups.caught_up()
    groups.happens(FIRST, 6)
    await groups.gets(FIRST, 6)
    await groups.groups.stop()
    await groups.die()
    await groups.saved(FIRST, 6)
    await groups.saved(SECOND, 5)
    groups.happens(FIRST, 8, live=False)
    groups.happens(SECOND, 6, live=False)
    groups.start()
    await groups.caught_up()
    assert groups.got == {FIRST: [6, 7, 8], SECOND: [6]}


async def test_a_gap_of_all_makes_every_group_fetch(groups) -> None:
    groups.start()
    await groups.caught_up()
    for group in (FIRST, SECOND):
        groups.happens(group, 7, live=False)
    groups.groups.put(GroupChange(None, Gap("too long")))
    await groups.gets(FIRST, 6, 7)
    await groups.gets(SECOND, 6, 7)


async def test_a_group_that_is_not_shown_rests_until_something_of_it_comes(groups) -> None:
    groups.start()
    await groups.caught_up()
    groups.happens(FIRST, 6, live=False)
    groups.accounts[FIRST].faults = [NotShown("CHANNEL_PRIVATE"), NotShown("CHANNEL_PRIVATE")]
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            groups.groups.put(GroupChange(FIRST, Gap("changed")))
            async with asyncio.timeout(10):
                while not groups.groups._groups[FIRST]._rests:  # noqa: ASYNC110 - a flag has no event
                    await asyncio.sleep(0.01)
        groups.happens(SECOND, 6)
        await groups.gets(SECOND, 6)
        assert groups.got[FIRST] == []
        groups.happens(FIRST, 7)
        await groups.gets(FIRST, 6, 7)
    assert [line["log_level"] for line in lines if line["event"] == "group.not_shown"] == ["warning", "debug"]


async def test_a_group_that_is_not_shown_or_does_not_answer_holds_up_nothing_at_a_start(groups) -> None:
    async def never() -> None:
        raise NotShown("CHANNEL_PRIVATE")

    async def stuck() -> None:
        raise MessengerError("RPC_CALL_FAIL")

    groups.accounts[FIRST].state, groups.accounts[SECOND].state = never, stuck
    groups.start()
    await groups.caught_up()
    groups.happens(SECOND, 6)
    await groups.gets(SECOND, 6)


async def test_the_list_changes_while_it_runs(groups) -> None:
    groups.listed = {FIRST}
    groups.start()
    await groups.caught_up()
    groups.happens(SECOND, 6)
    assert groups.uncounted == [6]
    groups.listed = {SECOND}
    async with asyncio.timeout(10):
        while not await groups.records.load(group_key("1", SECOND)):  # noqa: ASYNC110 - records have no event
            await asyncio.sleep(0.01)
    await groups.saved(FIRST, 5)
    groups.happens(SECOND, 7)
    await groups.gets(SECOND, 7)
    groups.happens(FIRST, 6)
    assert groups.uncounted == [6, 6]


async def test_what_was_written_in_a_group_while_it_was_not_listed_is_not_taken_in(groups) -> None:
    groups.start()
    await groups.caught_up()
    groups.happens(FIRST, 6)
    await groups.gets(FIRST, 6)
    groups.listed = {SECOND}
    await groups.leaves(FIRST)
    groups.happens(FIRST, 7, live=False)
    groups.listed = {FIRST, SECOND}
    await groups.is_saved(FIRST, 7)
    groups.happens(FIRST, 8)
    await groups.gets(FIRST, 6, 8)


def test_the_groups_to_follow_are_those_of_listed_topics_too() -> None:
    rules = Rules(groups=People.of([FIRST, f"{SECOND}t45", f"{SECOND}t46", "-5", "@somebody", "contacts"]))
    assert rules.supergroups == {FIRST, SECOND}
