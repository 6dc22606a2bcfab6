"""What goes wrong in one chat is tried less and less often, or a bounded number of times; then the chat is free."""

import asyncio
import dataclasses
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from edge.userbot import phrases
from edge.userbot.chat.record import Question, ask
from edge.userbot.chat.transitions import Effect
from edge.userbot.driving.messenger import FloodWaited, MessengerError, Undeliverable, UnknownAnswer
from edge.userbot.driving.performer import Performer
from edge.userbot.intake.intake import Intake
from edge.userbot.rules import Rules
from events.errors import Conflict, TransportError
from events.event import Event
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.ids import RequestId
from events.schema import FailureReason, GenerationFailed, Role, Turn
from events.transport import Channel

MINUTE = 60.0
TOO_LARGE = TransportError("too large", Fault.FINAL)
FAILURE = phrases.failure("ru", phrases.INTERNAL)


class Failing:
    """Counts; fails while `when(text)` holds."""

    def __init__(self, error: Exception, when=lambda text: True) -> None:
        self.error, self.when, self.texts = error, when, []

    def __call__(self, text: str) -> None:
        self.texts.append(text)
        if self.when(text):
            raise self.error


def settled(logs: list) -> list[str]:
    return [log["outcome"] for log in logs if log["event"] == "question.settled"]


def test_a_telegram_that_is_away_is_asked_less_and_less_often_after_the_deadline_and_a_restart_too(
    virtual_places,
) -> None:
    async def story(places) -> None:
        away = places.telegram.before_send = Failing(MessengerError("away"))
        edge = places.edge()
        await edge.says("Тимоха, раз", 7)
        for number in range(8, 30):
            await asyncio.sleep(10)
            await edge.says("/help", number)
        assert len(away.texts) < 40
        await edge.die()
        again = places.edge()
        await again.drivers.resume()
        away.texts.clear()
        await asyncio.sleep(5 * MINUTE)
        assert len(away.texts) < 40
        places.telegram.before_send = lambda text: None
        await asyncio.sleep(16)
        await again.idle()
        assert (await again.says("Тимоха, два", 40)) is Effect.ASKED

    virtual_places(story)


def test_nobody_cuts_a_flood_wait_short(virtual_places) -> None:
    async def story(places) -> None:
        flood = places.telegram.before_send = Failing(FloodWaited(timedelta(seconds=60)))
        edge = places.edge()
        await edge.says("Тимоха, раз", 7)
        for number in range(8, 58):
            await asyncio.sleep(1)
            await edge.says("/help", number)
        assert len(flood.texts) == 1
        await asyncio.sleep(11)
        assert len(flood.texts) == 2

    virtual_places(story)


@pytest.mark.parametrize("error", [UnknownAnswer("TOPIC_X"), Undeliverable("blocked")])
def test_an_answer_that_telegram_does_not_take_is_undeliverable_and_the_chat_is_free(virtual_places, error) -> None:
    async def story(places) -> None:
        edge = places.edge()
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        refused = places.telegram.before_send = Failing(error)
        with capture_logs() as logs:
            await edge.answer(7)
            await asyncio.sleep(2 * MINUTE)
            await edge.idle()
        assert len(refused.texts) == (UNKNOWN_ATTEMPTS if isinstance(error, UnknownAnswer) else 1)
        assert settled(logs) == ["undeliverable"]
        places.telegram.before_send = lambda text: None
        assert await edge.says("Тимоха, два", 8) is Effect.ASKED

    virtual_places(story)


def test_a_thinking_line_that_telegram_does_not_take_costs_no_answer(virtual_places) -> None:
    async def story(places) -> None:
        places.telegram.before_send = Failing(UnknownAnswer("?"), lambda text: text != "ответ")
        edge = places.edge()
        with capture_logs() as logs:
            await edge.says("Тимоха, раз", 7)
            await edge.answer(7)
            await asyncio.sleep(MINUTE)
            await edge.idle()
        assert places.telegram.texts == [("ответ", 7)]
        assert settled(logs) == ["answered"]

    virtual_places(story)


