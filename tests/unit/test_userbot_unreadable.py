"""A chat whose record can't be read is left out, its user is told once, and `/delete_history` starts it afresh."""

import asyncio
import json
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from edge.userbot import phrases
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.messenger import FloodWaited, MessengerError, Undeliverable
from edge.userbot.rules import Rules
from events.errors import TransportError
from events.faults import Fault
from events.ids import RequestId
from events.runtime.retrying import Retrying
from events.transport import Channel
from tests.answers import ANSWERS
from tests.crashes.chat import Chat
from tests.crashes.places import Places
from tests.crashes.stories import MOST_EFFECTS, in_virtual_time
from tests.crashes.userbot import Life, Telegram, open_places
from tests.fuses import Fuse

MINUTE = 60.0
LINE = phrases.unreadable("ru")
GARBAGE = [b"{nonsense", b"", b"[]", b"\xff", b'{"history": 5}', b'{"current": {}}', b'{"seen": ["x"]}']
PUB_ACK = ANSWERS["a PubAck"]
"""Was taken for the record of a chat that never wrote."""


def record(**fields: object) -> bytes:
    """One that a version of ours could have written, but for `fields`."""
    return json.dumps({**json.loads(ChatRecord().to_json()), **fields}).encode()


def current(request_id: str, deadline: str) -> dict[str, object]:
    question = {"message_id": 1, "text": "?", "locale": "ru", "asked_at": "2026-11-26T00:00:00Z"}
    return {"question": question, "request_id": request_id, "deadline": deadline}


OUT_OF_RANGE = [
    record(deleted_to=9999999999),  # nothing was answered in that chat any more, /delete_history neither
    record(seen=list(range(300))),
    record(current=current("1.2.1.0", "0001-01-01T00:00:00Z")),  # OverflowError
    record(current=current("1.3.1.0", "2026-11-26T00:00:00Z")),  # chat 3's: asked in its name
]


async def spoil(places, value: bytes = b"{nonsense") -> None:
    """The record of the chat, whatever it is, becomes `value`."""
    stored = await places.records.load("1.2")
    await places.records.save("1.2", value, stored.version if stored else None)


def unreadable(logs: list) -> list[str]:
    return [log["chat"] for log in logs if log["event"] == "chat.unreadable"]


def said(places) -> list[str]:
    return [text for text, _ in places.telegram.texts]


@pytest.mark.parametrize("value", [*GARBAGE, *OUT_OF_RANGE, PUB_ACK])
def test_its_user_is_told_once_whatever_comes_and_it_is_logged_once_a_life(virtual_places, value) -> None:
    async def story(places) -> None:
        await spoil(places, value)
        with capture_logs() as logs:
            for life in range(3):
                edge = places.edge()
                await edge.drivers.resume()
                for number, text in enumerate(("Тимоха, раз", "/help", "Тимоха,", "/set_context_length 5")):
                    assert await edge.says(text, 10 * life + number + 1) is Effect.UNREADABLE
                    assert await edge.says("привет", 10 * life + 9) is Effect.SILENT
                    await asyncio.sleep(MINUTE)
                assert not edge.drivers.busy
                await edge.die()
        assert places.telegram.texts == [(LINE, 1)]
        assert unreadable(logs) == ["2"] * 3
        assert not [log for log in logs if log["event"].startswith("driver.")]
        assert (await places.records.load("1.2")).value == value

    virtual_places(story)


