"""Every form of an export is read, and what can't be is one line that says what to do."""

import json

import pytest

from events.errors import SettingsError, TimokhaError


def contents(dialogue):
    return [message["content"] for message in dialogue["messages"]]


def trapped(export):
    """A chat with one of everything that an export may contain; returns it."""
    export.say("ann", "привет")
    export.items += [
        None,
        "строка",
        {"type": "message"},
        {"id": 9001, "type": "message", "text": "без даты", "from_id": "user_ann"},
        {
            "id": 9002,
            "type": "service",
            "date_unixtime": "1700000100",
            "actor": None,
            "actor_id": None,
            "action": "call",
        },
        {"id": -9003, "type": "message", "date_unixtime": "1700000120", "from": None, "from_id": None, "text": None},
        {"id": 9004, "type": "опрос", "date_unixtime": "1700000130", "text": "?"},
    ]
    export.say("gone", "я удалён", **{"from": None})
    export.say("quiz bot", "сколько будет 2+2?", **{"from": "QuizBot"})
    export.say("news", "новость", from_id="channel77")
    export.say("ann", "", file="x", media_type="voice_message")
    export.say("ann", "привет всем", edited_unixtime="1700000900", edited="2023-11-14T22:28:20")
    export.say("me", "здравствуйте")
    return export.chat(type="private_supergroup")


def test_every_item_is_accounted_for(export, run_prepare):
    chat = trapped(export)
    manifest, parts = run_prepare(chat)
    assert contents(parts["train"][0]) == ["привет", "я удалён", "привет всем", "здравствуйте"]
    assert manifest["items"] == len(chat["messages"])
    assert manifest["messages"] == 4
    assert manifest["dropped"] == {"bot": 1, "channel": 1, "malformed": 5, "no_text": 2, "service": 1}
    assert manifest["edited"] == 1


def account(export, **fields):
    mine = {"name": "Saved", "type": "saved_messages", "id": 3, "messages": export.items[:1]}
    return {
        "about": "…",
        "personal_information": {"user_id": 42, "first_name": "Me"},
        "contacts": {"list": [{"first_name": "Ann", "messages": "no"}]},
        "chats": {"about": "", "list": [export.chat(), {**export.chat(), "name": "Other"}, mine]},
        "left_chats": {"list": [{"messages": [], "type": "private_group"}]},
        **fields,
    }


def test_a_whole_account_says_itself_whose_it_is(export, run_prepare):
    export.say("ann", "как ты?")
    export.say("me", "жив", from_id="user42")
    manifest, parts = run_prepare(account(export), owner=None)
    assert [contents(one) for one in parts["train"]] == [["как ты?", "жив"]]
    assert manifest["chats"] == 4
    assert manifest["dropped"] == {"duplicate": 1, "no_dialogue": 1, "saved_messages": 1}


def test_equal_ids_of_two_chats_are_two_messages(export, run_prepare):
    export.say("ann", "вопрос первой")
    export.say("me", "ответ", reply_to_message_id=1)
    other = json.loads(json.dumps(export.chat()).replace("ann", "bob"))
    other["messages"][0]["text"] = "вопрос второго"
    _, parts = run_prepare({"chats": {"list": [export.chat(), other]}})
    assert [contents(one)[0] for one in parts["train"]] == ["вопрос первой", "вопрос второго"]


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_of_a_file_cut_in_the_middle_what_is_whole_is_used(export, run_prepare, share):
    for number in range(50):
        export.say("ann", f"вопрос номер {number}")
        export.say("me", f"ответ номер {number}")
    text = json.dumps(export.chat(), ensure_ascii=False)
    manifest, parts = run_prepare(text[: int(len(text) * share)])
    assert manifest["truncated"]
    assert 50 * share - 3 < len(parts["train"]) < 50 * share + 1


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"chats"', "привет", "<html>", "[1, 2]", '{"a": {"b": []}}', '{"messages": {}}', "\x00\xff", "3"],
)
def test_what_is_no_export_is_one_line_that_says_what_to_do(run_prepare, text):
    with pytest.raises(
        SettingsError, match=r"result\.json is not a Telegram export .* Machine-readable JSON"
    ) as caught:
        run_prepare(text)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(run_prepare, tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.json can't be used: No such file"):
        run_prepare(tmp_path / "nowhere.json")


def test_an_unknown_owner_is_told_the_nearest_names(export, run_prepare):
    export.say("анна каренина", "да")
    export.say("вронский", "нет")
    with pytest.raises(SettingsError, match=r"no speaker is called 'Ана Каренина'; the nearest are Анна Каренина"):
        run_prepare(export.chat(), owner="Ана Каренина")


def test_an_owner_is_found_by_name_in_any_case_and_by_several_ids(export, run_prepare):
    export.say("ann", "привет")
    export.say("me", "привет из старого аккаунта", **{"from": "Семён Ёлкин"})
    export.say("ann", "а теперь?")
    export.say("new", "а теперь из нового", **{"from": "Семён"})
    _, parts = run_prepare(export.chat(), owner=" семен  елкин")
    assert len(parts["train"]) == 1
    _, parts = run_prepare(export.chat(), owner="user_me, user_new")
    assert len(parts["train"]) == 2


def test_two_people_of_one_name_are_told_apart_by_id(rusdracor, export, run_prepare):
    export.say("one", "а", **{"from": "Иван"})
    export.say("two", "б", **{"from": "Иван"})
    with pytest.raises(SettingsError, match=r"several speakers are called 'Иван': Иван \(user_one, 1 messages\)"):
        run_prepare(export.chat(), owner="Иван")


def test_an_owner_whom_nobody_asked_is_told_so(export, run_prepare, tmp_path):
    export.say("me", "есть кто?")
    with pytest.raises(TimokhaError, match="TRAINING_OWNER"):
        run_prepare(export.chat())
    assert not (tmp_path / "data").exists()


def test_bots_and_blocklisted_words_are_dropped(export, run_prepare, tmp_path):
    blocklist = tmp_path / "blocklist.txt"
    blocklist.write_text("секрет\nбабушкин рецепт\n")
    export.say("helper", "нажмите 1")
    export.say("ann", "это Секрет!")
    export.say("ann", "секретарь пришёл")
    export.say("me", "встречай")
    manifest, parts = run_prepare(export.chat(), bots="Helper, user_none", blocklist=blocklist)
    assert contents(parts["train"][0]) == ["секретарь пришёл", "встречай"]
    assert manifest["dropped"] == {"blocklisted": 1, "bot": 1}


def test_the_manifest_carries_the_note_on_consent_and_no_names(export, run_prepare):
    export.say("аннушка", "привет")
    export.say("me", "здравствуй")
    manifest, parts = run_prepare(export.chat(), owner="Me")
    assert "consent" in manifest["consent"]
    assert "аннушка" not in json.dumps([manifest, parts], ensure_ascii=False).lower()
