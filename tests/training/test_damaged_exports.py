"""What is wrong in an export is repaired or harms only its own message, and is counted."""

import io
import json
import random

import pytest
from rich.console import Console

from events.errors import SettingsError
from training.data.command import prepare
from training.data.telegram import file_window
from training.data.telegram.export_reader import ExportFile
from training.data.telegram.json_reader import ByteRange
from training.data.telegram.json_repair import find_value_end, repair_json
from training.settings import PrepareSettings


def message(number, text="привет", **fields):
    written = f"{text} {number}"
    return {
        "id": number,
        "type": "message",
        "date": "2023-11-14T22:13:20",
        "date_unixtime": str(1_700_000_000 + number),
        "from": "Аня",
        "from_id": "user1",
        "text": written,
        "text_entities": [{"type": "plain", "text": written}],
        **fields,
    }


def chat(*messages, **fields):
    return {"name": "Чат", "type": "personal_chat", "id": 7, **fields, "messages": list(messages)}


def account(*chats, **fields):
    return {
        "about": "…",
        "personal_information": {"user_id": 11, "bio": "x"},
        "contacts": {"list": [{"first_name": "Аня"}]},
        "chats": {"about": "", "list": list(chats)},
        **fields,
    }


def written(content):
    """As Telegram Desktop lays it out."""
    return json.dumps(content, ensure_ascii=False, indent=1)


def opened(text):
    raw = text if isinstance(text, bytes) else text.encode()
    file = io.BytesIO(raw)
    file.name = "result.json"
    return ExportFile(file)


def read(text):
    """The export once it is read, and its items; in place of a damaged one its ByteRange."""
    export = opened(text)
    return export, [item for _, item in export.items()]


def ids(items):
    return [item["id"] if isinstance(item, dict) else type(item) for item in items]


def three():
    return written(chat(message(1), message(2), message(3)))


@pytest.mark.parametrize(
    ("right", "wrong", "text"),
    [
        ("привет 2", "a\\x0Cb\\x01 \\\\x41 \\n", "a\fb\x01 \\x41 \n"),
        ("привет 2", "a\\qb\\u12", "a\\qb\\u12"),
        ("привет 2", "a\x07b", "a\x07b"),
        ("привет 2", "a\\ud83db \\ud83d\\ude00", "a\ufffdb 😀"),
        ("привет 2", b"a\xff\xfeb", "a\ufffdb"),
    ],
)
def test_what_no_json_string_may_have_is_repaired(right, wrong, text):
    wrong = wrong if isinstance(wrong, bytes) else wrong.encode()
    export, items = read(three().encode().replace(right.encode(), wrong))
    assert ids(items) == [1, 2, 3]
    assert items[1]["text"] == items[1]["text_entities"][0]["text"] == text
    assert export.repaired >= 2
    assert not export.damage.places
    assert not export.truncated


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "value", ["video_files/sticker (2).webm", "(File not included. Change data exporting settings to download.)"]
)
def test_a_value_without_quotes_is_repaired(indent, value):
    emoji = {"type": "custom_emoji", "text": "😁", "document_id": "HERE"}
    content = chat(message(1), message(2, text_entities=[emoji], other=1.5, more=True), message(3, x="HERE"))
    export, items = read(json.dumps(content, ensure_ascii=False, indent=indent).replace('"HERE"', value))
    assert ids(items) == [1, 2, 3]
    assert items[1]["text_entities"][0]["document_id"] == items[2]["x"] == value
    assert export.repaired == 2


def test_the_last_message_and_the_name_of_a_chat_are_repaired_too():
    text = written(account(chat(message(1), message(2), name="A\f"), chat(message(3), name="B")))
    export, items = read(text.replace("\\f", "\\x0C").replace("привет", "\\x1F"))
    assert ids(items) == [1, 2, 3]
    assert (export.chats, export.account) == (2, "user11")
    assert export.repaired == 7


def test_a_byte_order_mark_and_a_number_of_any_size_are_no_damage():
    text = "\ufeff" + three().replace('"from_id"', f'"n": {"9" * 5000}, "x": NaN, "from_id"')
    export, items = read(text)
    assert ids(items) == [1, 2, 3]
    assert (export.repaired, export.damage.places) == (0, 0)


@pytest.mark.parametrize("damage", ['"text": "при', '"text": [{[', '"text": }', '"te', "\0" * 50])
def test_what_cannot_be_repaired_harms_its_own_message_and_is_found_by_its_bytes(damage):
    text = three()
    start = text.index('"text": "привет 2"')
    broken = text[:start] + damage + text[start + len('"text": "привет 2"') :]
    export, items = read(broken)
    assert ids(items) == [1, ByteRange, 3]
    assert export.damage.first == [items[1]]
    assert export.damage.places == 1
    assert not export.truncated
    raw = broken.encode()[items[1].start : items[1].end]
    assert raw.startswith(b'{\n   "id": 2')
    assert raw.rstrip(b", \n").endswith(b"}")


