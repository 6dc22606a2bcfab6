"""Messages of one person that become one question: what the record says of them, whatever comes in between."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot.chat.bursts import (
    MAX_BURSTS,
    MAX_COLLECTING,
    MAX_PIECES,
    due_at,
    due_burst,
    limit_bursts,
    question_of,
)
from edge.userbot.chat.closing import close_burst, drop_doubtful, skip_burst
from edge.userbot.chat.deletions import take_deletion, take_deletion_from_bursts, take_edit
from edge.userbot.chat.incoming import Incoming, OwnMessage
from edge.userbot.chat.owner_turn import take_own
from edge.userbot.chat.policy import FOR_EVER, Policy
from edge.userbot.chat.question_progress import finish_question, record_answer, record_thinking_line
from edge.userbot.chat.record import MAX_QUESTION_BYTES, MAX_SEEN, SCHEMA, ChatRecord, Order, from_json
from edge.userbot.chat.steps import CloseBurst, ExpireApproval, Submit, Think, next_step, wake_at
from edge.userbot.chat.transitions import Decision, Effect, receive, refuse
from edge.userbot.delays import Delay
from edge.userbot.owner import changes
from edge.userbot.owner.reports import queue, status
from edge.userbot.people import People, Person
from edge.userbot.quiet_hours import QuietHours
from edge.userbot.rules import Rules
from edge.userbot.triggers import Triggers

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND, YEAR = timedelta(seconds=1), timedelta(days=365)
ALICE, BORIS = Person("42", name="Alice"), Person("43", name="Борис")
GROUP = "-1001234567890"
DEADLINE = timedelta(seconds=120)


class Chat:
    """A chat's record, and who writes there. `now` moves on by `pass_`."""

    def __init__(self, chat: str = "42", **rules: object) -> None:
        given = {"triggers": Triggers.of(["any"]), "groups": People.of([GROUP]), **rules}
        self.chat, self.rules, self.record, self.now = chat, Rules(**given), ChatRecord(), NOW  # type: ignore[arg-type]

    def says(self, text: str, message_id: int, sender: Person = ALICE, **more: object) -> Effect:
        return self._take(
            receive(
                self.record,
                Incoming("7", self.chat, message_id, text, "ru", self.now, sender=sender, **more),  # type: ignore[arg-type]
                self.rules,
                self.now,
            )
        )

    def owner_says(self, text: str, message_id: int) -> Effect:
        return self._take(
            take_own(self.record, OwnMessage("7", self.chat, message_id, text, self.now), self.rules, self.now)
        )

    def _take(self, decision: Decision) -> Effect:
        assert from_json(decision.record.to_json()) == decision.record
        self.record = decision.record
        return decision.effect

    def take(self, change: Callable[[ChatRecord], Decision]) -> Decision:
        decision = change(self.record)
        self._take(decision)
        return decision

    def pass_(self, seconds: float) -> None:
        self.now += seconds * SECOND

    def close(self) -> None:
        """Close what is due."""
        while isinstance(step := next_step(self.record, self.now), CloseBurst):
            self.record = close_burst(self.record, step.burst, "7", self.chat, now=self.now, deadline=DEADLINE)

    def answer(self, text: str = "ответ") -> None:
        assert self.record.current
        request_id = self.record.current.request_id
        record = record_answer(record_thinking_line(self.record, request_id, 900), request_id, text, self.now)
        self.record = finish_question(record, request_id, self.now, DEADLINE)

    @property
    def collected(self) -> list[list[str]]:
        return [[piece.text for piece in burst.pieces] for burst in self.record.bursts]

    @property
    def asked(self) -> str | None:
        return self.record.current.question.text if self.record.current else None


def test_what_one_person_writes_in_quick_succession_is_one_question_to_the_last_message() -> None:
    chat = Chat()
    assert chat.says("привет", 1) is Effect.COLLECTING
    chat.pass_(1)
    assert chat.says("слушай", 2) is Effect.COLLECTED
    chat.pass_(1)
    assert chat.says("ты где?", 3) is Effect.COLLECTED
    chat.pass_(0.99)
    chat.close()
    assert chat.asked is None
    chat.pass_(0.01)
    chat.close()
    assert chat.asked == "привет\nслушай\nты где?"
    assert chat.record.current
    assert (chat.record.current.request_id, chat.record.current.deadline) == ("7.42.3.0", chat.now + DEADLINE)
    assert isinstance(next_step(chat.record, chat.now), Think)
    assert chat.record.bursts == ()


