"""The owner writes in a chat: the bot stops there. What it wrote itself is not the owner's, however it comes back."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from edge.userbot import phrases
from edge.userbot.chat.incoming import Incoming, OwnMessage
from edge.userbot.chat.own_messages import SentMessage, forget_current, is_ours, record_sent
from edge.userbot.chat.owner_turn import take_own
from edge.userbot.chat.question_progress import finish_question, record_answer, record_part_sent, record_thinking_line
from edge.userbot.chat.record import MAX_NOTICES, MAX_SENT, ChatRecord, Notice, Question, ask, from_json
from edge.userbot.chat.steps import Withdraw, messages_of, next_step
from edge.userbot.chat.transitions import Effect, receive
from edge.userbot.driving.messenger import MessengerError, Undeliverable
from edge.userbot.people import People
from edge.userbot.rules import Rules
from events.ids import RequestId
from events.memory import MemoryRecords
from events.transport import Channel
from tests.unit.conftest import Edge, until

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
ID = "1.2.7.0"
QUESTION = Question(message_id=7, text="как дела?", locale="en", asked_at=NOW)
ASKING = ChatRecord(current=ask(QUESTION, RequestId("1", "2", "7"), NOW + timedelta(seconds=120)))
LINE = phrases.thinking("en", ID)
THINKING = record_thinking_line(record_sent(ASKING, SentMessage(1001, LINE, 7)), ID, 1001)
LONG = " ".join(str(number) for number in range(3000))
PAUSE = timedelta(minutes=10)
RULES = Rules(owner_pause=PAUSE)


def own(text: str, message_id: int = 1002, reply_to: int | None = None, date: datetime = NOW) -> OwnMessage:
    return OwnMessage("1", "2", message_id, text, date, reply_to)


def test_the_owner_drops_what_is_being_answered_and_its_thinking_line_and_pauses_the_chat() -> None:
    decision = take_own(THINKING, own("я сам отвечу"), RULES, NOW)
    assert decision.effect is Effect.OWNER_TOOK_OVER
    assert decision.dropped == (QUESTION,)
    assert decision.record.current is None
    assert decision.record.paused_until == NOW + PAUSE
    assert next_step(decision.record, NOW) == Withdraw(1001)


def test_a_photo_of_the_owner_counts_as_well() -> None:
    assert take_own(THINKING, own(""), RULES, NOW).effect is Effect.OWNER_TOOK_OVER


def test_what_the_owner_wrote_before_the_question_drops_nothing() -> None:
    decision = take_own(THINKING, own("привет", message_id=6), RULES, NOW)
    assert decision.effect is Effect.OWNER_WROTE
    assert decision.record.current == THINKING.current
    assert decision.record.paused_until == NOW + PAUSE


def test_of_the_waiting_questions_only_the_older_ones_are_dropped() -> None:
    later = QUESTION.having(message_id=1005)
    decision = take_own(THINKING.having(waiting=(later,)), own("сам", message_id=1003), RULES, NOW)
    assert decision.dropped == (QUESTION,)
    assert decision.record.waiting == (later,)


def test_a_message_of_long_ago_pauses_only_from_its_own_date() -> None:
    decision = take_own(ChatRecord(), own("привет", date=NOW - timedelta(minutes=9)), RULES, NOW)
    assert decision.record.paused_until == NOW + timedelta(minutes=1)


def test_a_message_dated_by_a_wrong_clock_does_not_pause_longer() -> None:
    decision = take_own(ChatRecord(), own("привет", date=NOW + timedelta(days=9)), RULES, NOW)
    assert decision.record.paused_until == NOW + PAUSE


def test_a_pause_from_when_the_clock_was_wrong_is_over_once_it_is_right_and_the_next_one_counts() -> None:
    wrong = NOW + timedelta(days=2000)
    record = take_own(ChatRecord(), own("привет", date=wrong), RULES, wrong).record
    question = Incoming("1", "2", 1005, "Тимоха, раз", "en", NOW)
    assert receive(record, question, RULES, NOW).effect is Effect.ASKED
    again = take_own(record, own("привет", message_id=1003), RULES, NOW).record
    assert receive(again, question, RULES, NOW).effect is Effect.PAUSED


def test_a_message_of_the_owners_shortens_no_longer_pause() -> None:
    record = ChatRecord(paused_since=NOW, paused_until=NOW + timedelta(days=1))
    assert take_own(record, own("привет"), RULES, NOW + timedelta(hours=1)).record is record


def test_a_pause_is_only_prolonged_by_more_than_a_tenth() -> None:
    record = ChatRecord(paused_since=NOW, paused_until=NOW + PAUSE)
    assert take_own(record, own("и ещё", date=NOW + PAUSE / 10), RULES, NOW + PAUSE / 10).record is record
    later = NOW + PAUSE / 10 + timedelta(microseconds=1)
    prolonged = take_own(record, own("и ещё", date=later), RULES, later).record
    assert (prolonged.paused_since, prolonged.paused_until) == (later, later + PAUSE)


def test_an_owner_who_writes_a_lot_costs_few_changes_of_the_record() -> None:
    record, changes = ChatRecord(), 0
    for second in range(600):
        date = NOW + timedelta(seconds=second)
        after = take_own(record, own("и ещё", message_id=2000 + second, date=date), RULES, date).record
        changes += after is not record
        record = after
    assert changes <= 11
    assert record.paused_until
    assert record.paused_until >= NOW + timedelta(seconds=600 + 540)


def test_a_message_of_the_owner_from_before_they_resumed_the_chat_does_not_pause_it_again() -> None:
    resumed = ChatRecord(resumed_at=NOW + timedelta(seconds=1))
    later = NOW + timedelta(seconds=2)
    assert take_own(resumed, own("привет"), RULES, later).record.paused_until is None
    assert take_own(resumed, own("привет", date=later), RULES, later).record.paused_until == later + PAUSE


def test_the_same_message_of_the_owner_fetched_again_changes_nothing() -> None:
    once = take_own(THINKING, own("сам"), RULES, NOW).record
    again = take_own(once, own("сам"), RULES, NOW + timedelta(minutes=1))
    assert again.record is once


@pytest.mark.parametrize("reply_to", [7, None], ids=["reply", "target deleted"])
def test_a_thinking_line_whose_result_is_lost_is_ours(reply_to: int | None) -> None:
    assert is_ours(ASKING, own(LINE, reply_to=reply_to))
    decision = take_own(ASKING, own(LINE, reply_to=reply_to), RULES, NOW)
    assert decision.effect is Effect.OWN
    assert decision.record.current
    assert decision.record.current.thinking_id == 1002
    assert decision.record.paused_until is None


def test_the_owner_who_types_the_same_words_as_a_reply_to_something_else_took_over() -> None:
    assert not is_ours(ASKING, own(LINE, message_id=1002, reply_to=5))


def test_every_part_of_a_long_answer_is_ours_while_it_is_sent_and_afterwards() -> None:
    record = record_answer(THINKING, ID, LONG, NOW)
    assert record.current
    assert record.current.outcome
    parts = [message.text for message in messages_of(record.current.outcome, "en")]
    assert len(parts) > 3
    for number, part in enumerate(parts):
        seen = own(part, message_id=1002 + number, reply_to=1001)
        sent = record_part_sent(record_sent(record, SentMessage(1002 + number, part, 1001)), ID, number + 1)
        assert take_own(record, seen, RULES, NOW).record == sent
        record = sent
    record = from_json(finish_question(record, ID, NOW, PAUSE).to_json())
    for number in range(len(parts)):
        assert take_own(record, own("edited by now", message_id=1002 + number), RULES, NOW).effect is Effect.OWN


def test_a_notice_that_is_being_sent_is_ours() -> None:
    record = ChatRecord(notices=(Notice(message_id=3, text="Done."),))
    assert is_ours(record, own("Done.", reply_to=3))


def test_only_as_many_ids_are_kept_as_fit() -> None:
    record = ChatRecord()
    for number in range(1, 2 * MAX_SENT):
        record = record_sent(record, SentMessage(number, "x", 1))
    assert from_json(record.to_json()).sent == tuple(range(MAX_SENT, 2 * MAX_SENT))


def test_a_message_of_which_telegram_says_no_id_is_ours_when_it_is_seen() -> None:
    record = record_sent(ChatRecord(), SentMessage(0, "Done.", 3))
    decision = take_own(record, own("Done.", reply_to=3), RULES, NOW)
    assert decision.effect is Effect.OWN
    assert decision.record.sent == (1002,)
    assert not decision.record.unconfirmed


def test_a_part_that_was_on_its_way_when_its_question_was_dropped_is_ours() -> None:
    delivering = record_answer(THINKING, ID, "fine", NOW)
    dropped = from_json(forget_current(delivering).to_json())
    assert take_own(dropped, own("fine", reply_to=1001), RULES, NOW).effect is Effect.OWN
    assert take_own(dropped, own("not fine", reply_to=1001), RULES, NOW).effect is Effect.OWNER_WROTE


@pytest.mark.parametrize("how", ["its result comes", "it is seen in the chat"])
def test_a_thinking_line_that_was_on_its_way_when_the_owner_wrote_is_deleted_afterwards(how: str) -> None:
    record = take_own(ASKING, own("сам", message_id=1000), RULES, NOW).record
    assert next_step(record, NOW) is None
    if how == "its result comes":
        record = record_sent(record, SentMessage(1001, LINE, 7))
    else:
        record = take_own(record, own(LINE, message_id=1001, reply_to=7), RULES, NOW).record
    assert next_step(record, NOW) == Withdraw(1001)
    assert 1001 in record.sent


def test_a_thinking_line_under_which_a_part_was_sent_stays() -> None:
    delivering = record_part_sent(record_answer(THINKING, ID, LONG, NOW), ID, 1)
    assert take_own(delivering, own("хватит", message_id=1500), RULES, NOW).record.withdrawn == ()


async def test_nothing_is_answered_after_the_owner_took_over(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, как дела?", 7)
    await places.telegram.count(1)
    assert await edge.owner_writes("отвечу сам", 1002) is Effect.OWNER_TOOK_OVER
    await edge.answer(7)
    await edge.gone(Channel.REPLIES, 7)
    await edge.idle()
    assert len(places.telegram.texts) == 1
    assert places.telegram.deleted == {1001}


async def test_our_own_messages_come_back_and_change_nothing(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, как дела?", 7)
    await places.telegram.count(1)
    assert await edge.owner_writes(places.telegram.texts[0][0], 1001, reply_to=7) is Effect.OWN
    await edge.answer(7, LONG)
    await edge.idle()
    for number, (text, reply_to) in enumerate(places.telegram.texts, 1001):
        assert await edge.owner_writes(text, number, reply_to=reply_to) is Effect.OWN
    assert (await edge.ports.chats.load("2")).paused_until is None
    assert len(places.telegram.texts) > 3


async def test_a_part_whose_result_is_lost_comes_back_and_cuts_nothing(places) -> None:
    """The call fails after Telegram has taken the message; it comes back as a change before it is sent again."""
    edge = places.edge()
    await edge.says("Тимоха, как дела?", 7)
    await places.telegram.count(1)
    seen = asyncio.Event()

    def lose(text: str) -> None:
        if len(places.telegram.texts) == 3 and not seen.is_set():
            seen.set()
            raise MessengerError("no answer")

    places.telegram.after_send = lose
    await edge.answer(7, LONG)
    await seen.wait()
    text, reply_to = places.telegram.texts[2]
    assert await edge.owner_writes(text, 1003, reply_to=reply_to) is Effect.OWN
    await edge.idle()
    record = await edge.ports.chats.load("2")
    assert record.paused_until is None
    assert record.history[-1].text == LONG.strip()


async def test_killed_before_a_sent_part_is_recorded_it_is_ours_at_the_next_start(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, как дела?", 7)
    await places.telegram.count(1)
    sent = asyncio.Event()

    def hang(text: str) -> None:
        if len(places.telegram.texts) == 2:
            sent.set()
            raise MessengerError("no answer")

    places.telegram.after_send = hang
    await edge.answer(7, LONG)
    await sent.wait()
    await edge.die()
    places.telegram.after_send = lambda text: None
    text, reply_to = places.telegram.texts[1]
    edge = places.edge()
    edge.drivers.hold()
    await edge.drivers.resume()
    assert await edge.owner_writes(text, 1002, reply_to=reply_to) is Effect.OWN
    edge.drivers.release()
    await edge.idle()
    assert [text for text, _ in places.telegram.texts].count(text) == 1


async def test_an_owner_who_answered_while_no_userbot_ran_is_not_answered_over(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, как дела?", 7)
    await places.telegram.count(1)
    await edge.die()
    edge = places.edge()
    edge.drivers.hold()
    await edge.drivers.resume()
    await edge.answer(7)
    assert await edge.owner_writes("ответил сам", 1002) is Effect.OWNER_TOOK_OVER
    edge.drivers.release()
    await edge.idle()
    assert len(places.telegram.texts) == 1


async def test_a_line_that_can_not_be_deleted_stops_nothing(places) -> None:
    edge = places.edge()
    await edge.says("Тимоха, как дела?", 7)
    await places.telegram.count(1)

    def refuse(what: str) -> None:
        raise Undeliverable("MESSAGE_DELETE_FORBIDDEN")

    places.telegram.before_edit = refuse
    await edge.owner_writes("сам", 1002)
    await edge.idle()
    assert (await edge.ports.chats.load("2")).withdrawn == ()


async def test_with_no_pause_the_owners_messages_change_nothing(places) -> None:
    edge = places.edge(owner_pause=timedelta(0))
    await edge.says("Тимоха, как дела?", 7)
    assert await edge.owner_writes("привет", 1002) is Effect.SILENT
    await edge.answer(7)
    await places.telegram.count(2)


async def test_own_messages_from_before_the_records_existed_pause_nothing(places) -> None:
    places.records = MemoryRecords(created_at=datetime.now(UTC))
    edge = places.edge()
    assert await edge.owner_writes("привет", 5, age=timedelta(minutes=5)) is Effect.TOO_OLD
    assert (await edge.ports.chats.load("2")).paused_until is None


async def test_records_from_when_the_clock_was_wrong_leave_no_message_of_the_owners_out(places) -> None:
    places.records = MemoryRecords(created_at=datetime.now(UTC) + timedelta(days=1))
    edge = places.edge()
    assert await edge.owner_writes("привет", 5) is Effect.OWNER_WROTE


def test_a_message_that_is_older_than_all_of_ours_that_are_known_may_be_ours_and_pauses_nothing() -> None:
    record = ChatRecord()
    for message_id in range(1001, 1001 + MAX_SENT):
        record = record_sent(record, SentMessage(message_id, "-", 7))
    late = take_own(record, own("часть ответа", message_id=1000), RULES, NOW)
    assert (late.record, late.effect) == (record, Effect.OWN)
    assert take_own(record, own("сам", message_id=1001 + MAX_SENT), RULES, NOW).effect is Effect.OWNER_WROTE


def test_a_message_from_before_the_history_was_deleted_may_be_ours_of_a_record_that_could_not_be_read() -> None:
    record = ChatRecord(deleted_to=1001)
    late = take_own(record, own("ответ", message_id=1000), RULES, NOW)
    assert (late.record, late.effect) == (record, Effect.OWN)
    assert take_own(record, own("сам", message_id=1002), RULES, NOW).effect is Effect.OWNER_WROTE


def test_a_flood_of_commands_does_not_make_the_line_that_is_being_sent_the_owners() -> None:
    record = ChatRecord()
    for number in range(1, MAX_NOTICES + 5):
        message = Incoming("1", "2", number, f"/set_context_length {number}", "en", NOW)
        record = receive(record, message, RULES, NOW).record
    line = record.notices[0]
    assert line.message_id == 1
    assert is_ours(record, own(line.text, reply_to=1))


async def test_a_line_whose_result_is_lost_and_whose_repeat_is_refused_is_ours(places) -> None:
    edge = places.edge()
    tries: list[str] = []

    def fail(text: str) -> None:
        tries.append(text)
        raise MessengerError("no answer") if len(tries) == 1 else Undeliverable("USER_IS_BLOCKED")

    places.telegram.after_send = fail
    await edge.says("/help", 7)
    await until(lambda: _told(edge))
    text, reply_to = places.telegram.texts[0]
    assert len(tries) == 2
    assert await edge.owner_writes(text, 1001, reply_to=reply_to) is Effect.OWN
    assert (await edge.ports.chats.load("2")).paused_until is None


async def test_a_thinking_line_that_was_not_recorded_is_found_though_a_newer_command_is_answered_first(
    places,
) -> None:
    edge = places.edge(owner_pause=timedelta(0))

    def hang(text: str) -> None:
        raise MessengerError("no answer")

    places.telegram.after_send = hang
    await edge.says("Тимоха, как дела?", 7)
    await places.telegram.count(1)
    await edge.die()
    places.telegram.after_send = lambda text: None
    places.telegram.by_random_id.clear()
    edge = places.edge(owner_pause=timedelta(0))
    edge.drivers.hold()
    await edge.drivers.resume()
    await edge.says("/help", 8)
    edge.drivers.release()
    await edge.answer(7)
    await edge.idle()
    assert [reply_to for _, reply_to in places.telegram.texts] == [7, 8, 1001]


async def _told(edge: Edge) -> bool:
    return not (await edge.ports.chats.load("2")).notices


async def test_an_earlier_answer_in_the_same_words_is_not_taken_for_the_one_that_is_looked_for(
    places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier command was deleted, so its answer replies to none any more."""
    edge = places.edge()
    await edge.says("/set_context_length 5", 7)
    await until(lambda: _told(edge))

    def away(text: str) -> None:
        raise MessengerError("no answer")

    async def find_own(chat: str, text: str, *, reply_to: int | None) -> int | None:
        return 1001

    places.telegram.before_send = away
    await edge.says("/set_context_length 5", 8)
    await edge.die()
    places.telegram.before_send = lambda text: None
    monkeypatch.setattr(places.telegram, "find_own", find_own)
    edge = places.edge()
    await edge.drivers.resume()
    await until(lambda: _told(edge))
    assert [reply_to for _, reply_to in places.telegram.texts] == [7, 8]


