"""What the owner's orders are answered with."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot.chat.policy import BY_FLOOD, FOR_EVER, Policy, deny, pause
from edge.userbot.chat.record import AnswerText, ChatRecord, Current, Question, Rate
from edge.userbot.formatting.messages import split
from edge.userbot.owner import phrases, reports
from edge.userbot.owner.orders import ALL, COMMANDS, Help, Misused, Unknown, parse_order
from edge.userbot.people import People
from edge.userbot.quiet_hours import QuietHours
from edge.userbot.rules import Rules

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
LANGUAGES = ["ru", "en"]
ENGLISH = Rules(locale="en")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)


def question(text: str = "why?", asker: str = "Ann (@ann)", after: int = 0, **more: object) -> Question:
    asked_at = NOW + timedelta(seconds=after)
    return Question(message_id=5, text=text, locale="en", asked_at=asked_at, asker=asker, **more)


def answering(asked: Question, chat: str = "2", **more: object) -> ChatRecord:
    current = Current(question=asked, request_id=f"1.{chat}.5.0", deadline=NOW, **more)
    return ChatRecord(current=current)


def everything_said(locale: str) -> list[str]:
    until = phrases.until(locale, FOR_EVER, since=NOW, zone=UTC)
    return [
        phrases.how_to_order(locale, Help()),
        phrases.how_to_order(locale, Unknown()),
        phrases.too_many(locale),
        phrases.failed(locale),
        phrases.unreadable_policy(locale),
        phrases.no_such_chat(locale, "@ann"),
        phrases.unreadable_chat(locale, "2"),
        phrases.not_now(locale, "@ann"),
        phrases.allowed(locale, ["@ann", "2"]),
        phrases.denied(locale, ["@ann", "2"]),
        phrases.full(locale),
        phrases.disconnected(locale),
        phrases.connected_again(locale),
        phrases.how_to_order(locale, Help(), may_leave=True),
        *(phrases.how_to_order(locale, Misused(name), may_leave=True) for name in COMMANDS),
        *(phrases.paused(locale, chat, until) for chat in (ALL, "2")),
        *(phrases.resumed(locale, chat) for chat in (ALL, "2")),
        *(phrases.cancelled(locale, chat) for chat in (ALL, "2")),
    ]


@pytest.mark.parametrize("locale", LANGUAGES)
def test_nothing_said_is_an_order_or_a_decision_or_needs_a_second_message(locale: str) -> None:
    for text in everything_said(locale):
        assert parse_order(text) is None
        assert text[0] not in "/+-"
        assert split(text) == [text]


def test_the_two_languages_share_no_text() -> None:
    assert not set(everything_said("ru")) & set(everything_said("en"))


@pytest.mark.parametrize("locale", LANGUAGES)
def test_help_lists_every_command(locale: str) -> None:
    assert all(f"/{name}" in phrases.how_to_order(locale, Help(), may_leave=True) for name in COMMANDS)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_an_accounts_only_owner_has_nothing_to_disconnect(locale: str) -> None:
    assert "/disconnect" not in phrases.how_to_order(locale, Help())
    for text in ("/disconnect", "/disconnect now"):
        assert phrases.how_to_order(locale, parse_order(text)) == phrases.how_to_order(locale, Unknown())
    assert "/disconnect" in phrases.how_to_order(locale, parse_order("/disconnect now"), may_leave=True)


@pytest.mark.parametrize("locale", LANGUAGES)
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=5), asker=ANY_TEXT)
def test_nothing_that_users_write_makes_a_report_an_order_or_a_second_message(locale, texts, asker) -> None:
    asked = [question(text, asker) for text in texts]
    records = {"2": answering(asked[0]).having(waiting=tuple(asked[1:]), paused_until=FOR_EVER)}
    rules = Rules(locale=locale)
    for report in (reports.queue(records, rules), reports.status(records, rules, NOW, version="1")):
        assert parse_order(report) is None
        assert report[0] not in "/+-"
        assert not any(line.lstrip("• ").startswith("/") for line in report.splitlines())
        assert split(report) == [report]


def test_a_command_that_a_user_wrote_is_no_link_in_the_owners_chat() -> None:
    report = reports.queue({"2": answering(question("/cancel all", "/resume"))}, ENGLISH)
    assert "/" not in report
    assert "cancel all" in report


def test_the_queue_shows_who_asks_the_start_of_the_question_and_its_state() -> None:
    records = {
        "4": answering(question("may I?", "Bob", 3, approve=True), "4", outcome=AnswerText(text="you may")),
        "3": answering(question("yes?", "", 2), "3", outcome=AnswerText(text="no")),
        "2": answering(question("x" * 100)).having(waiting=(question("line\n\nafter line", after=1),)),
        "5": ChatRecord(),
    }
    assert reports.queue(records, ENGLISH).splitlines() == [
        "In work: 4 questions",
        f"• Ann (@ann), 2: “{'x' * 59}…”, being answered",
        "• Ann (@ann), 2: “line after line”, waiting",
        "• chat 3: “yes?”, being sent",
        "• Bob, 4: “may I?”, for you to approve",
    ]


def test_an_empty_queue_is_one_line() -> None:
    assert reports.queue({}, ENGLISH) == "There are no questions in work."
    assert reports.queue({"2": ChatRecord()}, Rules()) == "Вопросов в работе нет."


def test_a_long_queue_ends_in_how_many_more_there_are() -> None:
    records = {str(chat): answering(question("😀" * 100), str(chat)) for chat in range(1, 200)}
    report = reports.queue(records, ENGLISH)
    *shown, last = report.splitlines()[1:]
    assert split(report) == [report]
    assert last == f"… and {199 - len(shown)} more questions"
    assert len(shown) > 20


def test_the_status_tells_pauses_quiet_hours_and_counts() -> None:
    rules = replace(
        ENGLISH,
        quiet_hours=(QuietHours.parse("23:00-07:30"),),
        time_zone=timezone(timedelta(hours=3)),
        policy=pause(Policy(), NOW, NOW + timedelta(hours=2), NOW),
    )
    records = {
        "2": answering(question()).having(waiting=(question(),), rate=Rate(day="2026-11-27", today=3)),
        "3": ChatRecord(paused_until=NOW + timedelta(days=1), rate=Rate(day="2026-11-26", today=9)),
        "4": ChatRecord(paused_until=NOW - timedelta(days=1)),
        "5": answering(question(approve=True), "5", outcome=AnswerText(text="you may")),
    }
    assert reports.status(records, rules, NOW, version="0.1").splitlines() == [
        "Timokha 0.1",
        "Paused: I answer no one until 17:00.",
        "Quiet hours: 23:00-07:30 (UTC+03:00).",
        "Being answered: 1 question. Waiting: 1 question. For you to approve: 1 draft.",
        "Today: 3 answers.",
        "Paused: 1 chat",
        "• chat 3 until 28.11.2026 15:00",
    ]


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        (Policy(), "I answer."),
        (pause(Policy(), NOW, FOR_EVER, NOW), "Paused: I answer no one until you send /resume."),
        (pause(Policy(), NOW - timedelta(hours=2), NOW, NOW), "I answer."),
        (
            Policy(paused_since=NOW, paused_until=NOW + timedelta(hours=1), paused_by=BY_FLOOD),
            "Telegram took the account for a spammer: I answer no one until 13:00 UTC. End the pause with /resume",
        ),
    ],
)
def test_the_status_says_whether_there_is_a_pause_and_why(policy: Policy, line: str) -> None:
    assert reports.status({}, replace(ENGLISH, policy=policy), NOW, version="0.1").splitlines()[1] == line


def test_a_status_names_ten_paused_chats_at_most() -> None:
    records = {str(chat): ChatRecord(paused_until=FOR_EVER) for chat in range(10, 25)}
    assert reports.status(records, ENGLISH, NOW, version="0.1").splitlines()[-1] == "… and 5 more chats"


def test_the_limits_are_those_in_force_and_what_is_used() -> None:
    rules = replace(
        ENGLISH, max_answers_per_day_for_all=50, policy=Policy(day="2026-11-27", answers=7), max_answers_per_day=0
    )
    assert reports.limits(rules, NOW).splitlines() == [
        "Limits:",
        "• in a chat and minute: 20 answers at most",
        "• in a chat and hour, without the prefix: 60 answers at most",
        "• in a chat and day: no limit",
        "• a day in all chats: 50 answers at most, 7 answers so far today",
        "• quiet hours: none",
    ]


def test_the_lists_tell_the_settings_from_the_commands() -> None:
    rules = replace(ENGLISH, deny=People.of(["@spammer"]), policy=deny(Policy(), "123"))
    assert reports.people(rules).splitlines() == [
        "I answer:",
        "• by the settings: everyone else",
        "• by commands: none",
        "I don't answer:",
        "• by the settings: @spammer",
        "• by commands: 123",
    ]


@pytest.mark.parametrize("locale", LANGUAGES)
def test_long_lists_of_people_fit_into_one_message(locale: str) -> None:
    many = tuple(f"@name_{number:026}" for number in range(1000))
    people = People.of(many)
    rules = Rules(locale=locale, allow=people, deny=people, policy=Policy(allowed=many, denied=many))
    assert split(reports.people(rules)) == [reports.people(rules)]


def test_until_names_the_date_only_if_it_is_another_one() -> None:
    zone = timezone(timedelta(hours=3))
    late = NOW.replace(hour=20)
    assert phrases.until("en", late + timedelta(minutes=30), since=late, zone=zone) == "until 23:30"
    assert phrases.until("en", late + timedelta(hours=2), since=late, zone=zone) == "until 28.11.2026 01:00"
    assert phrases.until("en", late + timedelta(minutes=30), since=late, zone=UTC) == "until 20:30 UTC"
    assert phrases.until("ru", FOR_EVER, since=late, zone=zone) == "до команды /resume"
