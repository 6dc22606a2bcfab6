"""Lists of people, quiet hours and time zones from any text, and the rules on any record."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot.chat.admission import Case, is_day_full, is_day_of_all_full, is_minute_full, is_paused, is_quiet_hour
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.policy import (
    Policy,
    allow,
    answers_of,
    count_answer,
    deny,
    from_json,
    pause,
    pause_for_flood,
    resume,
    tell_owner,
)
from edge.userbot.chat.record import ChatRecord, Rate, UnreadableRecord
from edge.userbot.chat.transitions import ANSWERED, BY_RULE, Effect, receive
from edge.userbot.people import People, Person, entry
from edge.userbot.quiet_hours import DAY, QuietHours, is_quiet, time_zone
from edge.userbot.rules import Rules
from edge.userbot.settings import UserbotSettings
from events.errors import SettingsError

T = TypeVar("T")

ANY_TEXT = st.text(max_size=40) | st.text(alphabet="0123456789:-– ,@abc_٣", max_size=20)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"]).map(
    time_zone
)
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(9990, 1, 1), timezones=st.just(UTC))
MINUTES = st.integers(0, DAY - 1)
ENTRIES = st.sampled_from(["1", "2", "-5", "@a", "@b", "contacts", "wrote_first"])
PEOPLE = st.builds(
    Person,
    id=st.sampled_from(["1", "2", "3"]),
    usernames=st.frozensets(st.sampled_from("abc"), max_size=2),
    contact=st.booleans(),
    wrote_first=st.sampled_from([None, True, False]),
)
POLICIES = st.builds(
    Policy,
    paused_since=st.none() | TIMES,
    paused_until=st.none() | TIMES,
    paused_by=st.sampled_from(["", "owner", "flood", "of a later version"]),
    allowed=st.lists(ENTRIES, max_size=3).map(tuple),
    denied=st.lists(ENTRIES, max_size=3).map(tuple),
    day=st.sampled_from(["", "2026-11-20", "nonsense"]),
    answers=st.integers(0, 5),
    counted=st.lists(st.sampled_from(["7.42.1.0", "7.42.2.0"]), max_size=2).map(tuple),
)


def read(reader: Callable[[str], T], text: str) -> T | None:
    """None where it is refused as it should be."""
    try:
        return reader(text)
    except (ValueError, SettingsError) as error:
        said = str(error)
    assert len(said.splitlines()) == 1
    assert len(said) < 400
    return None


@given(ANY_TEXT)
def test_quiet_hours_are_read_as_they_are_shown_or_refused_in_one_line(text: str) -> None:
    span = read(QuietHours.parse, text)
    if span is not None:
        assert QuietHours.parse(str(span)) == span
        assert 0 <= span.start < DAY
        assert 0 <= span.end <= DAY


@given(MINUTES, MINUTES, MINUTES)
def test_two_spans_that_meet_at_both_ends_are_the_whole_day_and_share_no_minute(
    start: int, end: int, minute: int
) -> None:
    if start == end:
        return
    one, other = QuietHours(start, end), QuietHours(end, start)
    assert one.contain(minute) is not other.contain(minute)


@given(ZONES, TIMES, st.integers(1, DAY - 1))
def test_quiet_hours_follow_the_wall_clock_of_the_zone(zone: tzinfo, now: datetime, length: int) -> None:
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    assert is_quiet([QuietHours(minute, (minute + length) % DAY)], local)
    assert not is_quiet([QuietHours((minute + 1) % DAY, minute)], local)


@given(ANY_TEXT)
def test_an_entry_is_read_as_it_is_compared_or_refused_in_one_line(text: str) -> None:
    found = read(entry, text)
    if found is not None:
        assert entry(found) == found
        assert People.of([text]) == People.of([found])


@given(ANY_TEXT)
def test_a_time_zone_is_one_or_is_refused_in_one_line(name: str) -> None:
    zone = read(time_zone, name)
    assert zone is None or datetime(2026, 1, 1, tzinfo=UTC).astimezone(zone)


@pytest.mark.parametrize("setting", ["allow", "deny", "quiet_hours", "time_zone", "refused", "max_answers_per_day"])
@given(text=ANY_TEXT)
def test_a_setting_holds_or_one_line_names_it(setting: str, text: str) -> None:
    read(lambda text: UserbotSettings.read(api_id="1", api_hash="x", **{setting: text}), text)


LISTS = st.lists(ENTRIES, max_size=3).map(People.of)
TEXTS = st.sampled_from(["Тимоха, раз", "Тимоха,", "/help", "/delete_history", "/set_context_length 5", "привет"])
RULES = st.builds(Rules, allow=LISTS, deny=LISTS, policy=POLICIES, refused=st.sampled_from(["silence", "line"]))


@given(PEOPLE, TEXTS, RULES)
def test_nothing_is_said_to_somebody_denied_but_the_line_that_the_owner_wants(
    person: Person, text: str, rules: Rules
) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    decision = receive(ChatRecord(), Incoming("7", "42", 1, text, "ru", now, sender=person), rules, now)
    if decision.effect in BY_RULE | {Effect.DELETED_SILENTLY}:
        assert decision.record.current is None
        assert len(decision.record.notices) <= (decision.effect in BY_RULE and rules.refused == "line")
    if People.of(rules.policy.denied).includes(person, "42"):
        assert decision.effect not in ANSWERED
    if not rules.policy.allowed and rules.allow and not rules.allow.includes(person, "42"):
        assert decision.effect not in ANSWERED


@given(POLICIES, TIMES, ZONES, st.builds(Rate, since=st.none() | TIMES, answers=st.integers(0, 5), silent_since=TIMES))
def test_no_record_makes_a_rule_fail(policy: Policy, now: datetime, zone: tzinfo, rate: Rate) -> None:
    rules = Rules(
        policy=policy,
        time_zone=zone,
        quiet_hours=(QuietHours(0, 60),),
        max_answers_per_day=2,
        max_answers_per_day_for_all=2,
    )
    case = Case(ChatRecord(rate=rate), Incoming("7", "42", 1, "", "ru", now), rules, now)
    for rule in (is_paused, is_quiet_hour, is_minute_full, is_day_full, is_day_of_all_full):
        assert rule(case) in (True, False)


@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["a", "b"])), max_size=60), st.integers(1, 20))
def test_no_day_counts_more_than_its_limit_nor_a_request_twice(asked: list[tuple[int, str]], limit: int) -> None:
    policy, admitted = Policy(), set()
    for number, day in asked:
        before = policy
        policy = count_answer(policy, str(number), day, limit)
        assert answers_of(policy, day) <= limit
        if policy is not before:
            assert str(number) not in before.counted
            admitted.add(number)
    assert {int(request) for request in policy.counted} <= admitted


@given(POLICIES, TIMES, st.timedeltas(timedelta(minutes=1), timedelta(days=30)), ENTRIES)
def test_every_change_of_the_policy_is_idempotent_and_survives_the_store(
    policy: Policy, now: datetime, length: timedelta, who: str
) -> None:
    changes = [
        lambda policy: pause(policy, now, now + length, now),
        lambda policy: pause_for_flood(policy, now),
        lambda policy: allow(policy, who),
        lambda policy: deny(policy, who),
        lambda policy: tell_owner(policy, now),
        lambda policy: resume(policy, now),
    ]
    for change in changes:
        changed = change(policy)
        assert change(changed) == changed
        assert from_json(changed.to_json()) == changed


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_policy_or_are_refused_in_one_line(value: bytes) -> None:
    try:
        assert isinstance(from_json(value), Policy)
    except UnreadableRecord as error:
        said = str(error)
    else:
        return
    assert len(said.splitlines()) == 1
