"""What the owner writes as the value of a rule is read as meant, or refused with a line that quotes it."""

import pytest
from pydantic import TypeAdapter, ValidationError

from edge.userbot.chat_tokens import ChatToken
from edge.userbot.contacts import Contact, Contacts, Prefix
from edge.userbot.delays import Delay
from edge.userbot.quiet_hours import QuietHours, time_zone
from edge.userbot.rule_values import DelayText, Entries, Language, OwnTexts, Persona, TimeZone, TriggerEntries
from edge.userbot.rules import Override
from edge.userbot.triggers import Trigger, Triggers, entry

LONG = "x" * 60
KINDS = "private, replies, mentions, questions, any"


def refusal(read, value: object) -> str:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is what is tested
        read(value)
    return str(refused.value)


def problem(kind: object, value: object) -> str:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(value)
    return refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("read", "text", "line"),
    [
        (QuietHours.parse, f" {LONG} ", f"{'x' * 20!r} is not a time span such as 23:00-07:30"),
        (QuietHours.parse, " 7:00-07:00", "'7:00-07:00' starts when it ends; 00:00-24:00 is the whole day"),
        (time_zone, LONG, f"there is no time zone {'x' * 40!r}; write one such as Europe/Berlin"),
        (ChatToken.parse, LONG, f"{'x' * 40!r} is no chat of Telegram's"),
        (Delay.parse, f" {LONG}", f"{'x' * 20!r} is not a number of seconds, or two such as 2-10"),
        (Delay.parse, " 9-3", "'9-3': the first number is the smaller one, and 3600 the most"),
        (Delay.parse, "3601", "'3601': the first number is the smaller one, and 3600 the most"),
        (entry, f" {LONG}", f"{'x' * 40!r} is no trigger; there are {KINDS}, each also with a share, as any:5%"),
        (entry, " any:0%", "'any:0%': a share is above 0% and at most 100%"),
        (entry, f"any:101{' ' * 40}%", f"{'any:101' + ' ' * 33!r}: a share is above 0% and at most 100%"),
    ],
)
def test_what_cant_be_read_is_quoted_but_not_all_of_it(read, text: str, line: str) -> None:
    assert refusal(read, text) == line


def test_quiet_hours_are_read_in_minutes_of_the_day() -> None:
    assert QuietHours.parse("23:45 – 7:30") == QuietHours(23 * 60 + 45, 7 * 60 + 30)
    assert QuietHours.parse("00:00-24:00") == QuietHours(0, 24 * 60)


def test_a_delay_is_one_number_of_seconds_or_two() -> None:
    delay = Delay.parse("2-10")
    assert [delay.at(share).total_seconds() for share in (0, 0.25, 1)] == [2, 4, 10]
    assert (str(delay), str(Delay.parse("1.5")), str(Delay.parse("3600"))) == ("2-10", "1.5", "3600")


def test_a_trigger_is_written_back_without_spaces_and_in_lower_case() -> None:
    assert entry(" Any : 5 % ") == "any:5%"
    assert Triggers.of(["any:100%", "replies:1%"]).shares == ((Trigger.ANY, 1.0), (Trigger.REPLIES, 0.01))


def test_a_contact_is_an_id_or_a_username_in_any_case() -> None:
    assert set(TypeAdapter(Contacts).validate_python({" @Anna ": {}, "123": {}})) == {"@anna", "123"}


@pytest.mark.parametrize("name", ["anna", "@", "@a-b", "0", "-5"])
def test_another_name_of_a_contact_is_refused(name: str) -> None:
    assert problem(Contacts, {name: {}}) == "Value error, it takes an id, or a username with its @"


@pytest.mark.parametrize("prefix", ["\u2800", "a\x00b", "\x07"])
def test_a_prefix_that_cant_be_seen_or_sent_is_refused(prefix: str) -> None:
    assert problem(Prefix, prefix) == "Value error, it can't be seen"


def test_what_is_set_for_a_person_overrides_and_nothing_else() -> None:
    assert Contact().override == Override()
    contact = Contact(persona="Мария", language="en", prefix=" Маша, ", max_new_tokens=5, live=True, approve=True)
    assert contact.override == Override(
        persona="Мария", only_locale="en", prefix="Маша,", max_new_tokens=5, live=True, approve="all"
    )
    assert Contact(approve=False, triggers="any:5%").override == Override(
        approve="off", triggers=Triggers.of(["any:5%"])
    )


def test_a_list_is_one_line_or_a_list_of_texts_and_numbers() -> None:
    read = TypeAdapter(Entries).validate_python
    assert read(" @Anna, 12 ,, contacts") == read(["@anna", 12, " ", "contacts"]) == ("@anna", "12", "contacts")


@pytest.mark.parametrize(
    ("kind", "value", "line"),
    [
        (Entries, "12, anna", "'anna' is not an id, a @username, contacts or wrote_first"),
        (Entries, [True], "Input should be a valid string"),
        (Entries, 12, "Input should be a valid tuple"),
        (TriggerEntries, ["any:0%"], "'any:0%': a share is above 0% and at most 100%"),
        (TimeZone, "Mars", "there is no time zone 'Mars'; write one such as Europe/Berlin"),
        (Language, "de", "input should be 'en' or 'ru'"),
        (DelayText, "soon", "'soon' is not a number of seconds, or two such as 2-10"),
        (DelayText, True, "Input should be a valid string"),
        (DelayText, [3], "Input should be a valid string"),
        (Persona, "x" * 2001, "Value error, it has 2001 characters"),
    ],
)
def test_a_value_that_cant_be_read_says_what_is_wrong(kind: object, value: object, line: str) -> None:
    assert problem(kind, value) == line


def test_a_delay_of_a_toml_file_may_be_a_number() -> None:
    assert [TypeAdapter(DelayText).validate_python(value) for value in (3, 2.5, " 2 - 10 ")] == ["3", "2.5", "2-10"]


def test_an_own_text_is_one_or_several_to_choose_from() -> None:
    read = TypeAdapter(OwnTexts).validate_python({"en": {"thinking": "Hm", "hint": ["a", "b"]}})
    assert read == {"en": {"thinking": ("Hm",), "hint": ("a", "b")}}


def test_a_persona_of_the_full_length_is_kept_without_what_cant_be_sent() -> None:
    assert TypeAdapter(Persona).validate_python(f" {'x' * 2000}\x00\n") == "x" * 2000
