"""Which messages without the prefix are answered, and how the owner writes that down."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot.chat.commands import Collect
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import hear
from edge.userbot.chat.triggering import draw, is_triggered
from edge.userbot.chat_tokens import ChatToken, is_chat_token
from edge.userbot.current_rules import rules_of
from edge.userbot.delays import Delay
from edge.userbot.people import People, Person
from edge.userbot.rules import Override, Rules
from edge.userbot.settings import UserbotSettings
from edge.userbot.triggers import Trigger, Triggers
from events.errors import SettingsError

NEEDED = {"api_id": "1", "api_hash": "x"}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GROUP = "-1001234567890"
ALICE = Person("42", frozenset({"alice"}), "Alice")
LISTED = People.of([GROUP])


def message(text: str = "как дела?", message_id: int = 7, chat: str = "42", **more: object) -> Incoming:
    return Incoming("7", chat, message_id, text, "ru", NOW, sender=ALICE, **more)  # type: ignore[arg-type]


def rules(*triggers: str, **more: object) -> Rules:
    return Rules(triggers=Triggers.of(triggers), **more)  # type: ignore[arg-type]


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda **given: rules_of(UserbotSettings.read(**NEEDED, **given))


def test_by_default_no_message_without_the_prefix_is_answered(read) -> None:
    defaults = read()
    assert not defaults.triggers
    assert defaults == Rules()
    assert hear(message(), defaults) is None


def test_the_settings_are_read(read) -> None:
    found = read(triggers="private, any : 5 %", groups=f"{GROUP},{GROUP}t45", debounce="3", delay="2-10")
    assert found.triggers.shares == ((Trigger.PRIVATE, 1.0), (Trigger.ANY, 0.05))
    assert found.groups == People.of([GROUP, f"{GROUP}t45"])
    assert (found.debounce, found.delay) == (
        timedelta(seconds=3),
        Delay(timedelta(seconds=2), timedelta(seconds=10)),
    )
    assert read(debounce="0", repeat_window="0", thinking="reaction").thinking == "reaction"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('triggers = ["private", "any:5%"]', {"triggers": Triggers.of(["private", "any:5%"])}),
        ('triggers = "questions"', {"triggers": Triggers.of(["questions"])}),
        ("groups = [-1001234567890]", {"groups": LISTED}),
        ("delay = 3", {"delay": Delay.parse("3")}),
        ("delay = 2.5", {"delay": Delay.parse("2.5")}),
        ('delay = "2-10"', {"delay": Delay.parse("2-10")}),
    ],
)
def test_timokha_toml_takes_lists_and_numbers(read, tmp_path, lines, expected) -> None:
    (tmp_path / "timokha.toml").write_text(f"[userbot]\n{lines}\n")
    found = read()
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("triggers", "everything", "'everything' is no trigger; there are private, replies, mentions, questions, any"),
        ("triggers", "any:0%", "'any:0%': a share is above 0% and at most 100%"),
        ("triggers", "any:101%", "a share is above 0% and at most 100%"),
        ("triggers", "any:5", "is no trigger"),
        ("triggers", "any:-5%", "is no trigger"),
        ("triggers", "any:0.5%", "is no trigger"),
        ("delay", "soon", "'soon' is not a number of seconds, or two such as 2-10"),
        ("delay", "-1", "is not a number of seconds"),
        ("delay", "10-2", "the first number is the smaller one"),
        ("delay", "3601", "3600 the most"),
        ("delay", "nan", "is not a number of seconds"),
        ("debounce", "61", "0 to 60"),
        ("debounce", "-1", "0 to 60"),
        ("repeat_window", "-1", "seconds in which"),
        ("max_without_prefix_per_hour", "-1", "answers per hour"),
        ("thinking", "eyes", "line, reaction or typing"),
        ("groups", "@friends", "'@friends' is not the id of a group, e.g. -1001234567890"),
        ("groups", "1001234567890", "is not the id of a group"),
        ("groups", "contacts", "is not the id of a group"),
        ("groups", f"{GROUP}t0", "is not the id of a group"),
        ("groups", f"{GROUP}t1", f"'{GROUP}t1' is the General topic, which has no id of its own; list {GROUP}"),
        ("groups", "-4123456789t5", "'-4123456789t5': only supergroups have topics"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_says_what_it_takes(read, setting, value, said) -> None:
    with pytest.raises(SettingsError) as refused:
        read(**{setting: value})
    assert str(refused.value).startswith(f"USERBOT_{setting.upper()}: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.text(max_size=30) | st.from_regex(r"[a-z]{0,8}\s?:?\s?\d{0,4}\s?%?", fullmatch=True))
def test_any_text_is_an_entry_or_refused(text) -> None:
    try:
        found = Triggers.of([text])
    except ValueError:
        return
    assert 0 < found.shares[0][1] <= 1


@given(st.text(max_size=20) | st.from_regex(r"\d{1,5}(\.\d{1,4})?( ?[-–] ?\d{1,5}(\.\d{1,4})?)?", fullmatch=True))
def test_any_text_is_a_delay_that_is_written_back_the_same_or_refused(text) -> None:
    try:
        delay = Delay.parse(text)
    except ValueError:
        return
    assert Delay.parse(str(delay)) == delay
    assert timedelta(0) <= delay.least <= delay.at(0.5) <= delay.most <= timedelta(hours=1)


@given(st.text(max_size=30) | st.from_regex(r"-?\d{1,20}(t\d{1,11})?", fullmatch=True))
def test_any_text_is_the_token_of_a_chat_or_refused(text) -> None:
    if not is_chat_token(text):
        with pytest.raises(ValueError, match="is no chat"):
            ChatToken.parse(text)
        return
    token = ChatToken.parse(text)
    assert str(token) == text
    assert text in (token.without_topic, f"{token.without_topic}t{token.topic}")


@pytest.mark.parametrize(
    ("trigger", "meant"),
    [
        ("private", {"private", "question"}),
        ("questions", {"question", "in the group"}),
        ("any", {"private", "question", "in the group", "statement in the group", "reply", "mention"}),
        ("replies", {"reply"}),
        ("mentions", {"mention"}),
    ],
)
def test_a_trigger_means_its_messages_and_no_others(trigger, meant) -> None:
    messages = {
        "private": message("привет"),
        "question": message("как дела?"),
        "in the group": message("как дела?", chat=GROUP),
        "statement in the group": message("привет", chat=GROUP),
        "reply": message("да", chat=GROUP, reply_to=5),
        "mention": message("@me да", chat=GROUP, mentions_us=True),
        "elsewhere": message("@me как дела?", chat="-5", mentions_us=True, reply_to=5),
    }
    record = ChatRecord(sent=(5,))
    assert {
        name for name, said in messages.items() if is_triggered(said, rules(trigger, groups=LISTED), record)
    } == meant


def test_a_reply_counts_only_if_it_is_to_one_of_our_messages() -> None:
    replies = rules("replies")
    assert is_triggered(message(reply_to=5), replies, ChatRecord(sent=(4, 5)))
    assert not is_triggered(message(reply_to=6), replies, ChatRecord(sent=(4, 5)))
    assert not is_triggered(message(), replies, ChatRecord(sent=(4, 5)))
    assert is_triggered(message(reply_to=6), replies)  # it may be: the record will tell


def test_a_name_in_a_private_chat_is_no_mention() -> None:
    assert not is_triggered(message("@me", mentions_us=True), rules("mentions"))


@pytest.mark.parametrize("text", ["/start", "\u200b /start now", "/start@other_bot", "", " ", "\u200b", "\u2060\n"])
@pytest.mark.parametrize("goes_on", [False, True])
def test_what_is_for_a_bot_or_shows_nothing_is_never_taken_up(text, goes_on) -> None:
    assert hear(message(text), rules("any"), goes_on=goes_on) is None


@pytest.mark.parametrize("goes_on", [False, True])
def test_nor_is_what_an_app_wrote_or_what_is_in_another_group(goes_on) -> None:
    assert hear(message(by_machine=True), rules("any"), goes_on=goes_on) is None
    assert hear(message(chat="-5"), rules("any", answer_groups=True), goes_on=goes_on) is None
    assert hear(message(chat="-5"), rules("any", groups=LISTED), goes_on=goes_on) is None


def test_a_listed_group_has_all_its_topics_and_a_listed_topic_only_itself() -> None:
    assert is_triggered(message(chat=f"{GROUP}t45"), rules("any", groups=LISTED))
    topic = rules("any", groups=People.of([f"{GROUP}t45"]))
    assert [is_triggered(message(chat=chat), topic) for chat in (f"{GROUP}t45", f"{GROUP}t4", GROUP)] == [
        True,
        False,
        False,
    ]


def test_with_listed_groups_no_other_group_is_answered_even_with_the_prefix() -> None:
    asked = "Тимоха, раз"
    for answer_groups in (False, True):
        listed = Rules(groups=LISTED, answer_groups=answer_groups)
        assert hear(message(asked, chat=GROUP), listed)
        assert hear(message(asked, chat="-5"), listed) is None
        assert hear(message(asked), listed)
    assert hear(message(asked, chat="-5"), Rules(answer_groups=True))
    assert hear(message(asked, chat="-5"), Rules()) is None


def test_one_person_may_have_triggers_of_their_own_or_none() -> None:
    own = Rules(overrides={"@alice": Override(triggers=Triggers.of(["private"]))})
    assert hear(message(), own.for_person(ALICE)) == Collect("как дела?")
    assert hear(message(), own.for_person(Person("43"))) is None
    without = rules("any", overrides={"42": Override(triggers=Triggers())})
    assert hear(message(), without.for_person(ALICE)) is None


def test_the_lot_of_a_message_is_the_same_every_time_and_another_one_for_every_purpose() -> None:
    assert draw(message(), "any") == draw(message("другой текст", reply_to=3), "any")
    assert draw(message(), "any") != draw(message(), "delay")
    assert draw(message(), "any") != draw(message(message_id=8), "any")


@pytest.mark.parametrize("percent", [1, 5, 50, 99, 100])
def test_of_ten_thousand_messages_about_the_share_is_answered(percent) -> None:
    share = rules(f"any:{percent}%")
    answered = sum(is_triggered(message(message_id=number), share) for number in range(1, 10_001))
    spread = (percent * (100 - percent)) ** 0.5  # the standard deviation of 10,000 lots
    assert abs(answered - 100 * percent) <= 4 * spread


def test_each_trigger_draws_a_lot_of_its_own() -> None:
    for one in (message(message_id=number) for number in range(1, 100)):
        assert is_triggered(one, rules("any:50%")) == (draw(one, "any") < 0.5)
        assert is_triggered(one, rules("private:50%")) == (draw(one, "private") < 0.5)


def test_what_no_trigger_means_is_only_heard_if_it_may_go_on_a_burst() -> None:
    assert hear(message("привет"), rules("questions")) is None
    assert hear(message("привет"), rules("questions"), goes_on=True) == Collect("привет")


def test_of_two_triggers_either_is_enough() -> None:
    both = rules("questions", "any:1%")
    said = [message("да", message_id=number) for number in range(1, 1001)]
    assert 0 < sum(is_triggered(one, both) for one in said) < 50
    assert all(is_triggered(message(message_id=number), both) for number in range(1, 1001))