@pytest.mark.parametrize(
    ("text", "seconds"), [("ты где?", 1.0), ("иду.", 1.0), ("иду", 1.5), ("иду…", 1.0), ("?)", 1.5)]
)
def test_a_burst_is_due_sooner_after_a_sentence(text, seconds) -> None:
    chat = Chat()
    chat.says(text, 1)
    assert wake_at(chat.record) == NOW + seconds * SECOND


def test_a_burst_is_due_a_minute_after_its_first_message_even_if_its_person_goes_on() -> None:
    chat = Chat()
    for number in range(1, 31):
        chat.says(f"и {number}", number)
        chat.pass_(1.95)
    chat.says("и", 31)
    chat.close()
    assert chat.asked is None
    assert chat.record.bursts[0].due_at == NOW + MAX_COLLECTING


def test_without_a_debounce_each_message_is_a_question() -> None:
    chat = Chat(debounce=timedelta(0))
    chat.says("раз", 1)
    chat.close()
    assert chat.asked == "раз"
    chat.says("два", 2)
    chat.says("три", 3)
    assert chat.collected == [["два", "три"]]


def test_bursts_are_of_one_person_each() -> None:
    chat = Chat(GROUP)
    chat.says("я", 1)
    chat.says("а я", 2, BORIS)
    chat.pass_(0.1)
    chat.says("тут", 3)
    assert chat.collected == [["я", "тут"], ["а я"]]
    chat.pass_(2)
    chat.close()
    assert chat.asked == "а я"  # it has been due for longer
    assert chat.record.current
    assert chat.record.current.question.speaker == "Борис"
    chat.answer()
    chat.close()
    assert chat.asked == "я\nтут"


def test_a_message_with_the_prefix_ends_the_burst_at_once_whoever_types() -> None:
    chat = Chat(delay=Delay.parse("60"))
    chat.says("привет", 1)
    assert chat.says("Тимоха, ты где", 2) is Effect.COLLECTED
    typing = {"42": chat.now + 6 * SECOND}
    assert wake_at(chat.record, typing) == chat.now
    chat.close()
    assert chat.asked == "привет\nты где"


def test_a_question_with_the_prefix_for_which_a_burst_has_no_room_stands_alone() -> None:
    chat = Chat()
    chat.says("привет", 1)
    assert chat.says("Тимоха, " + "я" * 8190, 2) is Effect.ASKED
    chat.answer()
    chat.pass_(2)
    chat.close()
    assert chat.asked == "привет"


def test_nor_does_one_join_that_may_have_been_answered_before() -> None:
    for more in ({"doubtful": True}, {"before_restore": True}):
        chat = Chat()
        chat.says("привет", 1)
        assert chat.says("Тимоха, раз", 2, **more) is Effect.ASKED
        assert chat.collected == [["привет"]]


def test_the_prefix_alone_and_commands_leave_a_burst_as_it_is() -> None:
    chat = Chat()
    chat.says("привет", 1)
    before = chat.record.bursts
    assert [
        chat.says(text, number) for number, text in enumerate(("Тимоха,", "/help", "/set_context_length 3"), 2)
    ] == [
        Effect.HINTED,
        Effect.HELPED,
        Effect.SET,
    ]
    assert chat.record.bursts == before


def test_once_a_burst_has_begun_all_its_person_says_is_part_of_it_but_what_is_for_a_bot() -> None:
    chat = Chat(triggers=Triggers.of(["questions"]))
    assert chat.says("привет", 1) is Effect.SILENT
    assert chat.says("ты где?", 2) is Effect.COLLECTING
    assert chat.says("ау", 3) is Effect.COLLECTED
    assert chat.says("/start", 4) is Effect.SILENT
    assert chat.says("via @gif", 5, by_machine=True) is Effect.SILENT
    assert chat.says("а я?", 6, BORIS) is Effect.COLLECTING
    assert chat.collected == [["ты где?", "ау"], ["а я?"]]


