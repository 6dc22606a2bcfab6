"""What a chat sees, and what a crash at any step leaves."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from edge.userbot import phrases
from edge.userbot.chat.record import Question
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.messenger import FloodWaited, MessengerError, Undeliverable
from events.errors import TransportError
from events.ids import RequestId
from events.memory import MemoryRecords
from events.transport import Channel

CHAT = "2"


def said(places) -> list[str]:
    return [text for text, _ in places.telegram.texts]


def die_after(delivered: asyncio.Event, last: str, text: str) -> None:
    """Nothing comes of a send but the message itself."""
    if text == last:
        delivered.set()
        raise MessengerError("no answer")


async def test_a_question_gets_a_thinking_line_and_its_answer_as_a_reply_to_that(places) -> None:
    edge = places.edge()
    assert await edge.says("Тимоха, привет", 7) is Effect.ASKED
    await places.telegram.count(1)
    await edge.answer(7)
    await places.telegram.count(2)
    await edge.idle()

    thinking, answer = places.telegram.texts
    assert thinking[1] == 7
    assert answer == ("ответ", 1001)
    assert places.telegram.typings >= 1


async def test_two_questions_at_once_give_one_answer(places) -> None:
    edge = places.edge()
    assert await edge.says("Тимоха, раз", 7) is Effect.ASKED
    assert await edge.says("Тимоха, два", 8) is Effect.IGNORED_BUSY
    await places.telegram.count(1)
    await edge.answer(7)
    await edge.idle()
    assert len(places.telegram.texts) == 2
    assert await edge.request(8) is None


def test_whoever_asks_between_an_answer_in_the_chat_and_its_record_is_answered_after_the_next_start(
    virtual_places,
) -> None:
    """Killed with the answer in the chat, five times; each time the next question is fetched before it is settled."""

    async def story(places) -> None:
        edge = places.edge()
        await edge.says("Тимоха, вопрос 10", 10)
        for number in range(10, 15):
            await places.telegram.until(lambda number=number: f"ответ {number - 1}" in said(places) or number == 10)
            await asyncio.sleep(1)
            delivered = asyncio.Event()
            places.telegram.after_send = partial(die_after, delivered, f"ответ {number}")
            await edge.answer(number, f"ответ {number}")
            await delivered.wait()
            await edge.die()
            places.telegram.after_send = lambda text: None
            edge = places.edge()
            assert await edge.says(f"Тимоха, вопрос {number + 1}", number + 1) is Effect.QUEUED
        await asyncio.sleep(1)
        await edge.answer(15, "ответ 15")
        await edge.idle()
        assert [text for text in said(places) if text.startswith("ответ")] == [f"ответ {n}" for n in range(10, 16)]

    virtual_places(story)


def test_whoever_asks_while_an_outcome_in_the_chat_cant_be_recorded_is_answered_next(
    virtual_places, monkeypatch
) -> None:
    async def story(places) -> None:
        edge = places.edge()
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        save = places.records.save

        async def away(key: str, value: bytes, version: int | None) -> int:
            if asyncio.current_task().get_name() == "driver 2":
                raise TransportError("away")
            return await save(key, value, version)

        with monkeypatch.context() as patched:
            patched.setattr(places.records, "save", away)
            await edge.answer(7)
            await places.telegram.count(2)
            assert await edge.says("Тимоха, два", 8) is Effect.QUEUED
            assert await edge.says("Тимоха, три", 9) is Effect.IGNORED_BUSY
        await asyncio.sleep(30)
        await edge.answer(8, "второй")
        await edge.idle()
        assert said(places)[-1] == "второй"

    virtual_places(story)


async def test_queued_questions_are_answered_one_after_the_other(places) -> None:
    edge = places.edge(when_busy="queue")
    assert await edge.says("Тимоха, раз", 7) is Effect.ASKED
    assert await edge.says("Тимоха, два", 8) is Effect.QUEUED
    await places.telegram.count(1)
    await edge.answer(7)
    await places.telegram.count(3)
    await edge.answer(8, "второй")
    await edge.idle()
    assert [text for text, _ in places.telegram.texts][1::2] == ["ответ", "второй"]


async def test_one_question_waits_for_another_that_may_have_been_answered_before_the_store_was_lost(places) -> None:
    places.records = MemoryRecords(created_at=datetime.now(UTC) - timedelta(seconds=20))
    edge = places.edge()
    assert await edge.says("Тимоха, раз", 1, age=timedelta(seconds=30)) is Effect.ASKED
    assert await edge.says("Тимоха, два", 2, age=timedelta(seconds=10)) is Effect.QUEUED
    assert await edge.says("Тимоха, три", 3, age=timedelta(seconds=5)) is Effect.IGNORED_BUSY
    await edge.answer(1, "первый")
    await places.telegram.count(3)
    await edge.answer(2, "второй")
    await edge.idle()
    assert [text for text, _ in places.telegram.texts][1::2] == ["первый", "второй"]
    assert await edge.says("Тимоха, четыре", 4, age=timedelta(seconds=4)) is Effect.ASKED
    assert await edge.says("Тимоха, пять", 5, age=timedelta(seconds=3)) is Effect.IGNORED_BUSY


async def test_a_failure_is_told_in_one_line_and_the_user_can_ask_again_at_once(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, раз", 7)
    await places.telegram.count(1)
    await edge.fail(7)
    await edge.idle()
    assert len(places.telegram.texts) == 2
    assert "\n" not in places.telegram.texts[1][0]
    assert await edge.says("Тимоха, два", 8) is Effect.ASKED


async def test_with_no_worker_alive_the_deadline_tells_the_user(places) -> None:
    edge = places.edge(deadline=timedelta(seconds=0.3))
    await edge.says("Тимоха, раз", 7)
    await edge.idle()
    assert len(places.telegram.texts) == 2


async def test_a_reply_after_the_deadline_is_erased_and_sends_nothing(places) -> None:
    edge = places.edge(deadline=timedelta(seconds=0.2))
    await edge.says("Тимоха, раз", 7)
    await edge.idle()
    await edge.answer(7)
    await edge.gone(Channel.REPLIES, 7)
    assert len(places.telegram.texts) == 2


async def test_a_long_answer_comes_in_parts_and_in_order(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, раз", 7)
    await places.telegram.count(1)
    text = " ".join(str(number) for number in range(3000))
    await edge.answer(7, text)
    await edge.idle()
    parts = [text for text, _ in places.telegram.texts[1:]]
    assert len(parts) > 1
    assert " ".join(parts) == text


async def test_an_answer_that_is_already_there_at_the_deadline_wins(places) -> None:
    edge = places.edge(deadline=timedelta(seconds=0.3))
    await edge.says("Тимоха, раз", 7)
    await places.telegram.count(1)
    # Nobody takes the reply in: the consumer is slower than the clock.
    edge.replies.cancel()
    await edge.answer(7)
    await edge.idle()
    assert places.telegram.texts[1][0] == "ответ"


async def test_a_flood_wait_holds_the_chat_and_then_everything_goes_out_in_order(places) -> None:
    waits = [FloodWaited(timedelta(seconds=0.2)), FloodWaited(timedelta(seconds=0.2))]

    def flood(text: str) -> None:
        if waits:
            raise waits.pop()

    edge = places.edge(deadline=timedelta(seconds=0.1))
    places.telegram.before_send = flood
    await edge.says("Тимоха, раз", 7)
    assert await edge.says("/help", 8) is Effect.HELPED
    await edge.answer(7)
    await edge.idle()
    assert len(places.telegram.texts) == 3
    assert [text for text, _ in places.telegram.texts][-1] == "ответ"
    assert await edge.says("Тимоха, два", 9) is Effect.ASKED


async def test_a_question_deleted_during_a_flood_wait_is_not_answered_after_it(places) -> None:
    flooded = asyncio.Event()

    def flood(text: str) -> None:
        if text == "ответ":
            flooded.set()
        if flooded.is_set() and len(places.telegram.texts) < 2:
            raise FloodWaited(timedelta(seconds=0.1))

    edge = places.edge()
    places.telegram.before_send = flood
    await edge.says("Тимоха, раз", 7)
    await places.telegram.count(1)
    await edge.answer(7)
    async with asyncio.timeout(10):
        await flooded.wait()
    await edge.says("/delete_history", 8)
    places.telegram.before_send = lambda text: None
    await edge.idle()
    assert [text for text, _ in places.telegram.texts][1:] == [phrases.deleted("ru", cancelled=True)]


async def test_a_chat_whose_events_cant_be_erased_goes_on_and_is_told_nothing_untrue(places, monkeypatch) -> None:
    refused = asyncio.Event()

    async def refuse(account: str, chat: str, *, up_to: int) -> int:
        refused.set()
        raise TransportError("permission denied")

    edge = places.edge()
    with monkeypatch.context() as patched:
        patched.setattr(places.log, "erase_chat", refuse)
        await edge.says("/delete_history", 7)
        async with asyncio.timeout(10):
            await refused.wait()
        await edge.says("/help", 8)
        await edge.says("Тимоха, раз", 9)
        await places.telegram.count(2)
        await edge.answer(9)
        await places.telegram.count(3)
        assert phrases.deleted("ru", cancelled=False) not in {text for text, _ in places.telegram.texts}
    await edge.die()

    again = places.edge()
    await again.drivers.resume()
    await places.telegram.count(4)
    assert places.telegram.texts[3][0] == phrases.deleted("ru", cancelled=False)


async def test_what_was_asked_after_a_deletion_survives_its_erasing(places) -> None:
    edge = places.edge()
    edge.drivers.wake = lambda chat, **_: None
    await edge.says("/delete_history", 7)
    await edge.says("Тимоха, раз", 8)
    await edge.die()

    again = places.edge()
    await again.drivers.resume()
    await places.telegram.count(2)
    assert await again.request(8) is not None


async def test_a_question_that_waits_while_nothing_is_being_answered_is_taken_up(places) -> None:
    """As `timokha deadletters resend` leaves it."""
    edge = places.edge()
    question = Question(message_id=7, text="раз", locale="ru", asked_at=datetime.now(UTC), revision=1)
    await edge.ports.chats.change(CHAT, lambda record: record.having(waiting=(question,)))
    edge.drivers.wake(CHAT)
    await places.telegram.count(1)
    assert await places.log.find(Channel.REQUESTS, RequestId("1", "2", "7", 1)) is not None


async def test_help_is_answered_while_busy(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, раз", 7)
    await places.telegram.count(1)
    assert await edge.says("/help", 8) is Effect.HELPED
    await places.telegram.count(2)
    assert places.telegram.texts[1][1] == 8


async def test_deleting_cancels_the_question_and_erases_its_events(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, секрет", 7)
    await places.telegram.count(1)
    assert await edge.says("/delete_history", 8) is Effect.DELETED
    await places.telegram.count(2)
    assert await edge.request(7) is None

    await edge.answer(7, "поздно")
    await edge.gone(Channel.REPLIES, 7)
    assert len(places.telegram.texts) == 2
    assert await edge.says("Тимоха, снова", 9) is Effect.ASKED


async def test_a_dead_letter_of_a_deleted_question_is_erased_too(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, секрет", 7)
    await places.telegram.count(1)
    request = await edge.request(7)
    await edge.says("/delete_history", 8)
    await places.telegram.count(2)

    await places.log.publish(Channel.DEADLETTERS, request)
    await edge.fail(7)
    await edge.gone(Channel.DEADLETTERS, 7)


async def test_the_same_message_twice_is_obeyed_once(places) -> None:
    edge = places.edge()
    assert await edge.says("/set_context_length 4", 7) is Effect.SET
    assert await edge.says("/set_context_length 4", 7) is Effect.DUPLICATE
    await edge.idle()
    assert len(places.telegram.texts) == 1


async def test_other_text_leaves_no_trace_at_all(places) -> None:
    edge = places.edge()
    assert await edge.says("просто болтовня", 7) is Effect.SILENT
    assert await places.records.load("1.2") is None


async def test_a_message_that_telegram_never_takes_does_not_block_the_chat(places) -> None:
    def refuse(text: str) -> None:
        raise Undeliverable("blocked")

    edge = places.edge()
    places.telegram.before_send = refuse
    await edge.says("Тимоха, раз", 7)
    await edge.answer(7)
    await edge.idle()
    places.telegram.before_send = lambda text: None
    assert await edge.says("Тимоха, два", 8) is Effect.ASKED


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
async def test_an_edge_that_dies_around_a_send_sends_it_once(places, moment, number) -> None:
    """`number`: the thinking line or the answer. `after`: Telegram took it, and we never learnt."""
    sends = 0
    dead = asyncio.Event()

    def crash(text: str) -> None:
        nonlocal sends
        sends += 1
        if sends == number:
            dead.set()
        if dead.is_set():
            raise MessengerError("the connection is gone")

    edge = places.edge()
    setattr(places.telegram, f"{moment}_send", crash)
    await edge.says("Тимоха, раз", 7)
    if number == 2:
        await places.telegram.count(1)
        await edge.answer(7)
    async with asyncio.timeout(10):
        await dead.wait()
    await edge.die()

    setattr(places.telegram, f"{moment}_send", lambda text: None)
    # Telegram has forgotten the random ids: only looking in the chat can help.
    places.telegram.by_random_id.clear()
    again = places.edge()
    await again.drivers.resume()
    if number == 1:
        await places.telegram.count(1)
        await again.answer(7)
    await again.idle()
    assert len(places.telegram.texts) == 2
    assert places.telegram.texts[1] == ("ответ", 1001)


async def test_a_question_whose_edge_died_before_publishing_is_published_by_the_next(places) -> None:
    edge = places.edge()
    edge.drivers.wake = lambda chat, **_: None
    await edge.says("Тимоха, раз", 7)
    await edge.die()
    assert await edge.request(7) is None

    again = places.edge()
    await again.drivers.resume()
    await places.telegram.count(1)
    assert await again.request(7) is not None
    await again.answer(7)
    await again.idle()
    assert len(places.telegram.texts) == 2


async def test_a_request_lost_with_the_streams_is_published_again(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, раз", 7)
    await places.telegram.count(1)
    await edge.die()
    await places.log.erase(Channel.REQUESTS, RequestId("1", "2", "7"))

    again = places.edge()
    await again.drivers.resume()

    async def published() -> bool:
        return await again.request(7) is not None

    await places.until(published)


async def test_a_deletion_that_was_interrupted_is_finished_by_the_next_edge(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, секрет", 7)
    await places.telegram.count(1)
    edge.drivers.wake = lambda chat, **_: None
    await edge.drivers.stop()
    await edge.says("/delete_history", 8)
    await edge.die()
    assert await edge.request(7) is not None

    again = places.edge()
    await again.drivers.resume()
    await places.telegram.count(2)
    assert await again.request(7) is None
