"""The policy record: what holds for all chats of an account, and how it is kept."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from structlog.testing import capture_logs

from edge.userbot.chat.policy import (
    BY_FLOOD,
    BY_OWNER,
    FLOOD_PAUSE,
    FOR_EVER,
    MAX_COUNTED,
    MAX_ENTRIES,
    PAUSED_AS_UNREADABLE,
    Policy,
    allow,
    answers_of,
    count_answer,
    deny,
    from_json,
    is_paused,
    pause,
    pause_for_flood,
    resume,
    tell_owner,
    untold_flood,
)
from edge.userbot.chat.record import ChatRecord, UnreadableRecord
from edge.userbot.storage.chats import Chats
from edge.userbot.storage.policy import PolicyStore
from events.memory import MemoryMarks, MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TODAY = "2026-11-20"
RETRYING = Retrying(SystemClock(), Random(0))
UNREADABLE = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b'{"schema":2}',
    b'{"schema":1,"answers":-1}',
    b'{"schema":1,"paused_until":"soon"}',
]


def store(records: MemoryRecords) -> PolicyStore:
    return PolicyStore(records, "7", retrying=RETRYING)


def test_the_record_is_read_as_it_was_written() -> None:
    policy = pause_for_flood(count_answer(deny(allow(Policy(), "42"), "@bob"), "7.42.1.0", TODAY, 5), NOW)
    assert from_json(policy.to_json()) == policy


@pytest.mark.parametrize("value", UNREADABLE)
def test_what_is_not_a_policy_of_a_known_version_is_no_policy(value) -> None:
    with pytest.raises(UnreadableRecord):
        from_json(value)


def test_a_pause_ends_by_itself_or_with_resume() -> None:
    paused = pause(Policy(), NOW, NOW + HOUR, NOW)
    assert (is_paused(paused, NOW), is_paused(paused, NOW + HOUR)) == (True, False)
    assert not is_paused(resume(paused, NOW), NOW)
    assert resume(Policy(), NOW) == Policy(resumed_at=NOW)


def test_no_pause_shortens_another() -> None:
    flooded = pause_for_flood(Policy(), NOW)
    assert pause(flooded, NOW, NOW + HOUR, NOW) is flooded
    longer = pause(flooded, NOW, FOR_EVER, NOW)
    assert (longer.paused_until, longer.paused_by) == (FOR_EVER, BY_OWNER)
    assert pause_for_flood(longer, NOW) is longer


def test_a_flood_pauses_once_and_again_only_after_that() -> None:
    flooded = pause_for_flood(Policy(), NOW)
    assert (flooded.paused_until, flooded.paused_by, flooded.owner_told) == (NOW + FLOOD_PAUSE, BY_FLOOD, False)
    assert pause_for_flood(flooded, NOW + HOUR) is flooded
    assert pause_for_flood(flooded, NOW + FLOOD_PAUSE).paused_until == NOW + 2 * FLOOD_PAUSE
    assert pause_for_flood(pause(Policy(), NOW, NOW + HOUR, NOW), NOW).paused_by == BY_FLOOD


def test_a_person_is_on_one_list_at_a_time() -> None:
    policy = deny(allow(allow(Policy(), "42"), "42"), "42")
    assert (policy.allowed, policy.denied) == ((), ("42",))
    assert allow(policy, "42").denied == ()


def test_a_list_keeps_its_newest_entries() -> None:
    policy = Policy()
    for number in range(1, MAX_ENTRIES + 2):
        policy = deny(policy, str(number))
    assert (len(policy.denied), policy.denied[-1]) == (MAX_ENTRIES, str(MAX_ENTRIES + 1))
    assert from_json(policy.to_json()) == policy


def test_a_request_is_counted_once_and_only_while_the_day_has_room() -> None:
    policy = count_answer(Policy(), "7.42.1.0", TODAY, 2)
    assert count_answer(policy, "7.42.1.0", TODAY, 2) is policy
    policy = count_answer(policy, "7.42.2.0", TODAY, 2)
    assert count_answer(policy, "7.42.3.0", TODAY, 2) is policy
    assert answers_of(policy, TODAY) == 2
    assert answers_of(count_answer(policy, "7.42.3.0", "2026-11-21", 2), "2026-11-21") == 1


def test_the_newest_requests_are_remembered_also_over_midnight() -> None:
    policy = Policy()
    for number in range(MAX_COUNTED + 1):
        policy = count_answer(policy, f"7.42.{number}.0", TODAY, 10**6)
    assert len(policy.counted) == MAX_COUNTED
    assert count_answer(policy, f"7.42.{MAX_COUNTED}.0", "2026-11-21", 9) is policy


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (
            b'{"schema":9}',
            "the policy record was written by a newer version of Timokha (schema 9, this version knows 1)",
        ),
        (b'{"schema":1,"answers":-1}', "the policy record can't be read (greater_than_equal)"),
        (b"{}", "the policy record can't be read (it is not ours)"),
    ],
)
def test_an_unreadable_policy_says_why(value, line) -> None:
    with pytest.raises(UnreadableRecord) as unreadable:
        from_json(value)
    assert str(unreadable.value).removesuffix(": run that version") == line


def test_a_pause_says_since_when_it_lasts_and_what_for() -> None:
    paused = Policy(paused_since=NOW, paused_until=NOW + HOUR, paused_by=BY_OWNER, owner_told=True)
    assert pause(Policy(), NOW, NOW + HOUR, NOW) == paused
    flooded = Policy(paused_since=NOW, paused_until=NOW + FLOOD_PAUSE, paused_by=BY_FLOOD)
    assert pause_for_flood(paused.having(paused_since=NOW - HOUR), NOW) == flooded
    assert resume(pause(Policy(), NOW, FOR_EVER, NOW), NOW + HOUR) == Policy(resumed_at=NOW + HOUR)
    assert resume(tell_owner(flooded, NOW + FLOOD_PAUSE), NOW) == Policy(resumed_at=NOW)


def test_a_pause_may_begin_in_the_moment_in_which_the_last_one_was_ended() -> None:
    resumed = resume(Policy(), NOW)
    assert pause(resumed, NOW, NOW + HOUR, NOW).paused_until == NOW + HOUR
    assert pause(resumed, NOW - timedelta(microseconds=1), NOW + HOUR, NOW) is resumed


def test_a_pause_that_ends_with_another_changes_nothing() -> None:
    flooded = pause_for_flood(Policy(), NOW)
    assert pause(flooded, NOW, NOW + FLOOD_PAUSE, NOW) is flooded
    paused = pause(Policy(), NOW, NOW + FLOOD_PAUSE, NOW)
    assert pause_for_flood(paused, NOW) is paused


def test_resuming_twice_at_once_changes_nothing_but_later_it_says_when() -> None:
    resumed = resume(Policy(), NOW)
    assert resume(resumed, NOW) is resumed
    assert resume(resumed, NOW + HOUR).resumed_at == NOW + HOUR


def test_a_clock_that_is_set_back_makes_a_pause_at_most_twice_as_long() -> None:
    paused = pause(Policy(), NOW, NOW + HOUR, NOW)
    moment = timedelta(microseconds=1)
    assert [is_paused(paused, NOW - HOUR), is_paused(paused, NOW - HOUR + moment)] == [False, True]
    assert is_paused(paused, NOW + HOUR - moment)


def test_the_owner_hears_of_a_flood_once() -> None:
    flooded = pause_for_flood(Policy(), NOW)
    end = NOW + FLOOD_PAUSE
    assert untold_flood(flooded) == end
    told = tell_owner(flooded, end)
    assert (told, untold_flood(told)) == (flooded.having(owner_told=True), None)
    assert tell_owner(flooded, end + HOUR) is flooded
    assert untold_flood(pause(Policy(), NOW, end, NOW).having(owner_told=False)) is None


async def test_a_change_is_stored_and_one_that_changes_nothing_is_not() -> None:
    records = MemoryRecords()
    await store(records).change(lambda policy: policy)
    assert await records.load("7.policy") is None
    await store(records).change(lambda policy: deny(policy, "42"))
    assert (await store(records).load()).denied == ("42",)


async def test_changes_at_the_same_time_are_all_kept() -> None:
    records = MemoryRecords()

    def counting(number: int):
        return lambda policy: count_answer(policy, f"7.42.{number}.0", TODAY, 10)

    await asyncio.gather(*(store(records).change(counting(number)) for number in range(10)))
    assert answers_of(await store(records).load(), TODAY) == 10


@pytest.mark.parametrize("value", UNREADABLE)
async def test_a_policy_that_cant_be_read_pauses_everything_and_says_what_to_do_once(value) -> None:
    records = MemoryRecords()
    await records.save("7.policy", value, None)
    kept = store(records)
    with capture_logs() as logs:
        assert await kept.load() == await kept.load() == PAUSED_AS_UNREADABLE
    assert is_paused(PAUSED_AS_UNREADABLE, NOW)
    [line] = [line for line in logs if line["event"] == "policy.unreadable"]
    assert "/resume" in line["error"]
    with pytest.raises(UnreadableRecord):
        await kept.change(lambda policy: resume(policy, NOW))
    await kept.start_afresh(lambda policy: resume(policy, NOW))
    assert await kept.load() == Policy(resumed_at=NOW)


async def test_the_chats_of_an_account_do_not_include_its_policy() -> None:
    records = MemoryRecords()
    chats = Chats(records, MemoryMarks(), "7", retrying=RETRYING)
    await chats.policy.change(lambda policy: deny(policy, "42"))
    await chats.change("42", lambda record: record.having(seen=(1,)))
    found = []

    async def take(chat: str, unfinished: bool) -> None:
        found.append((chat, unfinished))

    await chats.each(take)
    assert found == [("42", False)]
    assert await chats.load("42") == ChatRecord(seen=(1,))