def test_what_was_said_before_a_burst_and_is_fetched_again_is_no_part_of_it() -> None:
    chat = Chat(triggers=Triggers.of(["questions"]))
    assert chat.says("привет", 1) is Effect.SILENT
    chat.says("ты где?", 2)
    assert chat.says("привет", 1) is Effect.SILENT
    assert chat.says("ты где?", 2) is Effect.DUPLICATE
    assert chat.collected == [["ты где?"]]


def test_messages_that_come_in_another_order_are_asked_in_theirs() -> None:
    chat = Chat(persona="ты кот")
    for number in (2, 4, 3, 1):
        chat.says(f"№{number}", number)
    assert chat.collected == [["№1", "№2", "№3", "№4"]]
    chat.pass_(2)
    chat.close()
    assert chat.record.current
    assert (chat.record.current.request_id, chat.record.current.question.persona) == ("7.42.4.0", "ты кот")


def test_only_the_newest_piece_keeps_the_persona() -> None:
    chat = Chat(persona="ты кот")
    for number in (1, 2, 3):
        chat.says(f"№{number}", number)
    assert [piece.persona for piece in chat.record.bursts[0].pieces] == ["", "", "ты кот"]
    chat.take(lambda record: take_deletion_from_bursts(record, {3}))
    assert [piece.persona for piece in chat.record.bursts[0].pieces] == ["", "ты кот"]


def test_more_than_there_is_room_for_is_ignored() -> None:
    chat = Chat()
    effects = [chat.says(f"№{number}", number) for number in range(1, MAX_PIECES + 3)]
    assert effects == [Effect.COLLECTING] + [Effect.COLLECTED] * (MAX_PIECES - 1) + [Effect.IGNORED_BUSY] * 2
    group = Chat(GROUP)
    people = [Person(str(number)) for number in range(1, MAX_BURSTS + 2)]
    effects = [group.says("я", number, person) for number, person in enumerate(people, 1)]
    assert effects == [Effect.COLLECTING] * MAX_BURSTS + [Effect.IGNORED_BUSY]


def test_texts_that_are_too_long_together_are_ignored_and_one_alone_is_cut() -> None:
    chat = Chat()
    chat.says("я" * 4096, 1)
    assert chat.says("ты" * 2048, 2) is Effect.IGNORED_BUSY
    assert chat.says("ты" * 2047, 3) is Effect.COLLECTED
    assert len(question_of(chat.record.bursts[0]).text.encode()) <= MAX_QUESTION_BYTES
    long = Chat()
    long.says("я" * 20_000, 1)
    assert len(question_of(long.record.bursts[0]).text.encode()) == MAX_QUESTION_BYTES


def test_an_edited_message_counts_as_edited_and_nothing_else_changes() -> None:
    chat = Chat()
    chat.says("превет", 1)
    chat.says("ты где?", 2)
    due = chat.record.bursts[0].due_at
    chat.take(lambda record: take_edit(record, 1, " привет\u200b ", chat.rules))
    assert (chat.collected, chat.record.bursts[0].due_at) == ([["привет", "ты где?"]], due)
    same = chat.record
    for message_id, text in ((1, "привет"), (9, "чужое")):
        assert chat.take(lambda record, n=message_id, text=text: take_edit(record, n, text, chat.rules)).record is same


def test_the_prefix_of_an_edited_message_is_left_out() -> None:
    chat = Chat()
    chat.says("привет", 1)
    chat.says("Тимоха, ты гд", 2)
    chat.take(lambda record: take_edit(record, 2, "Тимоха, ты где?", chat.rules))
    assert chat.collected == [["привет", "ты где?"]]


def test_a_question_whose_prefix_looks_like_a_command_stays_one_when_it_is_edited() -> None:
    chat = Chat(prefix="/ask")
    chat.says("привет", 1)
    chat.says("/ask ты гд", 2)
    chat.take(lambda record: take_edit(record, 2, "/ask ты где?", chat.rules))
    assert chat.collected == [["привет", "ты где?"]]


@pytest.mark.parametrize("text", ["", "\u200b", "/start"])
def test_a_message_that_is_edited_away_is_left_out(text) -> None:
    chat = Chat()
    chat.says("привет", 1)
    chat.says("ты где?", 2)
    chat.take(lambda record: take_edit(record, 2, text, chat.rules))
    assert chat.collected == [["привет"]]
    gone = chat.take(lambda record: take_edit(record, 1, text, chat.rules))
    assert (gone.effect, len(gone.dropped), chat.record.bursts) == (Effect.QUESTION_DELETED, 1, ())