def test_a_message_nested_too_deep_harms_only_itself():
    export, items = read(three().replace('"привет 2"', "[" * 100_000 + "]" * 100_000))
    assert ids(items) == [1, ByteRange, 3]
    assert export.damage.places == 1


def test_a_message_that_is_too_long_harms_only_itself(monkeypatch):
    monkeypatch.setattr(file_window, "_PIECE", 1000)
    monkeypatch.setattr("training.data.telegram.json_reader.LARGEST_VALUE", 4000)
    text = written(chat(message(1), message(2, "а" * 1500), message(3, "б" * 90_000), message(4)))
    _, items = read(text)
    assert ids(items) == [1, 2, ByteRange, 4]


@pytest.mark.parametrize("separator", ["", ",,", "x", ",\n null,"])
def test_what_is_wrong_between_two_messages_harms_neither(separator):
    text = three().replace('},\n  {\n   "id": 2', f'}}{separator}\n  {{\n   "id": 2')
    assert [item for item in ids(read(text)[1]) if isinstance(item, int)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"name": "Второй"', '"name": "Второй'),
        ('"messages": [\n     {\n      "id": 3', '"messuges": [\n     {\n      "id": 3'),
        ('"chats"', '"chots"'),
        ('"about": ""', '"about": '),
        ('"user_id": 11', '"user_id": 11]'),
        ("привет 2", '"{'),
    ],
)
def test_damage_around_a_chat_leaves_the_messages_of_the_others_and_says_where(right, wrong):
    text = written(account(chat(message(1), message(2)), chat(message(3), message(4), name="Второй")))
    assert text.count(right) >= 1
    export, items = read(text.replace(right, wrong))
    assert [item for item in ids(items) if item != ByteRange] == [n for n in (1, 2, 3, 4) if f"привет {n}" != right]
    assert export.damage.places + export.repaired == 1
    assert export.chats == 2
    assert not export.truncated


def test_messages_of_two_chats_are_not_mixed_by_damage_between_them():
    text = written(account(chat(message(1), message(2)), chat(message(1), type="bot_chat", name="Второй")))
    broken = text.replace('"messages": [', '"messages: [').replace('"messages: [', '"messages": [', 1)
    found = [(talk.number, talk.type, item["id"]) for talk, item in opened(broken).items()]
    assert found == [(0, "personal_chat", 1), (0, "personal_chat", 2), (1, "bot_chat", 1)]


@pytest.mark.parametrize("bio", ["x", "a\\x0Cb"])
@pytest.mark.parametrize("damage", ["", "}]"])
def test_the_owner_of_an_account_is_found_behind_its_chats_and_behind_damage(bio, damage):
    text = written({"chats": {"list": [chat(message(1))]}, "personal_information": {"bio": "BIO", "user_id": 11}})
    export, _ = read(text.replace("BIO", bio).replace("привет 1", damage or "x"))
    assert export.account == "user11"


@pytest.mark.parametrize("ending", ["", "\0" * 3000])
def test_a_file_that_ends_in_the_middle_is_told_from_a_damaged_one_wherever_it_ends(ending):
    for text in (three(), three().replace("привет", "\\x0C"), written(account(chat(message(1)), chat(message(2))))):
        whole = text.encode()
        begins = whole.index(b'"id": 2')
        for cut in range(begins, len(whole), 7):
            export, items = read(whole[:cut] + ending.encode())
            assert export.truncated_at == cut, whole[:cut][-40:]
            assert not export.damage.places
            assert ids(items) == [1, 2, 3][: len(items)]


def test_damage_and_a_cut_are_said_of_the_same_file():
    text = written(chat(*(message(number) for number in range(1, 9)))).replace("привет 3", '"')
    export, items = read(text[:-100])
    assert ids(items) == [1, 2, ByteRange, 4, 5, 6, 7]
    assert export.truncated


@pytest.mark.parametrize("behind", ["garbage", '{"a": 1}', "}", "\0\0\0"])
def test_what_stands_behind_an_export_does_not_make_it_truncated(behind):
    export, items = read(three() + behind)
    assert ids(items) == [1, 2, 3]
    assert not export.truncated


