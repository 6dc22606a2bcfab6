"""What the owner orders in their own chat: how it is written, and how it gets into the record and out of it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot.chat import policy as policies
from edge.userbot.chat.incoming import OwnMessage
from edge.userbot.chat.policy import FOR_EVER, MAX_ENTRIES, Policy
from edge.userbot.chat.record import (
    MAX_NOTICES,
    MAX_ORDERS,
    NO_MESSAGE,
    ChatRecord,
    Current,
    Draft,
    Notice,
    Order,
    Question,
    from_json,
)
from edge.userbot.chat.transitions import Effect
from edge.userbot.owner import phrases
from edge.userbot.owner.changes import (
    allow,
    cancel,
    cancel_everything,
    deny,
    end_of,
    forget_all_but_answers,
    pause_chat,
    questions_before,
    resume_all,
    resume_chat,
)
from edge.userbot.owner.orders import (
    ALL,
    COMMANDS,
    MAX_NAMED,
    MAX_TIME,
    Allow,
    Cancel,
    Deny,
    Help,
    Limits,
    Misused,
    Pause,
    Queue,
    Resume,
    Status,
    Unknown,
    parse_order,
    parse_time,
)
from edge.userbot.owner.receiving import finish_order, receive_order
from edge.userbot.rules import Rules

NOW = datetime(2026, 11, 27, 12, 0, 0, 500_000, tzinfo=UTC)
RULES = Rules(names=frozenset({"timokha_bot"}))
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=200)
LIKE_ORDERS = st.builds(
    " ".join,
    st.lists(
        st.one_of(
            st.sampled_from([f"/{name}" for name in COMMANDS]),
            st.sampled_from(["/STATUS", "/pause@timokha_bot", ALL, "@ann", "10m", "0", "9999d", "-100123", "\n"]),
            ANY_TEXT,
        ),
        max_size=4,
    ),
)


def own(text: str, message_id: int = 7, date: datetime = NOW) -> OwnMessage:
    return OwnMessage("1", "1", message_id, text, date)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("/status", Status()),
        (" /STATUS\n", Status()),
        ("/Status@Timokha_Bot", Status()),
        ("/limits", Limits()),
        ("/queue", Queue()),
        ("/help", Help()),
        ("/resume", Resume(ALL)),
        ("/resume all", Resume(ALL)),
        ("/resume @Ann_1", Resume("@ann_1")),
        ("/cancel", Cancel(ALL)),
        ("/cancel -1001234", Cancel("-1001234")),
        ("/allow", Allow()),
        ("/allow @Ann 123 contacts", Allow(("@ann", "123", "contacts"))),
        ("/deny wrote_first", Deny(("wrote_first",))),
    ],
)
def test_an_order_is_read_whatever_its_case(text: str, order: object) -> None:
    assert parse_order(text, RULES.names) == order


@pytest.mark.parametrize(
    ("arguments", "pause"),
    [
        ("", Pause(ALL, None)),
        ("all", Pause(ALL, None)),
        ("ALL 2h", Pause(ALL, hours(2))),
        ("10m", Pause(ALL, hours(1 / 6))),
        ("90", Pause(ALL, hours(1.5))),
        ("2Ч", Pause(ALL, hours(2))),
        ("30м", Pause(ALL, hours(0.5))),
        ("1д", Pause(ALL, hours(24))),
        ("123456", Pause("123456", None)),
        ("@ann", Pause("@ann", None)),
        ("@ann 365d", Pause("@ann", hours(24 * 365))),
        ("7 30", Pause("7", hours(0.5))),
    ],
)
def test_a_pause_has_a_chat_or_a_time_or_both(arguments: str, pause: Pause) -> None:
    assert parse_order(f"/pause {arguments}") == pause


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/pause 0", "pause"),
        ("/pause 366d", "pause"),
        ("/pause 10m @ann", "pause"),
        ("/pause all 10m 20m", "pause"),
        ("/pause tomorrow", "pause"),
        ("/pause ٣", "pause"),
        ("/resume 0", "resume"),
        ("/resume @ann @bob", "resume"),
        ("/cancel my questions", "cancel"),
        ("/allow all", "allow"),
        ("/deny ann", "deny"),
        ("/deny @" + "a" * 40, "deny"),
        ("/allow " + "1 " * 21, "allow"),
        ("/status now", "status"),
        ("/help\n/status", "help"),
    ],
)
def test_a_command_with_arguments_that_do_not_fit_is_answered_with_how_to_write_it(text: str, name: str) -> None:
    assert parse_order(text) == Misused(name)
    for locale in ("ru", "en"):
        assert f"/{name}" in phrases.how_to_order(locale, Misused(name))
        assert "\n" not in phrases.how_to_order(locale, Misused(name))


@pytest.mark.parametrize("text", ["", "buy milk", "status", "see /status", "//status", "/", "/ status", "/usr/bin/env"])
def test_the_owners_notes_are_no_orders(text: str) -> None:
    assert parse_order(text) is None


def test_an_unknown_command_is_noticed_on_one_line_only() -> None:
    assert parse_order("/start") == Unknown()
    assert parse_order("/etc holds the settings\nand /usr the programs") is None


def test_a_command_to_another_bot_is_none() -> None:
    assert parse_order("/status@other_bot", RULES.names) is None


@given(st.one_of(ANY_TEXT, LIKE_ORDERS))
def test_no_text_makes_parsing_fail(text: str) -> None:
    parse_order(text, RULES.names)


@given(st.lists(st.one_of(ANY_TEXT, LIKE_ORDERS), max_size=6))
def test_any_messages_are_taken_in_once_and_the_record_can_be_stored(texts: list[str]) -> None:
    record = ChatRecord()
    for number, text in enumerate(texts, 1):
        record = receive_order(record, own(text, number), RULES, NOW).record
    for number, text in enumerate(texts, 1):
        again = receive_order(record, own(text, number), RULES, NOW)
        assert again.record is record
        assert again.effect in (Effect.DUPLICATE, Effect.SILENT)
    assert len(record.orders) == sum(parse_order(text, RULES.names) is not None for text in texts)
    assert len(from_json(record.to_json()).orders) == len(record.orders)


def test_an_order_is_dated_when_it_was_sent_but_never_in_the_future() -> None:
    def dated(date: datetime) -> datetime:
        return receive_order(ChatRecord(), own("/pause 10m", date=date), RULES, NOW).record.orders[0].date

    whole = NOW.replace(microsecond=0)
    assert dated(whole) == NOW, "Telegram's dates are rounded down"
    assert dated(whole - timedelta(minutes=5)) == whole - timedelta(minutes=5) + timedelta(seconds=1)


def test_an_order_that_was_missed_for_too_long_is_not_obeyed() -> None:
    old = own("/pause", date=NOW - RULES.catch_up_window - timedelta(seconds=1))
    decision = receive_order(ChatRecord(), old, RULES, NOW)
    assert (decision.effect, decision.record.orders) == (Effect.TOO_OLD, ())
    assert receive_order(decision.record, old, RULES, NOW).effect is Effect.DUPLICATE


def test_orders_beyond_the_limit_get_one_line_together() -> None:
    record = ChatRecord()
    for number in range(1, MAX_ORDERS + 6):
        decision = receive_order(record, own("/status", number), RULES, NOW)
        record = decision.record
        assert decision.effect is (Effect.ORDERED if number <= MAX_ORDERS else Effect.TOO_MANY_ORDERS)
    assert len(record.orders) == MAX_ORDERS
    assert [notice.message_id for notice in record.notices] == [MAX_ORDERS + 1]


def test_an_order_that_is_carried_out_is_answered_once() -> None:
    record = receive_order(ChatRecord(), own("/status"), RULES, NOW).record
    order = record.orders[0]
    answered = finish_order(record, order, "so it is")
    assert (answered.orders, answered.notices) == ((), (Notice(message_id=7, text="so it is"),))
    assert finish_order(answered, order, "so it is") is answered


def test_no_answer_is_lost_because_others_wait_to_be_sent() -> None:
    notices = tuple(Notice(message_id=number, text="-") for number in range(100, 100 + MAX_NOTICES))
    record = receive_order(ChatRecord(notices=notices), own("/status"), RULES, NOW).record
    assert record.notices == notices
    assert record.orders


ORDER = Order(message_id=50, text="", date=NOW)
MOMENTS = st.one_of(st.none(), st.integers(-600, 600).map(lambda minutes: NOW + timedelta(minutes=minutes)))
RECORDS = st.builds(
    lambda since, until, ids, current: ChatRecord(
        paused_since=since,
        paused_until=until,
        waiting=tuple(asked(id_) for id_ in ids),
        current=asking(asked(current)) if current else None,
    ),
    MOMENTS,
    MOMENTS,
    st.lists(st.integers(40, 60), max_size=3),
    st.one_of(st.none(), st.integers(40, 60)),
)
ENTRIES = st.lists(st.sampled_from(["1", "2", "@ann", "contacts"]), max_size=4)


def asked(message_id: int) -> Question:
    return Question(message_id=message_id, text="why?", locale="en", asked_at=NOW + timedelta(seconds=message_id - 50))


def asking(question: Question) -> Current:
    return Current(question=question, request_id=f"1.2.{question.message_id}.0", deadline=NOW, thinking_id=9)


@given(RECORDS, st.timedeltas(timedelta(minutes=1), timedelta(days=365)), st.booleans())
def test_an_order_that_is_repeated_changes_nothing_more_in_a_chat(record, time, together) -> None:
    for change in (
        lambda record: pause_chat(record, ORDER.date, ORDER.date + time, NOW),
        lambda record: resume_chat(record, ORDER, NOW),
        lambda record: cancel(record, ORDER, numbered_together=together).record,
        lambda record: cancel_everything(record).record,
    ):
        changed = change(record)
        assert change(changed) is changed


@given(ENTRIES, ENTRIES, ENTRIES, MOMENTS, MOMENTS)
def test_an_order_that_is_repeated_changes_nothing_more_in_the_policy(allowed, denied, who, since, until) -> None:
    policy = Policy(allowed=tuple(allowed), denied=tuple(denied), paused_since=since, paused_until=until)
    for change in (
        lambda policy: allow(policy, who),
        lambda policy: deny(policy, who),
        lambda policy: resume_all(policy, ORDER, NOW),
    ):
        changed = change(policy)
        assert change(changed) is changed
    assert not set(allow(policy, who).denied) & set(who)
    assert set(who) <= set(deny(policy, who).denied)


def test_a_pause_does_not_shorten_a_longer_one() -> None:
    record = pause_chat(ChatRecord(), NOW, FOR_EVER, NOW)
    assert pause_chat(record, NOW, NOW + hours(1), NOW) is record


def test_a_pause_that_is_read_after_a_later_order_to_resume_does_not_begin() -> None:
    """While Telegram does not show what was missed, new messages are read before older ones."""
    before, after = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    record = resume_chat(ChatRecord(), ORDER, NOW)
    assert pause_chat(record, before, FOR_EVER, NOW) is record
    assert pause_chat(record, after, FOR_EVER, after).paused_until == FOR_EVER
    policy = resume_all(Policy(), ORDER, NOW)
    assert policies.pause(policy, before, FOR_EVER, NOW) is policy
    assert policies.pause(policy, after, FOR_EVER, after).paused_until == FOR_EVER


def test_who_was_denied_before_they_were_allowed_stays_allowed_whichever_order_is_read_first() -> None:
    policy = deny(allow(Policy(), ("@anna", "7"), by=22), ("@anna", "8"), by=14)
    assert (policy.allowed, policy.denied) == (("@anna", "7"), ("8",))
    assert deny(policy, ("@anna",), by=23).denied == ("8", "@anna")
    assert allow(deny(Policy(), ("7",), by=22), ("7",), by=14).denied == ("7",)


def test_an_order_to_resume_of_a_wrong_clock_prevents_no_pause() -> None:
    record = ChatRecord(resumed_at=NOW + hours(5))
    assert pause_chat(record, NOW, FOR_EVER, NOW).paused_until == FOR_EVER


def test_resuming_leaves_a_pause_that_began_after_the_order() -> None:
    late = NOW + timedelta(seconds=1)
    record = pause_chat(ChatRecord(), late, late + hours(1), late)
    policy = Policy(paused_since=late, paused_until=late + hours(1))
    assert resume_chat(record, ORDER, late) is record
    assert resume_all(policy, ORDER, late) is policy


def test_resuming_ends_a_pause_from_before_the_clock_was_set_back() -> None:
    wrong = NOW + hours(5)
    record = pause_chat(ChatRecord(), wrong, FOR_EVER, NOW)
    policy = Policy(paused_since=wrong, paused_until=FOR_EVER)
    assert resume_chat(record, ORDER, NOW).paused_until is None
    assert resume_all(policy, ORDER, NOW).paused_until is None


@pytest.mark.parametrize(("together", "order_id"), [(True, 50), (False, 1), (False, 999)])
def test_cancelling_leaves_what_was_asked_after_the_order(together: bool, order_id: int) -> None:
    record = ChatRecord(current=asking(asked(49)), waiting=(asked(48), asked(52)))
    order = ORDER.model_copy(update={"message_id": order_id})
    decision = cancel(record, order, numbered_together=together)
    assert [question.message_id for question in decision.dropped] == [49, 48]
    assert decision.effect is Effect.CANCELLED
    assert decision.record.current is None
    assert [question.message_id for question in decision.record.waiting] == [52]


def test_a_list_that_is_full_takes_nobody_in_and_forgets_nobody() -> None:
    policy = Policy(denied=tuple(str(id_) for id_ in range(1, MAX_ENTRIES + 1)))
    assert deny(policy, ("@eve",)) is policy
    assert deny(policy, ("7",)) is policy


def test_a_list_takes_in_as_many_as_it_has_room_for() -> None:
    policy = Policy(denied=tuple(str(id_) for id_ in range(2, MAX_ENTRIES + 1)))
    assert len(deny(policy, ("@eve",)).denied) == MAX_ENTRIES
    assert deny(policy, ("@eve", "@adam")) is policy
    assert deny(policy, ("7", "@eve")).denied == (*policy.denied, "@eve")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1", timedelta(minutes=1)),
        ("90М", timedelta(minutes=90)),
        ("2ч", timedelta(hours=2)),
        ("365d", MAX_TIME),
        ("366d", None),
        ("0m", None),
        ("0", None),
    ],
)
def test_a_time_is_above_zero_and_at_most_a_year(text: str, time: timedelta | None) -> None:
    assert parse_time(text) == time


def test_one_order_names_so_many_people_and_no_more() -> None:
    names = [str(number) for number in range(1, MAX_NAMED + 2)]
    assert parse_order(f"/allow {' '.join(names[:MAX_NAMED])}") == Allow(tuple(names[:MAX_NAMED]))
    assert parse_order(f"/allow {' '.join(names)}") == Misused("allow")


@pytest.mark.parametrize(
    "text", ["/pause @anna 0", "/pause @anna soon", "/pause a-b 5", "/pause @anna 5 6", "/pause 0"]
)
def test_a_pause_of_which_a_part_cant_be_read_is_misused(text: str) -> None:
    assert parse_order(text) == Misused("pause")


def test_a_chat_is_one_word() -> None:
    assert parse_order("/resume @an na") == Misused("resume")
    assert parse_order("/cancel 1 2") == Misused("cancel")


def test_a_pause_ends_after_its_time_or_never() -> None:
    assert end_of(Pause(time=hours(2)), ORDER) == NOW + hours(2)
    assert end_of(Pause(), ORDER) == FOR_EVER


def test_a_pause_begins_when_it_was_ordered_and_takes_the_place_of_one_that_is_over_by_then() -> None:
    paused = ChatRecord(paused_since=NOW, paused_until=NOW + hours(1))
    assert pause_chat(ChatRecord(), NOW, NOW + hours(1), NOW) == paused
    assert pause_chat(paused, NOW, NOW + hours(1), NOW) is paused
    wrong = ChatRecord(paused_since=NOW + hours(9), paused_until=NOW + hours(10))
    assert pause_chat(wrong, NOW, NOW + hours(1), NOW) == paused


def test_resuming_forgets_the_pause_and_says_when() -> None:
    paused = ChatRecord(paused_since=NOW - hours(1), paused_until=FOR_EVER)
    assert resume_chat(paused, ORDER, NOW) == ChatRecord(resumed_at=NOW)
    policy = Policy(paused_since=NOW - hours(1), paused_until=FOR_EVER)
    assert resume_all(policy, ORDER, NOW) == Policy(resumed_at=NOW)


def test_an_order_to_resume_from_before_the_last_one_changes_nothing() -> None:
    later = NOW + timedelta(seconds=1)
    record, policy = ChatRecord(resumed_at=later), Policy(resumed_at=later)
    assert resume_chat(record, ORDER, later) is record
    assert resume_all(policy, ORDER, later) is policy
    assert resume_chat(record, ORDER, NOW).resumed_at == NOW, "the clock was wrong then"
    assert resume_all(policy, ORDER, NOW).resumed_at == NOW


def test_a_pause_that_began_with_the_order_to_resume_is_ended() -> None:
    record, policy = (
        ChatRecord(paused_since=NOW, paused_until=FOR_EVER),
        Policy(paused_since=NOW, paused_until=FOR_EVER),
    )
    assert resume_chat(record, ORDER, NOW).paused_until is None
    assert resume_all(policy, ORDER, NOW).paused_until is None


def test_what_was_asked_in_the_moment_of_the_order_counts_as_asked_before() -> None:
    record = ChatRecord(waiting=(asked(50), asked(51)))
    assert questions_before(record, ORDER, numbered_together=False) == (asked(50),)
    assert questions_before(record, ORDER, numbered_together=True) == ()


def test_of_a_chat_that_is_forgotten_only_what_is_still_to_be_done_there_is_kept() -> None:
    """Its messages that were read are not read again, and the drafts that it shows are deleted."""
    kept = ChatRecord(seen=(1, 2), orders=(ORDER,), notices=(Notice(message_id=3, text="so it is"),), withdrawn=(8, 9))
    drafts = (Draft(chat="2", request_id="1.2.3.0", message_ids=(9, 11)),)
    drafts += (Draft(chat="2", request_id="1.2.4.0", message_ids=(NO_MESSAGE, 12)),)
    record = kept.having(waiting=(asked(5),), current=asking(asked(6)), drafts=drafts, paused_until=FOR_EVER)
    assert forget_all_but_answers(record) == kept.having(withdrawn=(8, 9, 11, 12))
    assert forget_all_but_answers(kept) is kept