def test_an_edit_makes_no_burst_longer_than_its_limit() -> None:
    chat = Chat()
    for number in range(1, MAX_PIECES + 1):
        chat.says("я", number)
    for number in range(1, MAX_PIECES + 1):
        chat.take(lambda record, number=number: take_edit(record, number, "я" * 4096, chat.rules))
    pieces = chat.record.bursts[0].pieces
    assert sum(len(piece.text.encode()) for piece in pieces) + len(pieces) <= MAX_QUESTION_BYTES + 1


def test_a_deleted_message_is_left_out_and_with_the_last_the_burst_is_gone() -> None:
    chat = Chat()
    for number, text in enumerate(("привет", "дурак", "ты где?"), 1):
        chat.says(text, number)
    chat.take(lambda record: take_deletion_from_bursts(record, {2, 77}))
    assert chat.collected == [["привет", "ты где?"]]
    gone = chat.take(lambda record: take_deletion_from_bursts(record, {1, 3}))
    assert gone.effect is Effect.QUESTION_DELETED
    assert [question.text for question in gone.dropped] == ["привет\nты где?"]
    assert next_step(chat.record, chat.now + YEAR) is None
    same = chat.record
    assert take_deletion_from_bursts(same, {1, 2, 3}) == Decision(same, Effect.SILENT)


def test_what_was_deleted_may_be_written_anew_within_the_window() -> None:
    chat = Chat()
    chat.says("привет", 1)
    chat.take(lambda record: take_deletion_from_bursts(record, {1}))
    assert chat.says("привет", 2) is Effect.COLLECTING


def test_after_the_newest_piece_is_deleted_the_answer_goes_to_the_one_before() -> None:
    chat = Chat()
    chat.says("привет", 1)
    chat.says("ой", 2)
    chat.take(lambda record: take_deletion(record, {2}))
    chat.pass_(2)
    chat.close()
    assert chat.record.current
    assert chat.record.current.request_id == "7.42.1.0"


def test_the_owners_message_takes_over_what_is_collected_and_what_waits_for_its_delay() -> None:
    chat = Chat(delay=Delay.parse("60"))
    chat.says("привет", 1)
    chat.pass_(30)
    assert chat.owner_says("привет!", 2) is Effect.OWNER_TOOK_OVER
    assert chat.record.bursts == ()
    assert chat.says("как дела?", 3) is Effect.PAUSED


def test_of_a_burst_on_both_sides_of_the_owners_message_the_older_pieces_are_theirs() -> None:
    chat = Chat()
    chat.says("привет", 1)
    chat.says("ещё вопрос", 4)
    assert chat.owner_says("привет!", 3) is Effect.OWNER_TOOK_OVER  # read late
    assert chat.collected == [["ещё вопрос"]]


def test_cancel_drops_what_was_collected_before_it_by_number_or_by_time() -> None:
    for numbered_together, date in ((True, NOW + 5 * SECOND), (False, NOW + 0.5 * SECOND)):
        chat = Chat()
        chat.says("раз", 1)
        chat.pass_(1)
        chat.says("два", 3)
        order = Order(message_id=2, text="/cancel", date=date)
        decision = chat.take(
            lambda record, o=order, n=numbered_together: changes.cancel(record, o, numbered_together=n)
        )
        assert [question.text for question in decision.dropped] == ["раз"]
        assert chat.collected == [["два"]]
        assert changes.cancel(chat.record, order, numbered_together=numbered_together).dropped == ()
    assert changes.cancel_everything(chat.record).record.bursts == ()


def test_status_counts_a_burst_as_waiting_and_queue_shows_its_whole_text() -> None:
    chat = Chat()
    chat.says("привет", 1)
    chat.says("ты где?", 2)
    english = Rules(locale="en")
    assert "Waiting: 1 question." in status({"42": chat.record}, english, chat.now, version="1")
    assert "Alice, 42: “привет ты где?”, waiting" in queue({"42": chat.record}, english)