def test_delete_history_starts_it_afresh_and_what_was_written_before_stays_unanswered(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge()
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        await spoil(places)
        assert await edge.says("Тимоха, два", 8) is Effect.UNREADABLE
        await asyncio.sleep(MINUTE)
        assert await edge.says("/delete_history", 9) is Effect.DELETED
        await edge.idle()
        assert said(places)[1:] == [LINE, phrases.deleted("ru", cancelled=False)]
        assert await places.log.find(Channel.REQUESTS, RequestId("1", "2", "7")) is None
        # As after a kill before it was saved how far Telegram's changes are known.
        assert await edge.says("Тимоха, два", 8) is Effect.CANCELLED
        assert await edge.says("/delete_history", 9) is Effect.DUPLICATE
        assert await edge.says("Тимоха, три", 10) is Effect.ASKED
        await edge.answer(10)
        await edge.idle()
        assert said(places)[-1] == "ответ"

    virtual_places(story)


def test_a_chat_that_becomes_unreadable_again_is_told_again(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge()
        for round_ in range(3):
            await spoil(places)
            with capture_logs() as logs:
                assert await edge.says("Тимоха, раз", 10 * round_ + 1) is Effect.UNREADABLE
                await asyncio.sleep(MINUTE)
            assert unreadable(logs) == ["2"]
            assert await edge.says("/delete_history", 10 * round_ + 2) is Effect.DELETED
            await edge.idle()
        assert said(places).count(LINE) == 3

    virtual_places(story)


@pytest.mark.parametrize("when", ["thinking", "answered", "waiting"])
def test_a_record_that_becomes_unreadable_while_a_question_is_answered_lets_the_driver_rest(
    virtual_places, when
) -> None:
    async def story(places) -> None:
        edge, spoiling = places.edge(), []

        def spoiled(text: str) -> None:
            if (when == "thinking") or (when == "answered" and text == "ответ"):
                spoiling.append(asyncio.ensure_future(spoil(places)))

        places.telegram.after_send = spoiled
        with capture_logs() as logs:
            await edge.says("Тимоха, раз", 7)
            await places.telegram.count(1)
            if when == "waiting":
                await asyncio.sleep(1)
                await spoil(places)
            await edge.answer(7)
            await asyncio.sleep(5 * MINUTE)
        assert not edge.drivers.busy
        assert not edge.replies.done()
        assert len(logs) < 20
        assert unreadable(logs) in ([], ["2"])
        assert len(places.telegram.texts) <= 2

    virtual_places(story)


@pytest.mark.parametrize("error", [MessengerError("away"), FloodWaited(timedelta(seconds=30))])
def test_a_telegram_that_does_not_take_the_line_is_asked_less_and_less_often(virtual_places, error) -> None:
    async def story(places) -> None:
        tries = []

        def refuse(text: str) -> None:
            tries.append(text)
            raise error

        await spoil(places)
        edge, places.telegram.before_send = places.edge(), refuse
        for number in range(1, 101):
            await edge.says("Тимоха, раз", number)
            await asyncio.sleep(1)
        assert 1 <= len(tries) < 20
        places.telegram.before_send = lambda text: None
        await asyncio.sleep(5 * MINUTE)
        assert said(places) == [LINE]
        assert not edge.drivers.busy

    virtual_places(story)


def test_a_line_that_telegram_never_takes_is_not_tried_again(virtual_places) -> None:
    async def story(places) -> None:
        tries = []

        def refuse(text: str) -> None:
            tries.append(text)
            raise Undeliverable("USER_IS_BLOCKED")

        await spoil(places)
        edge, places.telegram.before_send = places.edge(), refuse
        for number in range(1, 6):
            await edge.says("Тимоха, раз", number)
            await asyncio.sleep(MINUTE)
        assert len(tries) == 1

    virtual_places(story)


def test_an_edge_that_dies_between_the_line_and_its_mark_does_not_send_it_twice(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        await spoil(places)
        edge = places.edge()

        async def away(*_: object) -> None:
            raise TransportError("away")

        with monkeypatch.context() as patched:
            patched.setattr(places.marks, "add", away)
            await edge.says("Тимоха, раз", 7)
            await asyncio.sleep(MINUTE)
            await edge.die()
        assert said(places) == [LINE]
        again = places.edge()
        await again.drivers.resume()
        await again.says("Тимоха, два", 8)
        await asyncio.sleep(MINUTE)
        assert said(places) == [LINE]
        assert not again.drivers.busy

    virtual_places(story)


def test_a_message_that_is_too_old_changes_nothing_there(virtual_places) -> None:
    async def story(places) -> None:
        await spoil(places)
        edge = places.edge()
        old = timedelta(minutes=11)
        for number, text in enumerate(("Тимоха, раз", "/delete_history"), 1):
            assert await edge.says(text, number, age=old) is Effect.TOO_OLD
        await asyncio.sleep(MINUTE)
        assert said(places) == []
        assert (await places.records.load("1.2")).value == b"{nonsense"

    virtual_places(story)


def test_a_store_that_does_not_take_the_fresh_record_holds_up_no_other_chat(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        await spoil(places)
        edge = places.edge()

        async def too_large(*_: object) -> int:
            raise TransportError("too large", Fault.FINAL)

        with monkeypatch.context() as patched:
            patched.setattr(places.records, "save", too_large)
            assert await edge.says("/delete_history", 7) is Effect.SILENT
        assert await edge.says("/delete_history", 7) is Effect.DELETED
        await edge.idle()
        assert await edge.ports.chats.load("2") != ChatRecord()

    virtual_places(story)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("shut", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["open", "shut"])
def test_an_edge_that_dies_around_anything_it_does_there_leaves_what_the_next_one_finishes(shut, after) -> None:
    for at in range(1, MOST_EFFECTS):
        fuse = Fuse(at, after)
        if not in_virtual_time(lambda retrying, fuse=fuse: lives_through(retrying, fuse, shut=shut)):
            assert at > 8
            return
    pytest.fail("it has no end")


async def lives_through(retrying: Retrying, fuse: Fuse, *, shut: bool) -> bool:
    """Whether the fuse blew; in both cases all is said, once."""
    telegram = Telegram(shut, retrying.clock.now)
    chat = telegram.chat
    places = Places(lambda text: f"ответ на {text}", [chat], retrying)
    await open_places(places)
    await places.records.save("1.2", b"{nonsense", None)
    await places.marks.add("unfinished.1.2")
    working, talking = asyncio.create_task(places.work()), asyncio.create_task(talk(chat))
    life = Life(telegram, places, Rules(), fuse)
    await life.start()
    blown = asyncio.create_task(fuse.blown.wait())
    try:
        async with asyncio.timeout(60):
            await asyncio.wait({talking, blown}, return_when=asyncio.FIRST_COMPLETED)
            if fuse.blown.is_set():
                await life.stop()
                life = Life(telegram, places, Rules(), Fuse(0, False))
                await life.start()
                if LINE not in chat.replies:
                    # The first message may be known to have come, although nothing has come of it.
                    chat.user_says("Тимоха, ау")
            await talking
            while await places.marks.keys("unfinished."):  # noqa: ASYNC110 - marks have no event
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"stuck after {fuse.journal}: {chat.replies}")
    finally:
        for task in (working, talking, blown):
            task.cancel()
        await life.stop()
    assert chat.replies == [LINE, phrases.deleted("ru", cancelled=False), "ответ на два"], fuse.journal
    return fuse.blown.is_set()


async def talk(chat: Chat) -> None:
    """Each text comes once the one before it has its answer."""
    for number, text in enumerate(("Тимоха, раз", "/delete_history", "Тимоха, два"), 1):
        chat.user_says(text)
        while len(chat.replies) < number:  # noqa: ASYNC110 - the chat has no event
            await asyncio.sleep(0.01)