@pytest.mark.parametrize("group", ["-5", "-1000000000007", "-1000000000007t45"])
async def test_what_the_owner_writes_in_a_group_that_is_not_answered_leaves_no_trace(places, group) -> None:
    edge = places.edge(groups=People.of(["-6"]))
    for chat, effect in ((group, Effect.SILENT), ("-6", Effect.OWNER_WROTE)):
        date = datetime.now(UTC)
        assert await edge.own_intake.receive(OwnMessage("1", chat, 5, "привет", date)) is effect
        assert bool(await places.records.load(f"1.{chat}")) == (effect is Effect.OWNER_WROTE)


async def test_in_a_group_that_is_answered_no_more_what_is_unfinished_knows_its_own_messages(places) -> None:
    listed = Rules(groups=People.of(["-6"]))
    edge = places.edge()
    edge.drivers.hold()
    edge.rules = listed
    asked = Incoming("1", "-6", 5, "Тимоха, да?", "ru", datetime.now(UTC))
    assert await edge.intake.receive(asked) is Effect.ASKED
    line = phrases.thinking("ru", "1.-6.5.0")
    own = OwnMessage("1", "-6", 1001, line, datetime.now(UTC), reply_to=5)
    assert await edge.own_intake.receive(own) is Effect.OWN


def test_a_notice_that_is_seen_before_its_sending_is_recorded_is_sent_and_known_to_whoever_replies_to_it() -> None:
    record = ChatRecord(notices=(Notice(message_id=5, text="Готово."), Notice(message_id=6, text="Готово.")))
    taken = take_own(record, own("Готово.", 1002, reply_to=5), Rules(), NOW).record
    assert [notice.message_id for notice in taken.notices] == [6]
    assert taken.sent == (1002,)
    sent = record_sent(taken, SentMessage(1002, "Готово.", 5))
    assert (sent.sent, sent.notices) == (taken.sent, taken.notices)