def test_delete_history_forgets_what_is_collected_and_says_that_it_cancelled_something() -> None:
    chat = Chat()
    chat.says("привет", 1)
    before = Chat()
    before.says("/delete_history", 2)
    assert chat.says("/delete_history", 2) is Effect.DELETED
    assert (chat.record.bursts, chat.record.heard) == ((), ())
    assert chat.record.notices[0].text != before.record.notices[0].text
    assert chat.says("привет", 1) is Effect.CANCELLED or chat.says("привет", 1) is Effect.DUPLICATE


def test_the_answer_to_a_burst_needs_approval_if_that_of_any_piece_does_and_nothing_is_shown_before() -> None:
    chat = Chat(approve="new", thinking="reaction")
    chat.says("привет", 1)
    chat.rules = Rules(triggers=Triggers.of(["any"]), thinking="reaction")
    chat.says("ты где?", 2)
    question = question_of(chat.record.bursts[0])
    assert (question.approve, question.live, question.sign) == (True, False, "")
    chat.rules = Rules(triggers=Triggers.of(["any"]), live=True)
    chat.says("ау", 3)
    assert question_of(chat.record.bursts[0]).live is False


def test_a_burst_joins_the_question_whose_draft_waits() -> None:
    chat = Chat(approve="all")
    chat.says("раз", 1)
    chat.pass_(2)
    chat.close()
    assert chat.record.current
    record = record_thinking_line(chat.record, "7.42.1.0", 0)
    chat.record = record_answer(record, "7.42.1.0", "ответ", chat.now)
    chat.says("два", 2)
    assert isinstance(next_step(chat.record, chat.now), Submit)
    chat.pass_(2)
    chat.close()
    assert (chat.asked, chat.record.recalled) == ("раз\nдва", ("7.42.1.0",))


def test_the_draft_of_a_chat_is_not_held_up_by_a_person_who_types_there() -> None:
    chat = Chat(approve="all")
    chat.says("раз", 1)
    chat.pass_(2)
    chat.close()
    chat.record = record_answer(record_thinking_line(chat.record, "7.42.1.0", 0), "7.42.1.0", "ответ", chat.now)
    chat.says("два", 2)
    chat.pass_(2)
    typing = {"42": chat.now + 6 * SECOND}
    assert isinstance(next_step(chat.record, chat.now, typing=typing), Submit)
    assert chat.record.current
    submitted = chat.record.current.having(submitted=True, approve_until=chat.now)
    assert isinstance(next_step(chat.record.having(current=submitted), chat.now, typing=typing), ExpireApproval)


def test_a_burst_waits_while_its_person_types_but_no_longer_than_a_minute_and_holds_up_nobody_else() -> None:
    chat = Chat(GROUP)
    chat.says("я", 1)
    chat.says("и я", 2, BORIS)
    chat.pass_(2)
    typing = {"42": chat.now + 6 * SECOND}
    burst = due_burst(chat.record, chat.now, typing)
    assert burst
    assert burst.sender == "43"
    assert due_at(chat.record.bursts[0], typing) == chat.now + 6 * SECOND
    assert due_at(chat.record.bursts[0], {"42": NOW + YEAR}) == NOW + MAX_COLLECTING
    assert due_at(chat.record.bursts[0], {"42": NOW - YEAR}) == chat.record.bursts[0].due_at
    record = close_burst(chat.record, burst, "7", GROUP, now=chat.now, deadline=DEADLINE)
    assert record.current
    assert record.current.question.text == "и я"


@pytest.mark.parametrize("when_busy", ["ignore", "queue"])
def test_as_long_as_the_chat_is_busy_messages_are_collected_and_then_asked_as_one(when_busy) -> None:
    chat = Chat(when_busy=when_busy)
    chat.says("раз", 1)
    chat.pass_(2)
    chat.close()
    for number in range(2, 5):
        chat.says(f"№{number}", number)
        chat.pass_(60)
    chat.close()
    assert chat.asked == "раз"
    assert wake_at(chat.record.having(current=None)) is not None
    chat.answer()
    chat.close()
    assert chat.asked == "№2\n№3\n№4"


