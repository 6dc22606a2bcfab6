"""What readers think of this bot's answers: liked ones are learned, disliked ones are not, wherever they stand."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from events.errors import SettingsError
from events.recordings.feedback import JudgedAnswer, JudgedMessage
from events.recordings.lines import BadRecording, write
from events.schema import Role
from training.data.command import prepare
from training.data.manifest import Manifest
from training.data.splits import Part
from training.examples import cover_answers, read_examples
from training.settings import PrepareSettings

LATER = 1_800_000_000
BAD = "Это была на редкость неудачная и длинная отповедь."


def judged(*texts: str, votes: dict[str, int] | None = None, time: int = LATER, names: str = "") -> JudgedAnswer:
    """Turns in turn of a reader and the bot, whose answer is the last one; `names`: a letter for each turn."""
    messages = [
        JudgedMessage(role=Role.USER if (len(texts) - place) % 2 == 0 else Role.ASSISTANT, content=text)
        for place, text in enumerate(texts)
    ]
    if names:
        messages = [
            message.model_copy(update={"name": name.strip()}) for message, name in zip(messages, names, strict=True)
        ]
    return JudgedAnswer(messages=tuple(messages), votes=votes or {"a": 1}, time=time)


@pytest.fixture
def votes(tmp_path):
    def written(*answers: JudgedAnswer, name: str = "votes.jsonl") -> Path:
        write(answers, tmp_path / name)
        return tmp_path / name

    return written


def shown(parts) -> list[list[str]]:
    return [[message["content"] for message in one["messages"]] for one in parts["train"]]


@pytest.fixture
def chat(export):
    """One dialogue of the owner's own, and one of the bot's in the owner's name."""
    export.say("ann", "где ты?")
    export.say("me", "дома, скоро выхожу")
    asked = export.say("ann", "Тимоха, как дела?", after=10 * 3600)
    thinking = export.say("me", "Тимоха думает…", after=1, reply_to_message_id=asked)
    export.say("me", BAD, after=1, reply_to_message_id=thinking)
    return export.chat()


def test_liked_answers_become_dialogues_for_training_and_the_summary_counts_them(chat, run_prepare, votes) -> None:
    file = votes(judged("расскажи шутку", "Колобок повесился."), judged("а", "б", votes={"a": 1, "b": -1}))
    manifest, parts = run_prepare(chat, feedback=file)
    assert shown(parts)[-1] == ["расскажи шутку", "Колобок повесился."]
    assert "б" not in [turns[-1] for turns in shown(parts)]
    assert manifest["feedback"] == {"liked": 1, "examples": 1, "disliked": 0, "removed": 0, "undecided": 1}
    assert "feedback: liked 1, examples 1, disliked 0, removed 0, undecided 1" in Manifest(**manifest).summary()
    assert manifest["train"] == manifest["dialogues"] == len(parts["train"])
    assert manifest["items"] == manifest["messages"] + sum(manifest["dropped"].values())


def test_a_disliked_answer_is_no_example_and_leaves_the_export_with_its_thinking_line(chat, run_prepare, votes) -> None:
    _, before = run_prepare(chat)
    assert BAD in json.dumps(before, ensure_ascii=False)
    manifest, parts = run_prepare(chat, feedback=votes(judged("как дела?", BAD.upper(), votes={"a": -1})))
    assert shown(parts) == [["где ты?", "дома, скоро выхожу"]]
    assert manifest["feedback"] == {"liked": 0, "examples": 0, "disliked": 1, "removed": 2, "undecided": 0}
    assert manifest["dropped"] == {"disliked": 2, "no_dialogue": 1}
    assert manifest["items"] == manifest["messages"] + sum(manifest["dropped"].values())


def test_the_same_words_of_the_owner_to_another_question_stay(export, run_prepare, votes) -> None:
    for question in ("придёшь?", "Тимоха, ты бот?"):
        asked = export.say("ann", question, after=10 * 3600)
        export.say("me", "да", reply_to_message_id=asked)
    export.say("bob", "или нет?", after=10 * 3600)
    export.say("me", "да", after=10)
    _, parts = run_prepare(export.chat(), feedback=votes(judged("ты бот?", "Да!", votes={"a": -1})))
    assert shown(parts) == [["придёшь?", "да"], ["или нет?", "да"]]


def test_a_question_of_several_messages_is_recognised_by_its_last_one(export, run_prepare, votes) -> None:
    export.say("ann", "привет")
    asked = export.say("ann", "ты где?", after=1)
    export.say("me", "Я программа.", after=1, reply_to_message_id=asked)
    export.say("ann", "ого", after=10 * 3600)
    export.say("me", "ага")
    _, parts = run_prepare(export.chat(), feedback=votes(judged("привет\nты где?", "Я программа.", votes={"a": -1})))
    assert shown(parts) == [["ого", "ага"]]


