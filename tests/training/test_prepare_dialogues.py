"""What dialogues are made of an export."""

import json
import os
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from training.data.collector import MessageCollector
from training.data.dialogues import make_dialogues
from training.data.telegram.export_reader import ExportFile
from training.data.turns import make_turns
from training.data.workspace import Workspace

REAL_EXPORT = Path(os.environ.get("REAL_EXPORT", ""))
WITH_A_REAL_EXPORT = pytest.mark.skipif(not REAL_EXPORT.is_file(), reason="REAL_EXPORT names no export of a group")


def contents(dialogue):
    return [message["content"] for message in dialogue["messages"]]


def test_a_dialogue_ends_in_the_owners_turn(export, run_prepare):
    export.say("ann", "привет")
    export.say("me", "и тебе привет")
    export.say("ann", "как дела?")
    _, parts = run_prepare(export.chat())
    assert [one["messages"] for one in parts["train"]] == [
        [
            {"role": "user", "name": "Собеседник 1", "content": "привет"},
            {"role": "assistant", "content": "и тебе привет"},
        ]
    ]


def test_messages_of_one_person_within_the_limit_are_one_turn(export, run_prepare):
    export.say("ann", "ты")
    export.say("ann", "где?", after=20)
    export.say("ann", "эй!", after=400)
    export.say("me", "дома")
    _, parts = run_prepare(export.chat(), burst_gap=180)
    assert contents(parts["train"][0]) == ["ты\nгде?", "эй!", "дома"]


def test_a_long_silence_begins_a_new_session(export, run_prepare):
    export.say("ann", "пока")
    export.say("me", "пока-пока")
    export.say("ann", "с добрым утром", after=10 * 3600)
    export.say("me", "доброе")
    manifest, parts = run_prepare(export.chat())
    assert [contents(one) for one in parts["train"]] == [["пока", "пока-пока"], ["с добрым утром", "доброе"]]
    assert manifest["sessions"] == 2


def test_an_answer_follows_the_reply_chain_and_not_its_neighbours(export, run_prepare):
    question = export.say("ann", "кто идёт в кино?")
    export.say("bob", "у меня кот заболел")
    answer = export.say("bob", "я пойду", reply_to_message_id=question)
    export.say("cat", "бедный кот")
    export.say("me", "и я с тобой", reply_to_message_id=answer)
    _, parts = run_prepare(export.chat(type="private_group"))
    assert contents(parts["train"][0]) == ["кто идёт в кино?", "я пойду", "и я с тобой"]


def test_several_answers_to_one_message_each_get_it(export, run_prepare):
    question = export.say("ann", "чай или кофе?")
    export.say("me", "чай", reply_to_message_id=question)
    export.say("bob", "кофе", reply_to_message_id=question)
    export.say("me", "хотя и кофе можно", reply_to_message_id=question)
    _, parts = run_prepare(export.chat(type="private_group"))
    assert [contents(one) for one in parts["train"]] == [
        ["чай или кофе?", "чай"],
        ["чай или кофе?", "хотя и кофе можно"],
    ]


def test_an_answer_to_the_first_message_of_a_burst_does_not_see_the_rest(export, run_prepare):
    first = export.say("ann", "ты дома?")
    second = export.say("ann", "купи хлеба", after=5)
    export.say("me", "дома", reply_to_message_id=first)
    export.say("me", "куплю", reply_to_message_id=second)
    _, parts = run_prepare(export.chat())
    assert [contents(one) for one in parts["train"]] == [["ты дома?", "дома"], ["ты дома?\nкупи хлеба", "куплю"]]


def test_a_circle_of_replies_ends(export, run_prepare):
    export.say("ann", "курица", reply_to_message_id=2)
    export.say("bob", "яйцо", reply_to_message_id=1)
    export.say("me", "спорщики", reply_to_message_id=2)
    export.say("me", "сам себе", reply_to_message_id=4, after=999)
    _, parts = run_prepare(export.chat())
    assert contents(parts["train"][0]) == ["курица", "яйцо", "спорщики"]


def test_a_reply_to_another_chat_or_to_nothing_is_no_reply(export, run_prepare):
    export.say("ann", "первое")
    export.say("ann", "второе", after=999)
    export.say("me", "ответ", reply_to_message_id=1, reply_to_peer_id="channel5")
    export.say("ann", "третье", after=99_999)
    export.say("me", "ещё ответ", reply_to_message_id=777)
    manifest, parts = run_prepare(export.chat())
    assert [contents(one) for one in parts["train"]] == [["первое", "второе", "ответ"], ["третье", "ещё ответ"]]
    assert (manifest["replies_resolved"], manifest["replies_unresolved"]) == (0, 1)


def test_speakers_of_a_group_are_kept_apart(export, run_prepare):
    export.say("ann", "я за море", after=10)
    export.say("bob", "я за горы", after=10)
    export.say("ann", "море теплее", after=10)
    export.say("me", "тогда озеро", after=10)
    _, parts = run_prepare(export.chat(type="private_supergroup"))
    assert [(m.get("name"), m["content"]) for m in parts["train"][0]["messages"]] == [
        ("Собеседник 1", "я за море"),
        ("Собеседник 2", "я за горы"),
        ("Собеседник 1", "море теплее"),
        (None, "тогда озеро"),
    ]