def test_what_waits_comes_before_a_burst() -> None:
    chat = Chat(GROUP, when_busy="queue")
    for number in (1, 2):
        chat.says(f"Тимоха, №{number}", number, BORIS)
    chat.says("а я", 3)
    chat.pass_(2)
    asked = []
    while chat.record.current:
        asked.append(chat.asked)
        chat.answer()
        chat.close()
    assert asked == ["№1", "№2", "а я"]


def test_the_delay_counts_from_the_first_message_and_lies_within_its_bounds() -> None:
    delays = set()
    for message_id in range(1, 50):
        chat = Chat(delay=Delay.parse("10-20"))
        chat.says("привет", message_id)
        chat.pass_(1)
        chat.says("ау", message_id + 1)
        delays.add((chat.record.bursts[0].due_at - NOW).total_seconds())
        again = Chat(delay=Delay.parse("10-20"))
        again.says("привет", message_id)
        assert again.record.bursts[0].due_at == chat.record.bursts[0].due_at
    assert all(10 <= seconds <= 20 for seconds in delays)
    assert max(delays) - min(delays) > 5


def test_a_longer_delay_than_a_minute_is_kept() -> None:
    chat = Chat(delay=Delay.parse("600"))
    chat.says("привет", 1)
    assert limit_bursts(chat.record, chat.now, chat.rules) is chat.record
    assert wake_at(chat.record) == NOW + 600 * SECOND


@pytest.mark.parametrize("by", [-YEAR, YEAR])
def test_a_clock_that_was_set_wrong_keeps_no_burst_for_long(by) -> None:
    chat = Chat(delay=Delay.parse("20"))
    chat.says("привет", 1)
    now = NOW + by
    record = limit_bursts(chat.record, now, chat.rules)
    at = wake_at(record)
    assert at
    assert at <= now + MAX_COLLECTING
    assert limit_bursts(record, now, chat.rules) is record
    chat.record, chat.now = record, now
    assert chat.says("ты где?", 2) is Effect.COLLECTED
    assert chat.record.bursts[0].due_at <= now + MAX_COLLECTING


def test_a_shorter_delay_counts_for_what_is_collected_already() -> None:
    chat = Chat(delay=Delay.parse("3600"))
    chat.says("привет", 1)
    assert wake_at(limit_bursts(chat.record, NOW, Rules())) == NOW + MAX_COLLECTING


RULES_AGAINST = {
    "person": ({"deny": People.of(["42"])}, Effect.REFUSED_PERSON),
    "allowed": ({"allow": People.of(["1"])}, Effect.REFUSED_PERSON),
    "quiet": ({"quiet_hours": (QuietHours.parse("11:00-13:00"),)}, Effect.QUIET_HOURS),
    "day": ({"max_answers_per_day": 1}, Effect.DAY_LIMIT),
    "hour": ({"max_without_prefix": 1}, Effect.HOUR_LIMIT),
    "minute": ({"max_answers": 1}, Effect.TOO_MANY),
}


@pytest.mark.parametrize("name", RULES_AGAINST)
def test_who_is_not_answered_by_a_rule_hears_nothing_of_it(name) -> None:
    rules, effect = RULES_AGAINST[name]
    chat = Chat(refused="line", **rules)
    if name not in ("person", "allowed", "quiet"):
        assert chat.says("раз", 1) is Effect.COLLECTING
        chat.pass_(2)
        chat.close()
        chat.answer()
    assert chat.says("два", 2) is effect
    assert (chat.record.notices, chat.record.bursts, chat.record.current) == ((), (), None)
    assert chat.says("Тимоха, три", 3) in {effect, Effect.SILENCED, Effect.ASKED}


@pytest.mark.parametrize(
    ("rules", "effect"),
    [
        ({"policy": Policy(paused_until=FOR_EVER)}, Effect.PAUSED),
        ({"quiet_hours": (QuietHours.parse("11:00-13:00"),)}, Effect.QUIET_HOURS),
        ({"deny": People.of(["42"])}, Effect.REFUSED_PERSON),
        ({"triggers": Triggers()}, Effect.SILENT),
    ],
)
def test_what_comes_after_a_rule_has_changed_is_no_piece_and_the_burst_is_asked_as_it_was(rules, effect) -> None:
    chat = Chat()
    chat.says("привет", 1)
    chat.rules = replace(chat.rules, **rules)
    assert chat.says("ты где?", 2) is effect
    chat.pass_(2)
    chat.close()
    assert chat.asked == "привет"