def test_a_small_piece_at_a_time_gives_the_same(monkeypatch):
    text = written(account(chat(*(message(n, 'a\\ 😀 " {') for n in range(40))), chat(message(50))))
    text = text.replace("21", "\\x0C").replace('"from": "Аня"', '"from": "Аня', 3)
    whole, items = read(text)
    for size in (1, 5, 64):
        monkeypatch.setattr(file_window, "_PIECE", size)
        export, same = read(text)
        assert (same, export.repaired, export.damage) == (items, whole.repaired, whole.damage)


def test_any_damage_harms_only_what_is_near_it():
    draw = random.Random(0)
    for number in range(300):
        messages = [
            message(n, draw.choice(["да", 'a "b": c', "]} {", '{"id": 5, "type": "message"'])) for n in range(30)
        ]
        content = draw.choice([chat(*messages), account(chat(*messages[:15]), chat(*messages[15:]))])
        raw = bytearray(json.dumps(content, ensure_ascii=False, indent=draw.choice([None, 1])).encode())
        starts = [raw.index(b'"id": %d,' % n, raw.index(b'"messages"')) for n in range(30)]
        at, size = draw.randrange(starts[0], len(raw)), draw.choice([1, 1, 3, 20])
        new = bytes(draw.choice([*b'"{}[],:\\\0\n\xff', draw.randrange(256)]) for _ in range(draw.choice([0, size])))
        raw[at : at + draw.choice([0, size])] = new
        _, items = read(bytes(raw))
        near = {n for n, start in enumerate(starts) if at - 500 < start < at + 500}
        lost = {n for n, item in enumerate(messages) if item not in items}
        assert lost <= near, (number, at, lost)


def test_the_manifest_accounts_for_what_was_repaired_damaged_and_cut_off(export, run_prepare):
    for number in range(6):
        export.say("ann", f"вопрос {number}")
        export.say("me", f"ответ {number}")
    text = written(export.chat()).replace("вопрос 0", "вопрос\\x0C 0").replace('"вопрос 3"', '"вопрос')
    cut = text.rindex("ответ 5")
    manifest, parts = run_prepare(text[:cut])
    assert manifest["items"] == 11
    assert manifest["dropped"]["malformed"] == 1
    assert (manifest["repaired"], manifest["damaged_places"]) == (1, 1)
    assert list(manifest["damaged"][0]) == ["start", "end"]
    assert manifest["truncated"]
    assert manifest["truncated_at"] == len(text[:cut].encode())
    assert len(parts["train"]) >= 4


def test_the_terminal_says_what_was_repaired_damaged_and_cut_off(export, tmp_path):
    for number in range(6):
        export.say("ann", f"вопрос {number}")
        export.say("me", f"ответ {number}")
    file = tmp_path / "result.json"
    file.write_text(written(export.chat()).replace("вопрос 0", "\\x0C").replace('"вопрос 3"', '"')[:-100])
    said = io.StringIO()
    settings = PrepareSettings(export=file, owner="user_me", out=tmp_path / "data")
    prepare(settings, console=Console(file=said, width=200))
    assert "Repaired invalid JSON in 1 place of the export." in said.getvalue()
    assert "is damaged in 1 place (bytes " in said.getvalue()
    assert f"ends in the middle, at byte {file.stat().st_size}: what came before is used" in said.getvalue()


def test_json_of_another_program_is_one_line():
    with pytest.raises(SettingsError, match="none of its 2 messages is one of Telegram's"):
        read('{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hi"}]}')


def test_what_is_json_is_not_changed_by_a_repair():
    for text in ('{"a": [1.5e3, true, null, "b\\u00e9\\\\x41\\"", {"c": ""}]}', three(), '"x"'):
        assert repair_json(text) == (text, 0)


def test_the_end_of_a_value_is_found_by_its_brackets():
    assert find_value_end('{"a": ["}", {}]} x', 0, 18) == 16
    assert find_value_end('"a{" x', 0, 6) == 4
    assert find_value_end('{"a": [}', 0, 8) is None
    assert find_value_end("{[}]", 0, 4) is None


def test_a_repair_does_not_need_the_beginning_of_the_next_message():
    text = three().replace("привет 1", "привет \\x0C").replace('"id": 2,', '"?": 2,')
    _, items = read(text)
    assert [isinstance(item, dict) for item in items] == [True, True, True]
    assert items[0]["text"] == "привет \x0c"


def test_a_list_without_its_bracket_loses_nothing():
    _, items = read(three().replace('"messages": [', '"messages": '))
    assert [item["id"] for item in items] == [1, 2, 3]


def test_a_string_that_is_in_order_is_passed_over_by_a_repair():
    text = '{"a": "обычный 😀", "b": "\\x0C", "c": "раз\tдва\u2028"}'
    assert repair_json(text) == (text.replace("\\x0C", "\\u000C").replace("\t", "\\u0009"), 2)
