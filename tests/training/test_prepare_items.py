"""Whatever an item of an export holds, it is read or has one clear drop reason."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import SettingsError
from training.data.owner import Speaker, find_owner
from training.data.telegram.dates import MessageTime, message_time
from training.data.telegram.export_reader import ExportedChat
from training.data.telegram.messages import DropReason, ExportedMessage, parse_item, sender_id

GROUP = ExportedChat(0, type="private_group")
WHOLE = {
    "id": 5,
    "type": "message",
    "date": "2025-01-01T12:00:00",
    "date_unixtime": "1735722000",
    "from": "Маша Ясень",
    "from_id": "user11",
    "text": "привет",
}


def parsed(**fields):
    return parse_item({**WHOLE, **fields}, GROUP)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (11, "user11"),
        ("user11", "user11"),
        ("11", "user11"),
        ((1 << 32) + 11, "user11"),
        ((2 << 32) + 11, "channel11"),
        (7_123_456_789, "user2828489493"),
        ("user7123456789", "user7123456789"),
        ("channel7", "channel7"),
        (0, None),
        (-11, None),
        (True, None),
        (1.5, None),
        (None, None),
        ([], None),
    ],
)
def test_a_sender_has_one_id_whichever_version_wrote_it(value, expected):
    assert sender_id(value) == expected


@pytest.mark.parametrize("wanted", ["11", "user11", " 11 ", str((1 << 32) + 11), "Маша Ясень"])
def test_the_owner_of_an_old_export_is_found_by_any_form_of_the_id(wanted):
    message = parsed(from_id=(1 << 32) + 11)
    assert find_owner(wanted, None, {message.author: Speaker(message.author, message.name)}) == {"user11"}


def test_the_owner_of_an_old_export_of_the_account_is_found_by_itself(export, run_prepare):
    export.say("ann", "как ты?", from_id=(1 << 32) + 22, date_unixtime=...)
    export.say("me", "жив", from_id=(1 << 32) + 11, date_unixtime=...)
    _, parts = run_prepare({"personal_information": {"user_id": 11}, "chats": {"list": [export.chat()]}}, owner=None)
    assert [[turn["content"] for turn in one["messages"]] for one in parts["train"]] == [["как ты?", "жив"]]


def test_an_export_in_which_nobody_wrote_says_so(export, run_prepare):
    with pytest.raises(SettingsError, match="TRAINING_EXPORT: it has no message with text"):
        run_prepare(export.chat())


def test_a_long_number_as_the_owner_is_one_line():
    with pytest.raises(SettingsError, match="no speaker is called"):
        find_owner("9" * 5000, None, {"user1": Speaker("user1", "Ann")})


def test_a_channel_of_an_old_export_is_one():
    assert parsed(from_id=(2 << 32) + 11).drop_reason is DropReason.CHANNEL


@pytest.mark.parametrize("number", [None, True, 1.5, "7", [], {}, 10**30, -(10**30)])
def test_what_has_no_id_is_malformed(number):
    assert parsed(id=number) is DropReason.MALFORMED


@pytest.mark.parametrize("number", [0, -999_999_995, 2**63 - 1, -(2**63)])
def test_any_whole_number_that_fits_is_an_id(number):
    assert parsed(id=number).id == number


@pytest.mark.parametrize("target", [True, "1", 1.0, 10**30, None, {}])
def test_what_is_no_id_is_answered_by_nobody(target):
    assert parsed(reply_to_message_id=target).reply_to is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"date_unixtime": "1735722000"}, 1735722000),
        ({"date_unixtime": 1735722000}, 1735722000),
        ({"date_unixtime": 1735722000.0}, 1735722000),
        ({"date_unixtime": "-5"}, -5),
        ({"date": "0001-01-01T00:00:00"}, -62135596800),
        ({"date": "9999-12-31T23:59:59"}, 253402300799),
        ({"date": "2025-01-01T12:00:00"}, 1735732800),
        ({"date": "2025-01-01T12:00:00+03:00"}, 1735722000),
    ],
)
def test_a_date_is_read_in_each_of_its_forms(fields, expected):
    assert message_time(fields).time == expected


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"date": None},
        {"date": 5},
        {"date": "0000-99-99T00:00:00"},
        {"date": "2025-01-01T12:00:00", "date_unixtime": "9" * 30},
        {"date": "2025-01-01T12:00:00", "date_unixtime": "9" * 5000},
        {"date": "2025-01-01T12:00:00", "date_unixtime": "вчера"},
        {"date_unixtime": float("inf")},
        {"date_unixtime": float("nan")},
        {"date_unixtime": True},
        {"date_unixtime": []},
    ],
)
def test_a_date_that_cannot_be_makes_the_item_malformed(fields):
    item = {key: value for key, value in WHOLE.items() if not key.startswith("date")}
    assert parse_item({**item, **fields}, GROUP) is DropReason.MALFORMED


def test_the_hour_that_comes_twice_in_autumn_leaves_the_order_as_it_is():
    again = MessageTime(3700, 2, local=True)
    assert again.corrected_after(7100).time == 7100
    assert replace(again, local=False).corrected_after(7100).time == 3700
    assert again.corrected_after(7400).time == 3700
    assert again.corrected_after(3600).time == 3700


def test_what_the_exporting_program_could_not_read_is_no_damage():
    assert parse_item({"id": 7, "type": "unsupported"}, GROUP) is DropReason.UNSUPPORTED


def test_what_a_file_does_not_take_is_left_out():
    message = parsed(text="a\x00b\x0c\ud83dc\r\nd\te", **{"from": "М\ud83d"})
    assert (message.text, message.name) == ("ab?c\nd\te", "М?")


@pytest.mark.parametrize("field", ["forwarded_from", "forwarded_from_id", "saved_from"])
def test_a_forwarded_message_is_one_even_if_nobody_knows_from_whom(field):
    assert parsed(**{field: None}).drop_reason is DropReason.FORWARDED


def test_a_quotation_is_left_out_unless_it_is_all_that_a_message_says():
    quote = {"type": "blockquote", "text": "чужие слова"}
    answered = parsed(text=[quote, "\nне согласна, ", {"type": "bold", "text": "совсем"}])
    assert (answered.text, answered.has_quote) == ("не согласна, совсем", True)
    alone = parsed(text=[quote])
    assert (alone.text, alone.has_quote, alone.drop_reason) == ("чужие слова", False, None)


@pytest.mark.parametrize("kind", ["spoiler", "custom_emoji", "strikethrough", "unknown", "pre", "ещё не придуманный"])
def test_text_of_any_other_kind_is_kept(kind):
    assert parsed(text=["а ", {"type": kind, "text": "б"}, " в"]).text == "а б в"


def test_a_message_of_2018_that_was_never_edited_is_not_counted_as_edited():
    assert not parsed(edited="1970-01-01T03:00:00").edited
    assert parsed(edited="2025-01-01T12:00:00").edited


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(list(WHOLE.values())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "a"]), inner),
    max_leaves=5,
)


@given(
    item=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            [
                *WHOLE,
                "reply_to_message_id",
                "text_entities",
                "media_type",
                "sticker_emoji",
                "edited",
                "via_bot",
                "poll",
            ],
            ANYTHING,
        ),
    ),
    whole=st.booleans(),
)
def test_any_item_is_a_message_or_has_a_fate(item, whole):
    found = parse_item({**WHOLE, **item} if whole else item, GROUP)
    assert isinstance(found, (DropReason, ExportedMessage))
    if isinstance(found, ExportedMessage):
        f"{found.author}{found.name}{found.text}".encode()
        assert all(-(2**63) <= number < 2**63 for number in (found.id, found.when.time, found.reply_to or 0))