def test_only_liked_answers_of_a_conversation_are_learned(chat, run_prepare, votes) -> None:
    liked = judged("первый", "хорошо ответил", "второй", "тоже хорошо ответил")
    file = votes(
        liked,
        judged("первый", "хорошо ответил"),
        judged("третий", "никто не судил", "четвёртый", "опять хорошо ответил"),
    )
    _, parts = run_prepare(chat, feedback=file)
    assert [message.content for message in liked.messages] in shown(parts)
    assert ["четвёртый", "опять хорошо ответил"] in shown(parts)
    assert "никто не судил" not in json.dumps(parts, ensure_ascii=False)


def test_an_answer_that_two_conversations_show_is_learned_once(chat, run_prepare, votes, tmp_path) -> None:
    file = votes(
        judged("первый вопрос", "первый ответ", time=LATER),
        judged("первый вопрос", "первый ответ", "второй вопрос", "второй ответ", time=LATER + 1),
    )
    run_prepare(chat, feedback=file)
    lessons = cover_answers(read_examples(tmp_path / "data", Part.TRAIN), lambda example: example)
    assert [example.answer for example in lessons].count("второй ответ") == 1
    assert "первый ответ" not in [example.answer for example in lessons]


def test_nothing_that_a_model_wrote_is_in_the_parts_that_measure(export, run_prepare, votes) -> None:
    for number in range(40):
        export.say("ann", f"вопрос {number} про {'абвгдежзик'[number % 10] * 7}", after=10 * 3600)
        export.say("me", f"ответ {number} про {'лмнопрстуф'[number % 10] * 7}")
    liked = [judged(f"{number * 7919} что это", f"{number * 7907} вот что") for number in range(20)]
    manifest, parts = run_prepare(export.chat(), feedback=votes(*liked), validation_share=0.2, test_share=0.2)
    assert manifest["feedback"]["examples"] > 0
    assert "вот что" in json.dumps(parts["train"], ensure_ascii=False)
    assert parts["validation"]
    assert parts["test"]
    assert "вот что" not in json.dumps([parts["validation"], parts["test"]], ensure_ascii=False)


def test_names_and_private_data_do_not_get_through_and_blocked_words_drop_it(
    chat, run_prepare, votes, tmp_path
) -> None:
    blocklist = tmp_path / "blocked.txt"
    blocklist.write_text("секрет\n")
    file = votes(
        judged("Пишите на ann@example.com", "ok", "позвони мне", "звоню +7 912 345-67-89", names="A B "),
        judged("ok?", "это секрет"),
        judged("позвони мне", "ok", "да", "ok", names="A B "),
    )
    manifest, parts = run_prepare(chat, feedback=file, blocklist=blocklist)
    text = json.dumps(parts, ensure_ascii=False)
    assert not [word for word in ("ann@example.com", "912", "секрет", '"A"', '"B"') if word in text]
    assert manifest["dropped_dialogues"]["blocklisted"] == 1
    assert manifest["private_data_replaced"]


def test_of_several_files_the_last_vote_of_a_reader_counts_and_the_same_dialogue_is_learned_once(
    chat, run_prepare, votes, tmp_path
) -> None:
    folder = tmp_path / "daily"
    folder.mkdir()
    once, twice = judged("раз", "первый ответ бота"), judged("два", "второй ответ бота")
    write([once, twice], folder / "2026-11-26.jsonl")
    write([once.model_copy(update={"votes": {"a": -1}}), twice], folder / "2026-11-27.jsonl")
    manifest, parts = run_prepare(chat, feedback=folder)
    assert manifest["feedback"] == {"liked": 1, "examples": 1, "disliked": 1, "removed": 0, "undecided": 0}
    assert shown(parts).count(["два", "второй ответ бота"]) == 1
    assert ["раз", "первый ответ бота"] not in shown(parts)


def test_without_feedback_the_data_are_as_ever(chat, run_prepare) -> None:
    manifest, _ = run_prepare(chat)
    assert "feedback" not in manifest
    assert "feedback" not in Manifest(**manifest).summary()


@pytest.mark.parametrize("line", ["{}", "[]", "x", '{"messages": [], "votes": {}, "time": 1}'])
def test_a_file_that_is_no_feedback_says_where(chat, run_prepare, tmp_path, line) -> None:
    file = tmp_path / "votes.jsonl"
    file.write_text(f"{line}\n")
    with pytest.raises(BadRecording, match=r"votes.jsonl, line 1 is no judged answer \(.*\); record it again"):
        run_prepare(chat, feedback=file)


def test_a_missing_file_and_an_empty_directory_say_what_to_do(tmp_path, export) -> None:
    (tmp_path / "result.json").write_text(export.text())
    (tmp_path / "empty").mkdir()
    for name, expected in (("missing.jsonl", BadRecording), ("empty", SettingsError)):
        settings = PrepareSettings(
            export=tmp_path / "result.json", out=tmp_path / "data", owner="user_me", feedback=tmp_path / name
        )
        with pytest.raises(expected, match=name):
            prepare(settings, console=Console(quiet=True))
