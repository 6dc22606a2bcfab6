"""The index of chats that have something to do: never too few, whoever changes a chat, and whenever a process dies."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge.userbot.chat.record import ChatRecord, Notice, UnreadableRecord
from edge.userbot.driving.resuming import MAX_LOGGED, Resuming
from edge.userbot.storage.chats import Chats
from events.errors import Conflict, TransportError
from events.faults import Fault
from events.memory import MemoryMarks, MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import cancel

RETRYING = Retrying(SystemClock(), Random())


def asked(record: ChatRecord) -> ChatRecord:
    """One more thing to do."""
    return record.having(notices=(*record.notices[-3:], Notice(message_id=1, text="…")))


def done(record: ChatRecord) -> ChatRecord:
    return record.having(notices=()) if record.notices else record


@dataclass
class Stores:
    """What outlives the processes; `loaded` and `marked` are what they did to it."""

    records: MemoryRecords = field(default_factory=MemoryRecords)
    marks: MemoryMarks = field(default_factory=MemoryMarks)

    def process(self) -> Chats:
        return Chats(self.records, self.marks, "1", retrying=RETRYING)

    async def old(self, *chats: str, change: Callable[[ChatRecord], ChatRecord] = asked) -> None:
        """Records of a version that kept no index."""
        other = Chats(self.records, MemoryMarks(), "1", retrying=RETRYING)
        for chat in chats:
            await other.change(chat, change)

    async def marked(self) -> set[str]:
        return set(await self.process().index.chats())


def unheard(chat: str) -> None:
    pass


async def outdated() -> bool:
    return True


async def resumed(chats: Chats) -> list[str]:
    woken: list[str] = []
    await Resuming(chats, RETRYING).resume(woken.append)
    return sorted(woken)


class Shuffled:
    """A store whose calls wait for others at random; after each of its effects `check` is called.

    `lost` is the share of effects that are not answered, the share that do not happen is the same.
    """

    def __init__(
        self, inner: Any, random: Random, check: Callable[[], Awaitable[None]], *effects: str, lost: float = 0.0
    ) -> None:
        self._inner, self._random, self._check, self._effects = inner, random, check, effects
        self._lost = lost

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)

        async def shuffled(*arguments: Any, **options: Any) -> Any:
            await self._others()
            self._may_lose(name)
            result = await found(*arguments, **options)
            if name in self._effects:
                await self._check()
            await self._others()
            self._may_lose(name)
            return result

        return shuffled

    def _may_lose(self, name: str) -> None:
        if name in self._effects and self._random.random() < self._lost:
            raise TransportError("nats: timeout")

    async def _others(self) -> None:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)


@pytest.mark.parametrize("lost", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(60))
async def test_no_order_of_what_processes_do_leaves_a_chat_out(seed, lost) -> None:
    """Two processes change, finish and recheck one chat and build the index at the same time, and are killed.

    With `lost` they do not hear of everything that they did.
    """
    random, stores = Random(seed), Stores()

    async def check() -> None:
        if (await stores.process().load("2")).notices:
            assert await stores.marked()

    def process() -> Chats:
        records = Shuffled(stores.records, random, check, "save", lost=lost)
        marks = Shuffled(stores.marks, random, check, "add", "drop", lost=lost)
        return Chats(records, marks, "1", retrying=Retrying(Now(), random))

    async def works(chats: Chats) -> None:
        for _ in range(6):
            with suppress(*([TransportError] if lost else [])):
                await act(chats, random.choice(["ask", "ask", "done", "done", "recheck", "build"]))

    async def act(chats: Chats, what: str) -> None:
        if what == "recheck":
            await chats.recheck("2")
        elif what == "build":
            await Resuming(chats, Retrying(Now(), random)).complete_index(outdated=outdated)
        else:
            await chats.change("2", asked if what == "ask" else done)

    for _ in range(5):
        one, other = process(), process()
        tasks = [asyncio.create_task(works(chats)) for chats in (one, one, other)]
        for _ in range(random.randrange(150)):
            await asyncio.sleep(0)
        await cancel(tasks[-1] if random.random() < 0.5 else None)
        if random.random() < 0.5:
            await cancel(*tasks)
        await asyncio.gather(*(task for task in tasks if not task.cancelled()))
        await check()


@pytest.mark.parametrize("seed", range(60))
async def test_a_process_that_works_on_while_the_index_is_lost_and_built_again_leaves_no_chat_out(seed) -> None:
    random, stores = Random(seed), Stores()

    async def nothing() -> None:
        pass

    marks = Shuffled(stores.marks, random, nothing)
    chats = Chats(Shuffled(stores.records, random, nothing), marks, "1", retrying=Retrying(Now(), random))
    resuming = Resuming(chats, RETRYING)
    await resuming.complete_index()

    async def works() -> None:
        for _ in range(12):
            await chats.change("2", random.choice([asked, done]))

    keeping = asyncio.create_task(resuming.keep_complete(unheard))
    working = [asyncio.create_task(works()) for _ in range(2)]
    for _ in range(3):
        for _ in range(random.randrange(60)):
            await asyncio.sleep(0)
        lose(stores.marks)
        resuming.on_store_recreated()
    await asyncio.gather(*working)
    async with asyncio.timeout(10):
        while not await stores.process().index.is_complete():  # noqa: ASYNC110 - a store has no event
            await asyncio.sleep(0)
    await cancel(keeping)
    assert await stores.marked() or not (await stores.process().load("2")).notices


class Now(SystemClock):
    """Pauses take no time."""

    async def sleep(self, duration: Any) -> None:
        await asyncio.sleep(0)


async def test_a_chat_is_marked_before_it_has_something_to_do_and_once() -> None:
    stores, writes = Stores(), []
    add, save = stores.marks.add, stores.records.save

    async def adding(key: str) -> int:
        writes.append("add")
        return await add(key)

    async def saving(*arguments: Any) -> int:
        writes.append("save")
        return await save(*arguments)

    stores.marks.add, stores.records.save = adding, saving  # type: ignore[method-assign]
    chats = stores.process()
    for _ in range(3):
        await chats.change("2", asked)
    assert writes == ["add", "save", "save", "save"]
    await chats.change("2", done)
    assert await stores.marked() == set()


async def test_a_save_that_fails_leaves_the_mark(monkeypatch) -> None:
    stores = Stores()
    chats = stores.process()
    await chats.change("2", asked)
    with monkeypatch.context() as patched:
        patched.setattr(stores.records, "save", raising(TransportError("away")))
        with pytest.raises(TransportError):
            await chats.change("2", done)
    assert await stores.marked() == {"2"}
    await chats.change("2", done)
    assert await stores.marked() == set()


async def test_a_mark_that_cant_be_dropped_holds_nothing_up_and_is_dropped_by_the_next_start(monkeypatch) -> None:
    stores = Stores()
    chats = stores.process()
    await chats.change("2", asked)
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(stores.marks, "drop", raising(TransportError("away")))
        await chats.change("2", done)
    assert [line["event"] for line in logs] == ["chat.still_marked"]
    assert await stores.marked() == {"2"}
    assert await resumed(stores.process()) == []
    assert await stores.marked() == set()


def raising(error: Exception) -> Any:
    async def fail(*_: Any) -> None:
        raise error

    return fail


async def test_who_is_about_to_give_a_chat_something_to_do_must_look_again_after_its_mark_was_dropped() -> None:
    """A start rechecks a chat while another process has marked it and not saved yet."""
    stores = Stores()
    await stores.process().change("2", lambda record: asked(record).having(notices=(), deleted_to=1))
    other, rechecked = stores.process(), False
    save = stores.records.save

    async def saving(*arguments: Any) -> int:
        nonlocal rechecked
        if not rechecked:
            rechecked = True
            assert await resumed(stores.process()) == []
        return await save(*arguments)

    stores.records.save = saving  # type: ignore[method-assign]
    await other.change("2", asked)
    assert await stores.marked() == {"2"}


async def test_a_marked_chat_without_a_record_is_forgotten() -> None:
    stores = Stores()
    await stores.process().index.add("2")
    assert await resumed(stores.process()) == []
    assert await stores.marked() == set()


async def test_keys_that_name_no_chat_are_left_alone_in_both_stores() -> None:
    """A start tried each for seconds; the store took `*` for any chat, and refused to save what it had shown."""
    stores = Stores()
    for odd in ("*", ">", "x", "юникод", '"q"', "2.3", "0", "2.", "1" * 20, "x" * 3000):
        await stores.marks.add(f"unfinished.1.{odd}")
        await stores.records.save(f"1.{odd}", b"garbage", None)
    await stores.old("2", "-5")
    resuming = Resuming(stores.process(), RETRYING)
    await resuming.complete_index()
    woken: list[str] = []
    with capture_logs() as logs:
        await resuming.resume(woken.append)
    assert sorted(woken) == ["-5", "2"]
    assert [(line["event"], line["count"]) for line in logs] == [("index.odd_keys", 10), ("chats.resumed", 2)]
    assert len(stores.records._records) == 12


async def test_a_start_reads_only_what_has_something_to_do_and_logs_one_line() -> None:
    stores = Stores()
    chats = stores.process()
    await Resuming(chats, RETRYING).complete_index()
    for number in range(1, 301):
        await chats.change(str(number), asked)
        if number > 40:
            await chats.change(str(number), done)
    read = []
    load = stores.records.load

    async def loading(key: str) -> Any:
        read.append(key)
        return await load(key)

    stores.records.load = loading  # type: ignore[method-assign]
    again = Resuming(stores.process(), RETRYING)
    woken: list[str] = []
    with capture_logs() as logs:
        await again.complete_index()
        await again.resume(woken.append)
    assert sorted(map(int, woken)) == list(range(1, 41))
    assert len(read) == 40
    assert [(line["event"], line["count"]) for line in logs] == [("chats.resumed", 40)]


async def test_the_index_is_built_once_from_the_records_of_earlier_versions() -> None:
    stores = Stores()
    await stores.old("2", "3")
    await stores.old("4", change=lambda record: record.having(deleted_to=1))
    resuming = Resuming(stores.process(), RETRYING)
    await resuming.complete_index()
    assert await stores.marked() == {"2", "3"}
    await stores.old("5")
    await resuming.complete_index()
    assert await stores.marked() == {"2", "3"}
    await resuming.complete_index(outdated=outdated)
    assert await stores.marked() == {"2", "3", "5"}


async def test_unreadable_records_are_named_by_every_start_but_not_without_end() -> None:
    stores = Stores()
    for number in range(1, MAX_LOGGED + 11):
        await stores.records.save(f"1.{number}", b"garbage", None)
    await stores.old("2000")
    for _ in range(2):
        resuming = Resuming(stores.process(), RETRYING)
        await resuming.complete_index()
        woken: list[str] = []
        with capture_logs() as logs:
            await resuming.resume(woken.append)
        assert woken == ["2000"]
        assert [line["event"] for line in logs].count("chat.unreadable") == MAX_LOGGED
        assert logs[-1]["unreadable"] == MAX_LOGGED + 10


async def test_an_index_that_was_lost_is_built_again_also_when_it_is_lost_meanwhile() -> None:
    stores = Stores()
    chats = stores.process()
    resuming = Resuming(chats, RETRYING)
    await resuming.complete_index()
    for number in range(1, 51):
        await chats.change(str(number), asked)
    lose(stores.marks)
    load, loads = stores.records.load, 0

    async def loading(key: str) -> Any:
        nonlocal loads
        loads += 1
        if loads == 30:
            lose(stores.marks)
        return await load(key)

    stores.records.load = loading  # type: ignore[method-assign]
    keeping = asyncio.create_task(resuming.keep_complete(unheard))
    resuming.on_store_recreated()
    async with asyncio.timeout(10):
        while not await chats.index.is_complete():  # noqa: ASYNC110 - a store has no event
            await asyncio.sleep(0.001)
    await cancel(keeping)
    assert len(await stores.marked()) == 50


async def test_a_chat_whose_mark_is_lost_while_its_record_is_saved_is_marked_again() -> None:
    stores = Stores()
    chats, save = stores.process(), stores.records.save

    async def saving(*arguments: Any) -> int:
        lose(stores.marks)
        await Resuming(chats, RETRYING).complete_index()
        return await save(*arguments)

    stores.records.save = saving  # type: ignore[method-assign]
    await chats.change("2", asked)
    assert await stores.marked() == {"2"}


async def test_two_processes_that_build_the_index_at_the_same_time_both_come_to_an_end() -> None:
    stores = Stores()
    await stores.old(*map(str, range(1, 21)))
    async with asyncio.timeout(10):
        await asyncio.gather(*(Resuming(stores.process(), RETRYING).complete_index() for _ in range(2)))
    assert len(await stores.marked()) == 20


async def test_a_build_marks_a_chat_also_if_a_change_that_failed_has_put_a_lost_mark_back(monkeypatch) -> None:
    stores = Stores()
    chats = stores.process()
    await chats.change("2", asked)
    created_at = chats.index.created_at

    async def making() -> datetime:
        mark = await chats.index.version("2")
        assert mark is not None
        lose(stores.marks)
        chats.index.restore("2", mark)
        return await created_at()

    monkeypatch.setattr(chats.index, "created_at", making)
    await Resuming(chats, RETRYING).complete_index()
    assert await stores.marked() == {"2"}


async def test_chats_that_a_start_did_not_see_as_the_index_was_lost_just_then_are_taken_up_once_it_is_built() -> None:
    stores, woken = Stores(), asyncio.Queue[str]()
    await stores.old("2", "3")
    resuming = Resuming(stores.process(), RETRYING)
    await resuming.complete_index()
    lose(stores.marks)
    await resuming.resume(woken.put_nowait)
    assert woken.empty()
    keeping = asyncio.create_task(resuming.keep_complete(woken.put_nowait))
    resuming.on_store_recreated()
    async with asyncio.timeout(10):
        assert {await woken.get(), await woken.get()} == {"2", "3"}
    resuming.on_store_recreated()
    await asyncio.sleep(0)
    await cancel(keeping)
    assert woken.empty(), "nothing was lost: nobody is woken"


def lose(marks: MemoryMarks) -> None:
    marks._marks.clear()
    marks._created_at += timedelta(seconds=1)


async def test_a_start_waits_for_a_store_that_is_away_for_a_moment(monkeypatch) -> None:
    """One read that took too long ended the process."""
    stores, failures = Stores(), iter(range(3))
    await stores.old("2", "3")
    load = stores.records.load

    async def loading(key: str) -> Any:
        if next(failures, None) is not None:
            raise TransportError("nats: timeout")
        return await load(key)

    monkeypatch.setattr(stores.records, "load", loading)
    woken: list[str] = []
    resuming = Resuming(stores.process(), Retrying(Now(), Random()))
    with capture_logs() as logs:
        await resuming.complete_index()
        await resuming.resume(woken.append)
    assert sorted(woken) == ["2", "3"]
    assert [line["event"] for line in logs].count("chats.not_read") == 1


async def test_a_chat_that_starts_afresh_is_told_again_if_it_becomes_unreadable_again() -> None:
    stores = Stores()
    chats = stores.process()
    await stores.records.save("1.2", b"garbage", None)
    with pytest.raises(UnreadableRecord):
        await chats.change("2", asked)
    assert not await chats.unreadable.was_notified("2")
    await chats.unreadable.mark_notified("2")
    assert await chats.unreadable.was_notified("2")
    record = await chats.start_afresh("2", asked)
    assert record == await chats.load("2") == asked(ChatRecord())
    assert await stores.marked() == {"2"}
    assert not await chats.unreadable.was_notified("2")


async def test_starting_afresh_keeps_what_can_be_read_and_what_another_process_has_written() -> None:
    stores = Stores()
    chats = stores.process()
    await stores.records.save("1.2", b"garbage", None)
    save, first = stores.records.save, True

    async def saving(key: str, value: bytes, version: int | None) -> int:
        nonlocal first
        if first:
            first = False
            await save(key, ChatRecord(deleted_to=7).to_json(), version)
            raise Conflict("another process was faster")
        return await save(key, value, version)

    stores.records.save = saving  # type: ignore[method-assign]
    await chats.start_afresh("2", asked)
    assert (await chats.load("2")).deleted_to == 7


async def test_a_chat_whose_record_the_store_cant_read_is_left_out_and_the_others_are_taken_up(monkeypatch) -> None:
    stores = Stores()
    for chat in ("2", "3", "4"):
        await stores.process().change(chat, asked)
    load = stores.records.load

    async def loading(key: str) -> Any:
        if key == "1.3":
            raise TransportError("nats: the message is broken", Fault.UNKNOWN)
        return await load(key)

    monkeypatch.setattr(stores.records, "load", loading)
    woken: list[str] = []
    with capture_logs() as logs:
        await Resuming(stores.process(), Retrying(Now(), Random())).resume(woken.append)
    assert sorted(woken) == ["2", "4"]
    assert [line["chat"] for line in logs if line["event"] == "chat.not_resumed"] == ["3"]
    assert "3" in await stores.marked()


async def test_a_start_does_not_name_every_chat_that_the_store_cant_read(monkeypatch) -> None:
    stores = Stores()
    for number in range(1, MAX_LOGGED + 11):
        await stores.process().change(str(number), asked)
    monkeypatch.setattr(stores.records, "load", raising(TransportError("nats: the message is broken", Fault.FINAL)))
    with capture_logs() as logs:
        assert await resumed(stores.process()) == []
    assert [line["event"] for line in logs].count("chat.not_resumed") == MAX_LOGGED
    assert logs[-1]["failed"] == MAX_LOGGED + 10


async def test_an_index_that_was_there_at_the_start_was_there_also_when_it_is_lost_later() -> None:
    """A catch-up without a watermark asks for it when it begins: is this the first start ever?"""
    stores = Stores()
    await Resuming(stores.process(), RETRYING).complete_index()
    again = Resuming(stores.process(), RETRYING)
    await again.complete_index()
    lose(stores.marks)
    keeping = asyncio.create_task(again.keep_complete(unheard))
    again.on_store_recreated()
    async with asyncio.timeout(10):
        while not await stores.process().index.is_complete():  # noqa: ASYNC110 - a store has no event
            await asyncio.sleep(0)
    await cancel(keeping)
    assert again.index_existed
    assert again.has_run_before


@pytest.mark.parametrize("records", [0, 1])
async def test_a_record_says_that_a_process_has_run_before_even_if_the_index_is_lost(records) -> None:
    stores = Stores()
    await stores.old(*map(str, range(2, 2 + records)))
    resuming = Resuming(stores.process(), RETRYING)
    await resuming.complete_index()
    assert (resuming.index_existed, resuming.has_run_before) == (False, bool(records))


async def test_a_store_that_stays_lost_ends_the_start() -> None:
    stores = Stores()
    stores.marks.is_ours = raising(TransportError("the bucket is gone; run setup", Fault.FATAL))  # type: ignore[method-assign]
    with pytest.raises(TransportError, match="run setup"):
        await Resuming(stores.process(), Retrying(Leaping(), Random())).complete_index()


async def test_a_store_that_is_lost_after_a_long_build_has_as_long_to_come_back() -> None:
    stores = Stores()
    await stores.old("2")
    retrying = Retrying(Leaping(), Random())
    each, reads = stores.records.each, []

    async def reading(*arguments: Any, **options: Any) -> None:
        reads.append(1)
        if len(reads) == 1:
            await retrying.clock.sleep(timedelta(seconds=60))
            raise TransportError("the bucket is gone; run setup", Fault.FATAL)
        await each(*arguments, **options)

    stores.records.each = reading  # type: ignore[method-assign]
    await Resuming(stores.process(), retrying).complete_index()
    assert await stores.marked() == {"2"}


class Leaping(Now):
    """A minute passes in each pause."""

    passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, duration: Any) -> None:
        self.passed += 60
