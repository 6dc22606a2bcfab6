"""What the voice learns from: questions put otherwise, their answers as they were written."""

import json
from random import Random

import pytest

from events.schema import Role, Turn
from functions.generate.prompts.formats import DialogueFormat
from functions.generate.prompts.near_examples import NearExamples
from training.data.splits import Part
from training.examples import read_examples
from training.voice.__main__ import main
from training.voice.variants import SHARE, variant, vary_questions

QUESTION = "какая планета ближе всех к солнцу?"


def dialogue(*said):
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
    return {"messages": messages, "rows": [[n] for n in range(len(said))]}


@pytest.fixture
def data(tmp_path):
    lines = [dialogue("раз", "Один.", f"{QUESTION} {n}", "Меркурий.") for n in range(400)]
    for part in Part:
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_the_last_question_of_most_dialogues_is_put_otherwise_and_nothing_else_is(data, capsys):
    before = read_examples(data, Part.TRAIN)
    assert main(["vary", "--data", str(data)]) == 0
    after = read_examples(data, Part.TRAIN)
    changed = [one for one, other in zip(before, after, strict=True) if one.turns[-2] != other.turns[-2]]
    assert SHARE - 0.3 < len(changed) / len(before) <= SHARE + 0.1
    assert [one.turns[:-2] + one.turns[-1:] for one in before] == [one.turns[:-2] + one.turns[-1:] for one in after]
    assert read_examples(data, Part.TEST) == before
    assert capsys.readouterr().out.endswith(" questions are rephrased\n")


def test_the_same_data_are_put_otherwise_alike_each_time(data):
    file = data / "train.jsonl"
    before = file.read_text()
    vary_questions(data)
    first = file.read_text()
    file.write_text(before)
    vary_questions(data)
    assert file.read_text() == first


@pytest.mark.parametrize("question", ["я", "?", "ok", "да нет", QUESTION, "what's up", "  пробелы  тут ", "😀"])
def test_no_question_becomes_empty_and_none_becomes_another_language(question):
    random = Random(1)
    put = [variant(question, random) for _ in range(300)]
    assert all(text.strip() for text in put)
    if question.isascii():
        assert all(text.isascii() for text in put)


def test_most_variants_find_the_question_that_they_were():
    talks = [[QUESTION, "Меркурий."], ["какая планета самая большая", "Юпитер."], ["далеко ли до солнца", "Далеко."]]
    search, random = NearExamples(talks, count=1, training=True), Random(2)
    form = DialogueFormat(near=search)
    found = 0
    for _ in range(200):
        asked = [Turn(role=Role.USER, text=variant(QUESTION, random))]
        found += "Меркурий" in "".join(segment.text for segment in form.render(asked))
    assert found > 180


def test_a_text_keeps_the_line_separators_that_are_no_ends_of_lines_in_json(tmp_path):
    line = json.dumps(dialogue("раз\u2028два", "три\u0085четыре", "пять?", "Пять."), ensure_ascii=False)
    for part in Part:
        (tmp_path / f"{part}.jsonl").write_text(f"{line}\n", encoding="utf-8")
    vary_questions(tmp_path)
    for part in Part:
        [one] = read_examples(tmp_path, part)
        assert [turn.text for turn in one.turns[:2]] == ["раз\u2028два", "три\u0085четыре"]