def test_limits_count_a_burst_once() -> None:
    chat = Chat(max_answers_per_day=2, max_without_prefix=2, max_answers=2)
    for number in range(1, 5):
        chat.says(f"№{number}", number)
    chat.says("Тимоха, и", 5)
    rate = chat.record.rate
    assert (rate.answers, rate.today, rate.without_prefix) == (1, 1, 1)
    chat.close()
    chat.answer()
    assert chat.says("ещё", 6) is Effect.COLLECTING
    chat.says("и ещё", 7)
    chat.pass_(2)
    chat.close()
    chat.answer()
    chat.rules = Rules(triggers=Triggers.of(["any"]), max_without_prefix=2)
    assert chat.says("и ещё раз", 8) is Effect.HOUR_LIMIT
    assert chat.says("Тимоха, раз", 9) is Effect.ASKED
    chat.answer()
    chat.pass_(3600)
    assert chat.says("и ещё раз", 10) is Effect.COLLECTING


@pytest.mark.parametrize("by", [-YEAR, YEAR])
def test_no_clock_silences_by_the_hours_limit_or_as_a_repeat_for_long(by) -> None:
    chat = Chat(max_without_prefix=1, max_answers=0)
    chat.says("раз", 1)
    chat.pass_(2)
    chat.close()
    chat.answer()
    assert chat.says("раз", 2) is Effect.REPEATED
    assert chat.says("два", 3) is Effect.HOUR_LIMIT
    chat.now += by
    assert chat.says("раз", 4) is Effect.COLLECTING


def test_the_same_text_within_the_window_is_answered_once_however_it_is_written() -> None:
    chat = Chat(GROUP)
    assert chat.says("Привет,  мир", 1) is Effect.COLLECTING
    chat.pass_(2)
    chat.close()
    assert chat.says("привет, МИР\u200b", 2) is Effect.REPEATED
    assert chat.says("Привет, мир", 3, BORIS) is Effect.COLLECTING
    chat.pass_(60)
    assert chat.says("Привет, мир", 4) is Effect.COLLECTING
    never = Chat(repeat_window=timedelta(0))
    never.says("раз", 1)
    never.pass_(2)
    never.close()
    assert never.says("раз", 2) is Effect.COLLECTING


def test_what_may_have_been_answered_before_the_records_were_lost_is_left_alone() -> None:
    chat = Chat()
    assert chat.says("привет", 1, doubtful=True) is Effect.DOUBTFUL
    assert chat.says("привет", 2, before_restore=True) is Effect.DOUBTFUL
    assert (chat.record.bursts, chat.record.notices) == ((), ())
    assert chat.says("привет", 1) is Effect.DUPLICATE


def test_what_is_older_than_all_that_the_record_remembers_is_left_alone_when_it_is_read_again() -> None:
    chat = Chat(GROUP, max_without_prefix=0, max_answers=0, repeat_window=timedelta(0))
    for number in range(1, MAX_SEEN + 2):
        chat.says(f"{number}", number, Person(f"{number % 8}"))
        chat.record = chat.record.having(bursts=())  # answered
    assert chat.says("1", 1, Person("1")) is Effect.DOUBTFUL
    assert chat.says("2", 2, Person("2")) is Effect.DUPLICATE
    assert chat.says(f"{MAX_SEEN + 2}", MAX_SEEN + 2) is Effect.COLLECTING
    chat.record = chat.record.having(bursts=())
    assert chat.says("Тимоха, один", 1, Person("1")) is Effect.ASKED


def test_a_burst_that_a_backup_contained_is_dropped_and_one_begun_since_is_not() -> None:
    chat = Chat(GROUP)
    chat.says("привет", 1)
    chat.pass_(5)
    chat.says("и я", 2, BORIS)
    decision = chat.take(lambda record: drop_doubtful(record, NOW + SECOND))
    assert decision.effect is Effect.DOUBTFUL
    assert [question.text for question in decision.dropped] == ["привет"]
    assert chat.collected == [["и я"]]
    assert drop_doubtful(chat.record, NOW + SECOND).record is chat.record


