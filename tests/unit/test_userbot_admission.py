"""Who is answered and when: each rule by itself, and their order."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edge.userbot import phrases, quiet_hours
from edge.userbot.chat import policy as policies
from edge.userbot.chat.admission import Case, day_of, is_allowed, is_day_full, is_day_of_all_full, is_paused
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.policy import FOR_EVER, Policy
from edge.userbot.chat.question_progress import finish_question, record_answer
from edge.userbot.chat.record import ChatRecord, Notice, Rate, from_json
from edge.userbot.chat.transitions import Decision, Effect, receive
from edge.userbot.people import People, Person
from edge.userbot.quiet_hours import QuietHours, is_quiet, time_zone
from edge.userbot.rules import DEFAULT_PREFIX, Rules

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALICE = Person(id="42", usernames=frozenset({"alice"}), name="Alice")
COMMANDS = ["Тимоха, раз", "Тимоха,", "/help", "/set_context_length 5"]
NEVER = People.of(["1"])
"""A list of allowed people that Alice is not on."""


def incoming(text: str = "Тимоха, раз", message_id: int = 1, *, sender: Person = ALICE, chat: str = "42") -> Incoming:
    return Incoming("7", chat, message_id, text, "ru", NOW, sender=sender)


def taken(
    text: str = "Тимоха, раз",
    message_id: int = 1,
    *,
    record: ChatRecord | None = None,
    now: datetime = NOW,
    sender: Person = ALICE,
    **rules: object,
) -> Decision:
    message = Incoming("7", "42", message_id, text, "ru", now, sender=sender)
    return receive(record or ChatRecord(), message, Rules(**rules), now)


def said(decision: Decision) -> list[str]:
    return [notice.text for notice in decision.record.notices]


def people(*entries: str) -> People:
    return People.of(entries)


@pytest.mark.parametrize("entry", ["42", "@alice", "@Alice", " 42 "])
def test_an_id_or_a_username_in_any_case_names_a_person(entry) -> None:
    assert people(entry).includes(ALICE, "42")
    assert not people(entry).includes(Person(id="43", usernames=frozenset({"alicia"})), "43")


def test_the_id_of_a_group_names_everyone_in_it() -> None:
    assert people("-100").includes(ALICE, "-100")
    assert not people("-100").includes(ALICE, "42")


def test_contacts_are_those_whom_the_owner_has_saved() -> None:
    assert people("contacts").includes(Person(id="42", contact=True), "42")
    assert not people("contacts").includes(ALICE, "42")


def test_nobody_is_answered_on_a_guess_who_is_a_contact() -> None:
    unknown = Person(id="42", contact=None)
    assert not is_allowed(unknown, "-100", Rules(allow=people("contacts")))
    assert not is_allowed(unknown, "-100", Rules(deny=people("contacts")))
    assert is_allowed(unknown, "-100", Rules(deny=people("43")))
    assert is_allowed(ALICE, "-100", Rules(deny=people("contacts")))


@pytest.mark.parametrize(("wrote_first", "allowed", "denied"), [(True, True, True), (False, False, False)])
def test_who_wrote_first_is_on_the_list_that_says_so(wrote_first, allowed, denied) -> None:
    sender = Person(id="42", wrote_first=wrote_first)
    assert is_allowed(sender, "42", Rules(allow=people("wrote_first"))) is allowed
    assert is_allowed(sender, "42", Rules(deny=people("wrote_first"))) is not denied


def test_nobody_is_answered_on_a_guess_who_wrote_first() -> None:
    unknown = Person(id="42")
    assert not is_allowed(unknown, "42", Rules(allow=people("wrote_first")))
    assert not is_allowed(unknown, "42", Rules(deny=people("wrote_first")))
    assert not is_allowed(unknown, "42", Rules(policy=Policy(denied=("wrote_first",))))
    assert is_allowed(unknown, "42", Rules(allow=people("wrote_first", "42")))


def test_by_default_everyone_is_answered_and_with_a_list_only_those_on_it() -> None:
    assert is_allowed(ALICE, "42", Rules())
    assert not is_allowed(ALICE, "42", Rules(allow=NEVER))
    assert is_allowed(ALICE, "42", Rules(allow=people("@alice")))


@pytest.mark.parametrize(
    ("allow", "deny", "allowed", "denied", "answered"),
    [
        (["42"], ["@alice"], [], [], False),
        ([], ["42"], ["@alice"], [], True),
        (["1"], [], ["42"], [], True),
        (["42"], [], [], ["@alice"], False),
        ([], [], ["42"], ["42"], False),
        ([], [], ["1"], [], True),
    ],
    ids=["deny wins", "a command wins", "over the list too", "also to deny", "deny wins there too", "not a list"],
)
def test_deny_wins_and_what_a_command_says_wins_over_the_settings(allow, deny, allowed, denied, answered) -> None:
    policy = Policy(allowed=tuple(allowed), denied=tuple(denied))
    assert is_allowed(ALICE, "42", Rules(allow=People.of(allow), deny=People.of(deny), policy=policy)) is answered


@pytest.mark.parametrize("text", COMMANDS)
def test_somebody_who_is_not_allowed_gets_nothing_not_even_to_a_command(text) -> None:
    decision = taken(text, deny=people("42"))
    assert decision == Decision(ChatRecord(seen=(1,)), Effect.REFUSED_PERSON)


def test_what_somebody_denied_wants_forgotten_is_forgotten_without_a_word() -> None:
    busy = taken().record
    decision = taken("/delete_history", 2, record=busy, deny=people("42"), refused="line")
    assert decision.effect == Effect.DELETED_SILENTLY
    record = decision.record
    assert (record.current, record.erasing, record.deleted_to, said(decision)) == (None, True, 2, [])


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"deny": people("42")}, phrases.REFUSED_PERSON),
        ({"quiet_hours": (QuietHours.parse("11:00-13:00"),)}, phrases.QUIET_HOURS),
        ({"max_answers_per_day": 1}, phrases.DAY_LIMIT),
        ({"max_answers_per_day_for_all": 1, "policy": Policy(day="2026-11-20", answers=1)}, phrases.DAY_LIMIT),
    ],
    ids=["person", "quiet hours", "day", "day of all"],
)
def test_if_the_owner_wants_it_there_is_one_line_a_day_that_there_is_no_answer(rules, reason) -> None:
    record = ChatRecord(rate=Rate(day="2026-11-20", today=1))
    first = taken(record=record, refused="line", **rules)
    assert said(first) == [phrases.refusal("ru", reason)]
    told = from_json(first.record.having(notices=()).to_json())
    assert said(taken("Тимоха, два", 2, record=told, refused="line", now=NOW + HOUR, **rules)) == []
    assert said(taken(record=record, **rules)) == []


@pytest.mark.parametrize(("theirs", "owners", "said"), [("en", "ru", "en"), ("de", "en", "en"), ("de", "ru", "ru")])
def test_the_line_is_in_the_users_language_or_in_the_owners(theirs: str, owners: str, said: str) -> None:
    message = replace(incoming(), locale=theirs)
    held = receive(ChatRecord(), message, Rules(refused="line", deny=NEVER, allow=NEVER, locale=owners), NOW)
    assert held == Decision(
        ChatRecord(
            seen=(1,),
            refused_at=NOW,
            notices=(Notice(message_id=1, text=phrases.refusal(said, phrases.REFUSED_PERSON)),),
        ),
        Effect.REFUSED_PERSON,
    )


def test_the_line_comes_again_the_next_day_or_after_the_clock_was_set_back() -> None:
    told = taken(deny=people("42"), refused="line").record.having(notices=())
    for now in (NOW + DAY, NOW - DAY):
        assert len(said(taken("Тимоха, два", 2, record=told, now=now, deny=people("42"), refused="line"))) == 1


def test_what_a_pause_or_the_limit_of_a_minute_holds_back_gets_no_line() -> None:
    paused = taken(policy=policies.pause(Policy(), NOW, FOR_EVER, NOW), refused="line")
    assert (paused.effect, said(paused)) == (Effect.PAUSED, [])
    full = taken(record=ChatRecord(rate=Rate(since=NOW, answers=20)), refused="line")
    assert (full.effect, said(full)) == (Effect.TOO_MANY, [])


@pytest.mark.parametrize("where", ["chat", "all"])
@pytest.mark.parametrize("text", ["Тимоха, раз", "Тимоха,"])
def test_a_pause_holds_back_questions_until_it_ends_but_no_command(where, text) -> None:
    record = ChatRecord(paused_since=NOW, paused_until=NOW + HOUR) if where == "chat" else ChatRecord()
    policy = policies.pause(Policy(), NOW, NOW + HOUR, NOW) if where == "all" else Policy()
    almost = NOW + HOUR - timedelta(microseconds=1)
    assert taken(text, record=record, policy=policy, now=almost).effect == Effect.PAUSED
    assert taken("/help", record=record, policy=policy).effect == Effect.HELPED
    assert taken(text, record=record, policy=policy, now=NOW + HOUR).effect in {Effect.ASKED, Effect.HINTED}


def test_a_clock_that_is_set_back_makes_no_pause_longer_than_twice_its_length() -> None:
    record = ChatRecord(paused_since=NOW, paused_until=NOW + HOUR)

    def paused(now: datetime) -> bool:
        return is_paused(Case(record, incoming(), Rules(), now))

    assert paused(NOW - timedelta(seconds=5))
    assert not paused(NOW - HOUR)
    assert not paused(NOW - 365 * DAY)


@pytest.mark.parametrize(
    ("spans", "quiet", "loud"),
    [
        ("23:00-07:30", ["23:00", "00:00", "07:29"], ["22:59", "07:30", "12:00"]),
        ("12:00-13:00", ["12:00", "12:59"], ["11:59", "13:00"]),
        ("22:00-24:00", ["22:00", "23:59"], ["00:00"]),
        ("00:00-24:00", ["00:00", "23:59"], []),
        ("1:00-2:00, 3:00-4:00", ["01:00", "03:59"], ["02:30"]),
    ],
)
def test_quiet_hours_last_up_to_their_end_also_over_midnight(spans, quiet, loud) -> None:
    hours = [QuietHours.parse(span) for span in spans.split(",")]

    def at(times: Iterable[str]) -> set[bool]:
        return {is_quiet(hours, datetime.combine(NOW, datetime.strptime(time, "%H:%M").time())) for time in times}

    assert at(quiet) == {True}
    assert at(loud) <= {False}


def test_quiet_hours_are_those_of_the_owners_time_zone_and_commands_are_answered_in_them() -> None:
    noon = (QuietHours.parse("12:00-13:00"),)
    assert taken(quiet_hours=noon).effect == Effect.QUIET_HOURS
    assert taken(quiet_hours=noon, time_zone=ZoneInfo("Asia/Tokyo")).effect == Effect.ASKED
    assert taken("/help", quiet_hours=noon).effect == Effect.HELPED
    tokyo_noon = datetime(2026, 11, 20, 3, tzinfo=UTC)
    assert taken(quiet_hours=noon, time_zone=ZoneInfo("Asia/Tokyo"), now=tokyo_noon).effect == Effect.QUIET_HOURS


@pytest.mark.parametrize("name", ["Europe", "../../etc/passwd", "", "Nowhere/Land", "Europe/Berlin\0", "/etc"])
def test_what_is_no_time_zone_is_refused_in_one_way(name) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        time_zone(name)


def test_a_machine_without_time_zones_says_what_to_install_and_has_utc(monkeypatch) -> None:
    monkeypatch.setattr(quiet_hours, "available_timezones", set)
    monkeypatch.setattr(quiet_hours, "ZoneInfo", lambda name: ZoneInfo(f"Not/{name}"))
    with pytest.raises(ValueError, match=r"^this machine knows no time zones but UTC; pip install tzdata$"):
        time_zone("Europe/Berlin")
    assert time_zone("UTC") is UTC


def talk(rules: Rules, record: ChatRecord, *numbers: int, now: datetime = NOW) -> tuple[ChatRecord, list[Effect]]:
    """The effects of questions, each of which is answered before the next one comes."""
    effects = []
    for number in numbers:
        message = Incoming("7", "42", number, "Тимоха, раз", "ru", now, sender=ALICE)
        decision = receive(record, message, rules, now)
        effects.append(decision.effect)
        request_id = f"7.42.{number}.0"
        record = finish_question(
            record_answer(decision.record, request_id, "ответ", now), request_id, now, timedelta(minutes=1)
        )
    return record, effects


def test_after_the_answers_of_a_day_there_are_none_until_the_owners_next_day() -> None:
    rules = Rules(max_answers_per_day=2, time_zone=ZoneInfo("Europe/Berlin"))
    record, effects = talk(rules, ChatRecord(), 1, 2, 3)
    assert effects == ["asked", "asked", "day_limit"]
    record = from_json(record.to_json())
    midnight = datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert day_of(rules, midnight) == "2026-11-21"
    assert talk(rules, record, 4, now=midnight - timedelta(microseconds=1))[1] == ["day_limit"]
    assert talk(rules, record, 4, 5, 6, now=midnight)[1] == ["asked", "asked", "day_limit"]


def test_the_day_counts_questions_and_bare_prefixes_but_no_commands_and_nothing_that_is_ignored() -> None:
    record = ChatRecord()
    for number, text in enumerate(["/help", "/set_context_length 5", "Тимоха,", "Тимоха, раз", "Тимоха, два"], 1):
        record = taken(text, number, record=record, max_answers_per_day=9).record
    assert (record.rate.day, record.rate.today) == ("2026-11-20", 2)


def test_a_clock_that_was_wrong_silences_nobody_for_more_than_that_day() -> None:
    full = ChatRecord(rate=Rate(day="2031-01-01", today=9))
    assert taken(record=full, max_answers_per_day=1).effect == Effect.ASKED
    assert taken(max_answers_per_day_for_all=1, policy=Policy(day="2031-01-01", answers=9)).effect == Effect.ASKED


def test_the_day_of_all_is_full_but_for_a_request_that_is_counted_already() -> None:
    rules = Rules(max_answers_per_day_for_all=1, policy=Policy(day="2026-11-20", answers=1, counted=("7.42.1.0",)))
    assert not is_day_of_all_full(Case(ChatRecord(), incoming(message_id=1), rules, NOW))
    assert is_day_of_all_full(Case(ChatRecord(), incoming(message_id=2), rules, NOW))


def test_without_limits_no_day_is_full() -> None:
    case = Case(ChatRecord(rate=Rate(day="2026-11-20", today=10**6)), incoming(), Rules(), NOW)
    assert not is_day_full(case)
    assert not is_day_of_all_full(case)


RULES: list[tuple[Effect, dict[str, object]]] = [
    (Effect.REFUSED_PERSON, {"deny": people("42")}),
    (Effect.PAUSED, {"policy": Policy(paused_until=FOR_EVER, day="2026-11-20", answers=1)}),
    (Effect.QUIET_HOURS, {"quiet_hours": (QuietHours.parse("00:00-24:00"),)}),
    (Effect.TOO_MANY, {"max_answers": 1}),
    (Effect.DAY_LIMIT, {"max_answers_per_day": 1}),
    (Effect.DAY_LIMIT_FOR_ALL, {"max_answers_per_day_for_all": 1}),
]


@pytest.mark.parametrize("first", range(len(RULES)))
def test_of_all_rules_that_apply_the_first_decides(first) -> None:
    """With every rule from this one on, for somebody who is busy too; without any they would be ignored as busy."""
    given: dict[str, object] = {"policy": Policy(day="2026-11-20", answers=1)}
    for _, rules in reversed(RULES[first:]):
        given |= rules
    busy = taken().record.having(rate=Rate(since=NOW, answers=1, day="2026-11-20", today=1))
    assert taken("Тимоха, два", 2, record=busy, **given).effect == RULES[first][0]
    assert taken("Тимоха, два", 2, record=busy).effect == Effect.IGNORED_BUSY


@pytest.mark.parametrize(("effect", "rules"), RULES, ids=[str(effect) for effect, _ in RULES])
def test_a_duplicate_and_what_is_too_old_come_before_every_rule(effect, rules) -> None:
    record = ChatRecord(rate=Rate(since=NOW, answers=1, day="2026-11-20", today=1), seen=(1,))
    rules = {"policy": Policy(day="2026-11-20", answers=1)} | rules
    assert taken(record=record, **rules).effect == Effect.DUPLICATE
    old = Incoming("7", "42", 2, "Тимоха, раз", "ru", NOW - HOUR, sender=ALICE)
    assert receive(record, old, Rules(**rules), NOW).effect == Effect.TOO_OLD


def test_who_wrote_first_is_kept_and_then_counts_without_another_look() -> None:
    rules = {"allow": people("wrote_first")}
    kept = taken(sender=Person(id="42", wrote_first=True), **rules).record
    assert from_json(kept.to_json()).wrote_first is True
    assert taken(f"{DEFAULT_PREFIX} два", 2, record=kept.having(current=None), **rules).effect == Effect.ASKED
    owner_first = taken(sender=Person(id="42", wrote_first=False), **rules)
    assert (owner_first.effect, owner_first.record.wrote_first) == (Effect.REFUSED_PERSON, False)