def test_a_live_answer_whose_edit_gets_unknown_answers_comes_as_a_message(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge(live=True)
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        places.telegram.before_edit = Failing(UnknownAnswer("?"))
        await edge.answer(7)
        await asyncio.sleep(MINUTE)
        await edge.idle()
        assert len(places.telegram.before_edit.texts) == UNKNOWN_ATTEMPTS
        assert places.telegram.texts[1] == ("ответ", 7)

    virtual_places(story)


@pytest.mark.parametrize("error", [Undeliverable("?"), UnknownAnswer("?")])
def test_an_edge_that_may_not_look_into_the_chat_after_its_start_sends_all_the_same(
    virtual_places, monkeypatch, error
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise error

    async def story(places) -> None:
        edge = places.edge()
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        await edge.die()
        again = places.edge()
        monkeypatch.setattr(places.telegram, "find_own", refuse)
        await again.drivers.resume()
        await again.answer(7)
        await asyncio.sleep(MINUTE)
        await again.idle()
        assert places.telegram.texts[1:] == [("ответ", 1001)]

    virtual_places(story)


def test_a_fault_of_ours_while_the_answer_is_sent_fails_the_question_in_one_line(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge()
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        fault = places.telegram.before_send = Failing(AttributeError("ответ"), lambda text: text == "ответ")
        with capture_logs() as logs:
            await edge.answer(7)
            await asyncio.sleep(2 * MINUTE)
            await edge.idle()
        assert fault.texts == ["ответ"] * UNKNOWN_ATTEMPTS + [FAILURE]
        assert places.telegram.texts[1:] == [(FAILURE, 7)]
        assert settled(logs) == ["failed"]
        assert "ответ" not in str([log for log in logs if log["event"].startswith("driver")])
        assert await edge.says("Тимоха, два", 8) is Effect.ASKED

    virtual_places(story)


def test_a_call_that_telegrams_client_has_cancelled_itself_is_made_again(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge()
        cancelled = [asyncio.CancelledError()]
        places.telegram.before_send = lambda text: cancelled and (_ for _ in ()).throw(cancelled.pop())
        await edge.says("Тимоха, раз", 7)
        await asyncio.sleep(5)
        assert len(places.telegram.texts) == 1
        await edge.answer(7)
        await edge.idle()
        assert places.telegram.texts[-1][0] == "ответ"

    virtual_places(story)


def test_a_fault_of_ours_after_the_answer_was_sent_neither_repeats_nor_fails_it(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge()
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        places.telegram.after_send = Failing(AttributeError("x"))
        places.telegram.by_random_id.clear()
        await edge.answer(7)
        await asyncio.sleep(MINUTE)
        await edge.idle()
        assert [text for text, _ in places.telegram.texts[1:]] == ["ответ"]

    virtual_places(story)


def test_a_message_that_telegram_refuses_once_the_store_can_take_that_it_was_sent_stays_ours(
    virtual_places, monkeypatch
) -> None:
    async def story(places) -> None:
        edge, save = places.edge(), places.records.save

        async def away(key: str, value: bytes, version: int | None) -> int:
            if asyncio.current_task().get_name() == "driver 2":
                raise TransportError("away")
            return await save(key, value, version)

        with monkeypatch.context() as patched:
            patched.setattr(places.records, "save", away)
            await edge.says("Тимоха, раз", 7)
            await places.telegram.count(1)
            refused = places.telegram.before_send = Failing(Undeliverable("muted"))
        await asyncio.sleep(MINUTE)
        record = await edge.ports.chats.load("2")
        assert (record.sent, record.current.thinking_id, refused.texts) == ((1001,), 1001, [])

    virtual_places(story)


@pytest.mark.parametrize("live", [False, True])
def test_a_question_whose_failure_cant_even_be_told_is_dropped_and_the_next_one_taken_up(virtual_places, live) -> None:
    async def story(places) -> None:
        edge = places.edge(when_busy="queue", live=live)
        fault = places.telegram.before_send = Failing(KeyError("x"))
        places.telegram.before_edit = fault
        await edge.says("Тимоха, раз", 7)
        await edge.says("Тимоха, два", 8)
        await asyncio.sleep(3 * MINUTE)
        await edge.idle()
        assert len(fault.texts) <= 4 * UNKNOWN_ATTEMPTS
        places.telegram.before_send = places.telegram.before_edit = lambda text: None
        assert await edge.says("Тимоха, три", 9) is Effect.ASKED
        await edge.answer(9)
        await edge.idle()
        assert places.telegram.texts[-1][0] == "ответ"

    virtual_places(story)


@pytest.mark.parametrize("live", [False, True])
def test_an_answer_that_is_out_is_followed_by_no_failure_although_a_fault_of_ours_keeps_it_from_being_recorded(
    virtual_places, monkeypatch, live
) -> None:
    async def fault(*_: object, **__: object) -> None:
        raise KeyError("x")

    async def story(places) -> None:
        edge = places.edge(live=live)
        monkeypatch.setattr(Performer, "_finish", fault)
        await edge.says("Тимоха, раз", 7)
        await edge.answer(7)
        await asyncio.sleep(3 * MINUTE)
        await edge.idle()
        assert (await edge.ports.chats.load("2")).current is None
        assert [text for text, _ in places.telegram.texts if text in ("ответ", FAILURE)] == ["ответ"]

    virtual_places(story)


def test_a_question_is_given_up_although_the_store_is_away_just_then(virtual_places, monkeypatch) -> None:
    away = []

    async def story(places) -> None:
        edge = places.edge()
        fault = places.telegram.before_send = Failing(KeyError("x"))
        save = places.records.save

        async def save_unless_it_fails(*record: object) -> int:
            if len(fault.texts) >= UNKNOWN_ATTEMPTS and not away:
                away.append(record)
                raise TransportError("away")
            return await save(*record)

        monkeypatch.setattr(places.records, "save", save_unless_it_fails)
        await edge.says("Тимоха, раз", 7)
        await asyncio.sleep(3 * MINUTE)
        await edge.idle()
        assert away
        assert (await edge.ports.chats.load("2")).current is None

    virtual_places(story)


@pytest.mark.parametrize("what", ["publish", "find"])
def test_a_fault_of_ours_on_the_way_to_the_streams_is_told_to_the_user(virtual_places, monkeypatch, what) -> None:
    async def fault(*_: object, **__: object) -> None:
        raise ValueError("x")

    async def story(places) -> None:
        edge = places.edge(deadline=timedelta(seconds=5))
        monkeypatch.setattr(places.log, what, fault)
        await edge.says("Тимоха, раз", 7)
        await asyncio.sleep(MINUTE)
        await edge.idle()
        assert places.telegram.texts[-1] == (FAILURE, 7)

    virtual_places(story)


def test_a_notice_that_meets_a_fault_of_ours_holds_up_nothing(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge()
        places.telegram.before_send = Failing(KeyError("x"), lambda text: "ВОПРОС" in text)
        await edge.says("/help", 6)
        await edge.says("Тимоха, раз", 7)
        await edge.answer(7)
        await asyncio.sleep(MINUTE)
        await edge.idle()
        assert places.telegram.texts[-1][0] == "ответ"
        assert not (await edge.ports.chats.load("2")).notices

    virtual_places(story)


def test_streams_that_are_away_are_asked_less_and_less_often(virtual_places, monkeypatch) -> None:
    tries = []

    async def away(*_: object, **__: object) -> None:
        tries.append(1)
        raise TransportError("away")

    async def story(places) -> None:
        edge = places.edge(deadline=timedelta(hours=1))
        with monkeypatch.context() as patched:
            patched.setattr(places.log, "publish", away)
            await edge.says("Тимоха, раз", 7)
            await asyncio.sleep(5 * MINUTE)
            assert len(tries) < 100
        await asyncio.sleep(6)
        await places.telegram.count(1)

    virtual_places(story)


@pytest.mark.parametrize("error", [None, ValueError("x")])
def test_a_typing_action_that_hangs_or_fails_delays_nothing(virtual_places, monkeypatch, error) -> None:
    async def typing(chat: str) -> None:
        if error:
            raise error
        await asyncio.Event().wait()

    async def story(places) -> None:
        monkeypatch.setattr(places.telegram, "typing", typing)
        edge = places.edge()
        begun = places.retrying.clock.monotonic()
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        await edge.answer(7)
        await places.telegram.count(2)
        await edge.idle()
        assert places.retrying.clock.monotonic() - begun < 0.5

    virtual_places(story)


@pytest.mark.parametrize("error", [None, ValueError("x"), UnknownAnswer("?")])
def test_a_preview_that_hangs_or_fails_breaks_no_answer(virtual_places, monkeypatch, error) -> None:
    async def preview(*_: object) -> bool:
        if error:
            raise error
        await asyncio.Event().wait()
        return True

    async def story(places) -> None:
        monkeypatch.setattr(places.telegram, "preview", preview)
        edge = places.edge(live=True)
        begun = places.retrying.clock.monotonic()
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        await asyncio.sleep(0.1)
        edge.writes(7, "начало", 1)
        await edge.answer(7)
        await edge.idle()
        assert places.telegram.texts == [("ответ", 7)]
        assert places.retrying.clock.monotonic() - begun < 3

    virtual_places(story)


def test_a_record_that_others_change_all_the_time_is_not_fought_over_for_ever(virtual_places, monkeypatch) -> None:
    tries = []

    async def conflict(*_: object) -> int:
        tries.append(1)
        raise Conflict("changed by somebody else")

    async def story(places) -> None:
        edge = places.edge()
        monkeypatch.setattr(places.records, "save", conflict)
        with pytest.raises(TransportError, match="another userbot"):
            await edge.ports.chats.change("2", lambda record: record.having(deleted_to=1))
        assert len(tries) == 20

    virtual_places(story)


def test_a_message_waits_for_a_store_that_is_away_with_growing_pauses(virtual_places, monkeypatch) -> None:
    tries = []

    async def away(*_: object) -> int:
        tries.append(1)
        raise TransportError("away")

    async def story(places) -> None:
        edge = places.edge()
        with monkeypatch.context() as patched:
            patched.setattr(places.records, "save", away)
            says = asyncio.create_task(edge.says("Тимоха, раз", 7))
            await asyncio.sleep(3 * MINUTE)
            assert len(tries) < 60
        assert await says is Effect.ASKED

    virtual_places(story)


class Limited:
    """Records that take no more than `most` bytes, as NATS with its max_payload; `refused`: the sizes of others."""

    def __init__(self, places, monkeypatch, most: int) -> None:
        self._save, self.most, self.refused = places.records.save, most, []
        monkeypatch.setattr(places.records, "save", self.save)

    async def save(self, key: str, value: bytes, version: int | None) -> int:
        if len(value) > self.most:
            self.refused.append(len(value))
            raise TOO_LARGE
        return await self._save(key, value, version)


def test_a_question_for_which_the_record_has_no_room_is_refused_in_one_line(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        limited = Limited(places, monkeypatch, most=8000)
        edge = places.edge()
        with capture_logs() as logs:
            assert await edge.says("Тимоха, " + "ж" * 4000, 7) is Effect.REFUSED
        assert await edge.says("Тимоха, " + "ж" * 4000, 7) is Effect.DUPLICATE
        assert "ж" not in str(logs)
        await edge.idle()
        assert places.telegram.texts == [(phrases.failure("ru", phrases.TOO_LARGE), 7)]
        assert len(limited.refused) == 1
        assert await edge.says("Тимоха, два", 8) is Effect.ASKED

    virtual_places(story)


@pytest.mark.parametrize("text", ["Тимоха, " + "ж" * 8000, "/help", "/set_context_length 5", "Тимоха,"])
def test_a_record_without_any_room_forgets_its_history_and_its_user_is_told(virtual_places, monkeypatch, text) -> None:
    async def story(places) -> None:
        edge = places.edge()
        turns = tuple(Turn(role=role, text="ж" * 3000) for role in (Role.USER, Role.ASSISTANT))
        await edge.ports.chats.change("2", lambda record: record.having(history=turns))
        Limited(places, monkeypatch, most=12_050)
        await edge.says(text, 7)
        await edge.idle()
        assert len(places.telegram.texts) == 1
        record = await edge.ports.chats.load("2")
        assert (record.history, record.seen) == ((), (7,))
        assert await edge.says("Тимоха, два", 8) is Effect.ASKED

    virtual_places(story)


def test_a_history_that_has_filled_the_record_keeps_no_later_question_out(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        edge = places.edge()
        turns = tuple(Turn(role=role, text="ж" * 1500) for role in (Role.USER, Role.ASSISTANT))
        await edge.ports.chats.change("2", lambda record: record.having(history=turns))
        Limited(places, monkeypatch, most=8000)
        assert await edge.says("Тимоха, " + "ж" * 4000, 7) is Effect.REFUSED
        assert (await edge.ports.chats.load("2")).history == turns
        assert await edge.says("Тимоха, " + "ж" * 1500, 8) is Effect.ASKED
        assert await edge.says("Тимоха, " + "ж" * 1500, 8) is Effect.DUPLICATE
        await edge.answer(8, "да")
        await edge.idle()
        assert places.telegram.texts[-1][0] == "да"

    virtual_places(story)


def test_a_message_for_which_no_record_has_room_holds_up_no_other(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        edge = places.edge()
        with monkeypatch.context() as patched, capture_logs() as logs:
            Limited(places, patched, most=10)
            async with asyncio.timeout(MINUTE):
                assert await edge.says("Тимоха, раз", 7) is Effect.SILENT
        assert "message.dropped" in [log["event"] for log in logs]
        assert await edge.says("Тимоха, два", 8) is Effect.ASKED

    virtual_places(story)


def test_a_store_that_answers_what_is_in_no_table_is_not_asked_for_ever(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        edge, tries = places.edge(), []

        async def unknown(*_: object) -> int:
            tries.append(1)
            raise TransportError("?", Fault.UNKNOWN)

        with monkeypatch.context() as patched:
            patched.setattr(places.records, "save", unknown)
            assert await edge.says("Тимоха, раз", 7) is Effect.SILENT
        assert len(tries) == UNKNOWN_ATTEMPTS + 2
        assert await edge.says("Тимоха, два", 8) is Effect.ASKED

    virtual_places(story)


def test_an_answer_for_which_the_record_has_no_room_fails_its_question_at_once(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        edge = places.edge(deadline=timedelta(hours=1))
        limited = Limited(places, monkeypatch, most=8000)
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        await edge.answer(7, "ж" * 4000)
        await places.telegram.count(2)
        await edge.idle()
        assert places.telegram.texts[-1] == (FAILURE, 1001)
        assert len(limited.refused) == 1
        assert places.retrying.clock.monotonic() < MINUTE
        assert await edge.says("Тимоха, два", 8) is Effect.ASKED

    virtual_places(story)


def test_an_outcome_that_is_out_is_recorded_even_if_the_history_has_no_room_for_it(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        edge = places.edge()
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        save = places.records.save

        async def no_history(key: str, value: bytes, version: int | None) -> int:
            if b'"role"' in value:
                raise TOO_LARGE
            return await save(key, value, version)

        monkeypatch.setattr(places.records, "save", no_history)
        with capture_logs() as logs:
            await edge.answer(7)
            await edge.idle()
        assert [text for text, _ in places.telegram.texts[1:]] == ["ответ"]
        assert settled(logs) == ["answered"]
        assert "chat.history_dropped" in [log["event"] for log in logs]

    virtual_places(story)


def test_a_waiting_question_that_cant_be_taken_up_fails_in_one_line(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        edge = places.edge(when_busy="queue")
        question = Question(message_id=7, text="раз", locale="ru", asked_at=edge.ports.retrying.clock.now())
        await edge.ports.chats.change("2", lambda record: record.having(waiting=(question,)))
        save = places.records.save

        async def no_current(key: str, value: bytes, version: int | None) -> int:
            if b'"current":{' in value:
                raise TOO_LARGE
            return await save(key, value, version)

        monkeypatch.setattr(places.records, "save", no_current)
        edge.drivers.wake("2")
        await asyncio.sleep(MINUTE)
        await edge.idle()
        assert places.telegram.texts == [(FAILURE, 7)]

    virtual_places(story)


def test_a_reply_in_the_stream_that_settles_nothing_is_not_asked_for_again_and_again(
    virtual_places, monkeypatch
) -> None:
    """Its question fails at its deadline, once."""

    async def story(places) -> None:
        edge, found = places.edge(deadline=timedelta(seconds=5)), []
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)

        async def find(channel: Channel, request_id: RequestId) -> Event:
            found.append(request_id)
            failed = GenerationFailed(request_id="1.2.999.0", reason=FailureReason.EMPTY)
            return Event.of(failed, source="/test", time=places.retrying.clock.now())

        monkeypatch.setattr(places.log, "find", find)
        await asyncio.sleep(MINUTE)
        await edge.idle()
        assert len(found) == 1
        assert places.telegram.texts[-1] == (phrases.failure("ru", phrases.DEADLINE), 1001)

    virtual_places(story)


def test_a_deadline_from_a_clock_that_was_ahead_keeps_nobody_waiting(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge()
        question = Question(
            message_id=7, text="раз", locale="ru", asked_at=edge.ports.retrying.clock.now() + timedelta(days=365)
        )
        late = edge.ports.retrying.clock.now() + timedelta(days=365)
        current = ask(question, RequestId("1", "2", "7"), late)
        await edge.ports.chats.change("2", lambda record: record.having(current=current))
        edge.drivers.wake("2", resumed=True)
        await asyncio.sleep(3 * MINUTE)
        await edge.idle()
        assert places.telegram.texts[-1] == (phrases.failure("ru", phrases.DEADLINE), 1001)

    virtual_places(story)


MALFORMED = {
    "another subject": {"claimed": "1.2.999.0"},
    "no JSON": {"body": b"{nonsense"},
    "another question's data": {"body": b'{"request_id": "1.2.999.0", "reason": "empty"}'},
    "an unknown type": {"type": "ru.timokha.unknown.v1"},
    "a request": {"type": "ru.timokha.generation.requested.v1"},
    "nothing": {"body": b"", "type": "", "id": ""},
}


@pytest.mark.parametrize("wrong", MALFORMED.values(), ids=MALFORMED)
def test_a_reply_that_cant_be_read_fails_its_question_at_once_and_does_not_come_again(virtual_places, wrong) -> None:
    async def story(places) -> None:
        edge = places.edge(deadline=timedelta(hours=1))
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        reply = GenerationFailed(request_id="1.2.7.0", reason=FailureReason.EMPTY)
        subscription = places.log.subscribe(Channel.REPLIES, "edge-1", lease=timedelta(seconds=1))
        with capture_logs() as logs:
            event = Event.of(reply, source="/test", time=places.retrying.clock.now())
            subscription.put(dataclasses.replace(event, **wrong))
            await places.telegram.count(2)
            await edge.idle()
            await asyncio.sleep(MINUTE)
        assert places.telegram.texts[1:] == [(phrases.failure("ru", FailureReason.MALFORMED), 1001)]
        assert [log["event"] for log in logs] == ["reply.malformed", "question.settled"]
        assert await edge.says("Тимоха, два", 8) is Effect.ASKED

    virtual_places(story)


def test_a_reply_that_cant_be_read_is_logged_once_when_another_change_of_the_record_was_faster(
    virtual_places, monkeypatch
) -> None:
    async def story(places) -> None:
        edge = places.edge(deadline=timedelta(hours=1))
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        await asyncio.sleep(1)
        save, lost = places.records.save, []

        async def second(*args: object) -> int:
            if not lost:
                lost.append(args)
                raise Conflict("changed by somebody else")
            return await save(*args)

        monkeypatch.setattr(places.records, "save", second)
        reply = GenerationFailed(request_id="1.2.7.0", reason=FailureReason.EMPTY)
        subscription = places.log.subscribe(Channel.REPLIES, "edge-1", lease=timedelta(seconds=1))
        with capture_logs() as logs:
            event = Event.of(reply, source="/test", time=places.retrying.clock.now())
            subscription.put(dataclasses.replace(event, body=b"{"))
            await places.telegram.count(2)
            await edge.idle()
        assert lost
        assert [log["event"] for log in logs] == ["reply.malformed", "question.settled"]

    virtual_places(story)


def test_a_request_that_nats_will_never_take_fails_before_its_deadline(virtual_places, monkeypatch) -> None:
    async def too_large(*_: object) -> None:
        raise TOO_LARGE

    async def story(places) -> None:
        edge = places.edge(deadline=timedelta(hours=1))
        monkeypatch.setattr(places.log, "publish", too_large)
        await edge.says("Тимоха, раз", 7)
        await asyncio.sleep(MINUTE)
        await edge.idle()
        assert places.telegram.texts[-1] == (FAILURE, 7)

    virtual_places(story)


def test_a_record_that_cant_be_read_keeps_no_other_chat_from_being_taken_up(virtual_places) -> None:
    async def story(places) -> None:
        await places.records.save("1.1", b"garbage", None)
        edge = places.edge()
        await edge.says("Тимоха, раз", 7)
        await edge.die()
        again = places.edge()
        with capture_logs() as logs:
            await again.drivers.resume()
        assert [log["chat"] for log in logs if log["event"] == "chat.unreadable"] == ["1"]
        await again.answer(7)
        await again.idle()
        assert places.telegram.texts[-1][0] == "ответ"

    virtual_places(story)


def test_a_message_that_meets_a_fault_of_ours_is_dropped_and_holds_up_no_other(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        edge = places.edge()
        tries = []

        async def fault(*_: object) -> None:
            tries.append(1)
            raise ZeroDivisionError

        intake = Intake(edge.ports, edge.drivers, Rules)
        monkeypatch.setattr(intake, "_change", fault)
        edge.intake = intake
        assert await edge.says("Тимоха, раз", 7) is Effect.SILENT
        assert len(tries) == UNKNOWN_ATTEMPTS + 2

    virtual_places(story)


@pytest.mark.parametrize("error", [TransportError("away"), ValueError("x")])
def test_a_reply_that_cant_be_taken_comes_again_less_and_less_often(virtual_places, monkeypatch, error) -> None:
    async def story(places) -> None:
        edge = places.edge(deadline=timedelta(minutes=3))
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        tries = []

        async def refuse(*_: object) -> int:
            tries.append(1)
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(places.records, "save", refuse)
            await edge.answer(7)
            await asyncio.sleep(MINUTE)
            assert len(tries) < 20
            assert not edge.replies.done()
        await asyncio.sleep(3 * MINUTE)
        await edge.idle()
        # What was dropped as hopeless is found in the stream when the deadline has passed.
        assert places.telegram.texts[-1][0] == "ответ"
        assert await places.log.find(Channel.REPLIES, (await edge.request(7)).request_id) is not None

    virtual_places(story)


def test_replies_by_the_thousand_that_nobody_waits_for_do_not_swell_the_log(virtual_places) -> None:
    async def story(places) -> None:
        edge = places.edge()
        subscription = places.log.subscribe(Channel.REPLIES, "edge-1", lease=timedelta(seconds=1))
        reply = GenerationFailed(request_id="1.2.7.0", reason=FailureReason.EMPTY)
        event = Event.of(reply, source="/test", time=places.retrying.clock.now())
        with capture_logs() as logs:
            for number in range(500):
                subscription.put(dataclasses.replace(event, subject=f"1.2.{number}.0", body=b"{"))
                subscription.put(dataclasses.replace(event, subject=f"1.2.{number}.x"))
            await asyncio.sleep(1)
        assert not edge.replies.done()
        events = [log["event"] for log in logs]
        assert events.count("reply.malformed") == 0
        assert events.count("reply.dropped") == 1

    virtual_places(story)


def test_a_reply_to_a_chat_whose_record_the_store_cant_read_does_not_come_again_for_ever(
    virtual_places, monkeypatch
) -> None:
    async def story(places) -> None:
        edge = places.edge(deadline=timedelta(minutes=3))
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)

        async def unknown(*_: object) -> None:
            raise TransportError("the message is broken", Fault.UNKNOWN)

        monkeypatch.setattr(places.records, "load", unknown)
        with capture_logs() as logs:
            await edge.answer(7)
            await asyncio.sleep(60 * MINUTE)
        events = [log["event"] for log in logs]
        assert events.count("reply.again") == UNKNOWN_ATTEMPTS - 1
        assert events.count("reply.dropped") == 1

    virtual_places(story)


def test_a_fault_of_ours_while_a_reply_is_given_up_ends_no_userbot(virtual_places, monkeypatch) -> None:
    async def story(places) -> None:
        edge = places.edge(deadline=timedelta(minutes=3))
        await edge.says("Тимоха, раз", 7)
        await places.telegram.count(1)
        answers = iter([TOO_LARGE])

        async def refuse(*_: object) -> None:
            raise next(answers, ValueError("x"))

        with monkeypatch.context() as patched:
            patched.setattr(edge.ports.chats, "change", refuse)
            await edge.answer(7)
            await asyncio.sleep(MINUTE)
        assert not edge.replies.done()
        await asyncio.sleep(3 * MINUTE)
        await edge.idle()
        assert places.telegram.texts[-1][0] == "ответ"

    virtual_places(story)