def test_a_message_that_cant_be_stored_leaves_the_burst_as_it_was_and_gets_a_line() -> None:
    chat = Chat()
    chat.says("привет", 1)
    message = Incoming("7", "42", 2, "ты где?", "ru", chat.now, sender=ALICE)
    decision = refuse(chat.record, message, chat.rules, chat.now, reason="internal")
    assert (decision.effect, decision.record.bursts) == (Effect.REFUSED, chat.record.bursts)
    assert len(decision.record.notices) == 1


def test_a_burst_that_cant_be_closed_is_dropped_with_a_line() -> None:
    chat = Chat()
    chat.says("привет", 1)
    record = skip_burst(chat.record, chat.record.bursts[0])
    assert record.bursts == ()
    assert [notice.message_id for notice in record.notices] == [1]


def test_what_is_too_old_is_left_alone_and_a_command_that_is_not_answered_stays_one() -> None:
    chat = Chat()
    message = Incoming("7", "42", 1, "привет", "ru", NOW - timedelta(hours=1), sender=ALICE)
    assert receive(chat.record, message, chat.rules, NOW).effect is Effect.TOO_OLD


def test_the_release_before_does_not_read_a_record_that_collects_and_reads_it_afterwards() -> None:
    chat = Chat()
    chat.says("привет", 1)
    assert f'"schema":{SCHEMA}' in chat.record.to_json().decode()
    chat.pass_(2)
    chat.close()
    assert '"schema":1' in chat.record.to_json().decode()


def test_a_record_without_bursts_is_written_as_the_release_before_did() -> None:
    old = ChatRecord().to_json()
    for name in (b"bursts", b"heard", b"without_prefix", b"hour_since", b"sign"):
        assert name not in old


TEXTS = st.sampled_from(["привет", "ты где?", "Тимоха, раз", "/help", "/start", "я" * 4096, "\u200b", "ау"])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("says"), TEXTS, st.integers(1, 30), st.sampled_from([ALICE, BORIS])),
        st.tuples(st.just("edit"), TEXTS, st.integers(1, 30), st.none()),
        st.tuples(st.just("delete"), st.none(), st.integers(1, 30), st.none()),
        st.tuples(st.just("owner"), st.none(), st.integers(1, 30), st.none()),
        st.tuples(st.just("pass"), st.none(), st.integers(0, 40), st.none()),
        st.tuples(st.just("answer"), st.none(), st.none(), st.none()),
    ),
    max_size=30,
)


@given(ACTS, st.sampled_from(["ignore", "queue"]), st.sampled_from(["0", "5", "100"]))
def test_whatever_happens_pieces_are_in_order_within_limits_and_each_gets_at_most_one_question(
    acts, when_busy, delay
) -> None:
    chat = Chat(
        GROUP,
        when_busy=when_busy,
        delay=Delay.parse(delay),
        max_answers=0,
        repeat_window=timedelta(0),
        owner_pause=SECOND,
    )
    asked: list[str] = []
    for act, text, number, sender in acts:
        match act:
            case "says":
                chat.says(text, number, sender)
            case "edit":
                chat.take(lambda record, n=number, t=text: take_edit(record, n, t, chat.rules))
            case "delete":
                chat.take(lambda record, n=number: take_deletion_from_bursts(record, {n}))
            case "owner":
                chat.owner_says("сам", number)
            case "pass":
                chat.pass_(number)
            case "answer" if chat.record.current:
                asked.append(chat.record.current.request_id)
                chat.answer()
        chat.close()
        for burst in chat.record.bursts:
            ids = [piece.message_id for piece in burst.pieces]
            assert ids == sorted(set(ids))
            assert len(burst.pieces) <= MAX_PIECES
            assert len(question_of(burst).text.encode()) <= MAX_QUESTION_BYTES
            assert (
                burst.not_before
                <= burst.due_at
                <= burst.close_by
                <= chat.now + max(MAX_COLLECTING, chat.rules.delay.most)
            )
        assert len({burst.sender for burst in chat.record.bursts}) == len(chat.record.bursts)
    while chat.record.current or chat.record.waiting or chat.record.bursts:
        chat.pass_(100)
        chat.close()
        assert chat.record.current
        asked.append(chat.record.current.request_id)
        chat.answer()
        chat.close()
    assert len(asked) == len(set(asked))
    assert wake_at(chat.record) is None