def test_an_answer_to_a_picture_keeps_the_picture_as_its_parent(export, run_prepare):
    export.say("ann", "смотри", after=5)
    photo = export.say("ann", "", photo="(File not included)")
    sticker = export.say("ann", "", media_type="sticker", sticker_emoji="😹", file="x")
    export.say("me", "красота", reply_to_message_id=photo)
    export.say("me", "ха-ха", reply_to_message_id=sticker)
    _, parts = run_prepare(export.chat())
    assert [contents(one) for one in parts["train"]] == [["[фото]", "красота"], ["[стикер 😹]", "ха-ха"]]


def test_formatted_text_is_whole(export, run_prepare):
    bold = {"type": "bold", "text": "жирно"}
    export.say("ann", ["слово ", bold, " и ", {"type": "text_link", "text": "статья", "href": "https://a.b/c"}, "."])
    export.say("me", "", text_entities=[{"type": "italic", "text": "курсив"}, {"type": "новый вид", "text": "!"}])
    _, parts = run_prepare(export.chat())
    assert contents(parts["train"][0]) == ["слово жирно и статья.", "курсив!"]


def test_what_is_not_the_owners_own_word_is_never_learned(export, run_prepare):
    export.say("ann", "что нового?")
    export.say("me", [{"type": "blockquote", "text": "из газеты"}, "вот"])
    export.say("me", "чужая новость", forwarded_from="Газета")
    export.say("me", "через бота", via_bot="@gif")
    export.say("me", "", photo="x")
    export.say("me", "всё по-старому")
    manifest, parts = run_prepare(export.chat())
    assert [contents(one) for one in parts["train"]] == [["что нового?", "вот\nвсё по-старому"]]
    assert manifest["quoted"] == 1


def test_duplicates_and_near_duplicates_are_dropped(export, run_prepare):
    recipe = "Возьми два яйца, стакан молока и муку, взбей всё венчиком и жарь на сковороде до золотистой корочки"
    for question, answer in (
        ("Как дела?", "Нормально"),
        ("как дела", "нормально!!!"),
        ("как пожарить блины", recipe),
        ("как пожарить блины", recipe.replace("золотистой", "румяной")),
    ):
        export.say("ann", question, after=99_999)
        export.say("me", answer)
    manifest, parts = run_prepare(export.chat())
    assert [contents(one)[-1] for one in parts["train"]] == ["Нормально", recipe]
    assert manifest["dropped"] == {"duplicate": 1, "near_duplicate": 1, "no_dialogue": 2}


def test_parts_follow_each_other_in_time_and_share_no_message(rusdracor, run_prepare):
    manifest, parts = run_prepare(rusdracor, owner="Попова", validation_share=0.2, test_share=0.2)
    rows = {part: {row for one in ones for turn in one["rows"] for row in turn} for part, ones in parts.items()}
    assert all(len(one["rows"]) == len(one["messages"]) for ones in parts.values() for one in ones)
    assert all(parts.values())
    assert not (rows["train"] & rows["validation"])
    assert not ((rows["train"] | rows["validation"]) & rows["test"])
    times = [one["time"] for part in ("train", "validation", "test") for one in parts[part]]
    assert times == sorted(times)
    assert manifest["dialogues"] == sum(map(len, parts.values()))


def test_the_same_export_gives_the_same_data(rusdracor, run_prepare):
    assert run_prepare(rusdracor, owner="Попова") == run_prepare(rusdracor, owner="Попова")


@pytest.fixture
def arranged(tmp_path):
    """`arranged(file)`: the workspace with the messages and turns of `file`."""
    with ExitStack() as stack:

        def arrange(file):
            workspace = stack.enter_context(Workspace.open(tmp_path / "workspace.sqlite"))
            export = ExportFile(stack.enter_context(file.open("rb")))
            workspace.add_messages(MessageCollector().messages(export.items()))
            workspace.resolve_replies()
            workspace.add_turns(make_turns(workspace.messages(), session_gap=14400, burst_gap=180))
            return workspace

        yield arrange


@WITH_A_REAL_EXPORT
def test_every_resolvable_reply_of_a_real_export_goes_to_the_right_parent(arranged):
    """Everybody in the group is the owner once, so that each reply ends a dialogue."""
    workspace = arranged(REAL_EXPORT)
    expected = replies_of(json.loads(REAL_EXPORT.read_text())["messages"])
    ids = dict(workspace.database.execute("SELECT row, id FROM messages"))
    authors = [author for (author,) in workspace.database.execute("SELECT DISTINCT author FROM messages")]
    kept = {}
    for author in authors:
        for dialogue in make_dialogues(workspace, frozenset({author}), context_turns=8):
            before = [ids[row.row] for part in dialogue.turns[:-1] for row in part.rows]
            for place, row in enumerate(answer := [ids[row.row] for row in dialogue.turns[-1].rows]):
                kept[row] = (before[-1:], answer[:place])
    right = [reply for reply, parent in expected.items() if parent in kept[reply][0] or parent in kept[reply][1]]
    assert expected
    assert [reply for reply in expected if reply not in right] == []


@WITH_A_REAL_EXPORT
def test_the_manifest_accounts_for_every_item_of_a_real_export(run_prepare):
    items = json.loads(REAL_EXPORT.read_text())["messages"]
    authors = Counter(item["from"] for item in items if item.get("from"))
    manifest, _ = run_prepare(REAL_EXPORT, owner=authors.most_common(1)[0][0])
    assert manifest["items"] == len(items) == manifest["messages"] + sum(manifest["dropped"].values())
    assert manifest["replies_resolved"] == len(replies_of(items))


def replies_of(items):
    """Id of each message with text that answers one of the export → id of what it answers."""
    ids = {item["id"] for item in items}
    return {
        item["id"]: item["reply_to_message_id"]
        for item in items
        if item["text"] and item.get("reply_to_message_id") in ids
    }
