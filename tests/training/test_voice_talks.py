"""The talks of the voice: how they are read, what is a template, and that none is lost on the way to training."""

import json
from itertools import groupby

import pytest
from rich.console import Console

from events.runtime.clock import SystemClock
from functions.generate.models.card import ModelCard
from training.data.command import prepare
from training.data.splits import Part
from training.examples import read_examples
from training.fit.command import fit
from training.settings import FitSettings, PrepareSettings
from training.voice import telegram
from training.voice.__main__ import main
from training.voice.lost_answers import find_lost_answers
from training.voice.report import MOST, distinct_4gram_share, find_templates, skeleton
from training.voice.talks import BadTalks, Exchange, read_talks

QUIET = Console(quiet=True)


@pytest.fixture
def write(tmp_path):
    """`write(text, language, name)`: a file of talks; gives the directory of all."""

    def written(text, language="ru", name="a.txt"):
        folder = tmp_path / "talks" / language
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "talks"

    return written


def test_talks_are_blocks_of_questions_and_answers(write):
    write("# first\n- Привет!\n+ Привет-привет.\n# between\n- как ты\n+ Бодро!\n\n\n- Пока\n+ До встречи!")
    talks = read_talks(write("- hi\n+ Hello!\n", "en"))
    assert [(talk.language, talk.place, len(talk.exchanges)) for talk in talks] == [
        ("ru", "ru/a.txt:2", 2),
        ("ru", "ru/a.txt:9", 1),
        ("en", "en/a.txt:1", 1),
    ]
    assert talks[0].exchanges == (Exchange("Привет!", "Привет-привет."), Exchange("как ты", "Бодро!"))


def test_no_talks_are_none(tmp_path, capsys):
    assert read_talks(tmp_path) == []
    assert main(["--talks", str(tmp_path), "report"]) == 0
    assert main(["--talks", str(tmp_path), "export", "--out", str(tmp_path / "export")]) == 1
    assert capsys.readouterr().err == f"{tmp_path} has no talks: they belong in ru/*.txt or en/*.txt\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- да\n- нет\n+ ну\n", "ru/a.txt:2: expected a line with + (answer)"),
        ("+ да\n- нет\n", "ru/a.txt:1: expected a line with - (question)"),
        ("привет\n", "ru/a.txt:1: expected a line with - (question)"),
        ("- да\n+ нет\n- ну\n", "ru/a.txt:3: the talk ends with a question"),
        ("- да\n+\n", "ru/a.txt:2: an empty answer"),
        ("- да\n+ Гость: нет\n", "ru/a.txt:2: names a speaker"),
        ("- да\n+ нет\n" * 11, "ru/a.txt:1: a talk of 11 exchanges, more than 10"),
        ("- да\n+ нет\n".encode("cp1251"), "ru/a.txt: can't be read"),
    ],
)
def test_a_fault_is_one_line_with_its_place(write, capsys, text, fault):
    directory = write(text)
    with pytest.raises(BadTalks) as error:
        read_talks(directory)
    assert str(error.value).startswith(fault)
    assert "\n" not in str(error.value)
    assert main(["--talks", str(directory), "report"]) == 1
    assert capsys.readouterr().err.startswith(fault)


def test_a_skeleton_has_neither_numbers_nor_names():
    assert skeleton("Сколько будет 2 + 12?") == skeleton("сколько будет 7 - 5")
    assert skeleton("Я люблю Машу, а Пётр — нет.") == skeleton("я люблю Олю, а Василий - нет")
    assert skeleton("Маша ушла. Она вернётся.") == "* ушла она вернется"
    assert skeleton("Он в Нижнем Новгороде") == "он в *"
    assert skeleton("Никогда не был в Париже!") == "никогда не был в *"


def test_a_template_stands_more_than_three_times(write):
    lines = "".join(f"- Мне {number} лет\n+ Да.\n\n" for number in range(MOST))
    assert find_templates(read_talks(write(lines))) == {"questions": {}, "answers": {}}
    found = find_templates(read_talks(write(lines + "- мне сорок\n+ Да!\n\n- Мне 40 лет!\n+ Да.\n")))
    assert {kind: {key: len(places) for key, places in keys.items()} for kind, keys in found.items()} == {
        "questions": {"мне 0 лет": 4},
        "answers": {},
    }


def test_how_varied_words_are():
    assert distinct_4gram_share(["один два три четыре пять", "Один, два, три, четыре!"]) == pytest.approx(2 / 3)
    assert distinct_4gram_share(["один два"]) == 0


THINGS = ("лес", "море", "гора", "река", "дом", "сад", "чай", "суп", "мост", "дождь")
TALKS = "".join(
    f"- вопрос номер {one} про {two}\n+ ответ {two} на {one}\n- а {two}?\n+ {two} тоже {one}\n\n"
    for one, two in zip(THINGS, "абвгдежзик", strict=True)
)


@pytest.fixture
def prepared(write, tmp_path):
    """The talks, and the directory of what was prepared of them."""
    talks = read_talks(write(TALKS))
    export = telegram.write_export(talks, tmp_path / "export")
    chosen = {"context_turns": 20, "validation_share": 0.1, "test_share": 0.1}
    prepare(PrepareSettings(export=export, owner="Timokha", out=tmp_path / "data", **chosen), console=QUIET)
    return talks, tmp_path / "data"


def test_prepare_takes_every_exchange(prepared):
    talks, data = prepared
    found = find_lost_answers(talks, data)
    assert found.lost == []
    assert sum(found.parts.values()) == found.exchanges == 20
    assert min(found.parts.values()) >= 1
    assert found.dropped == found.replaced == {}


def test_a_dialogue_is_of_one_talk(prepared):
    talks, data = prepared
    own = {text: talk.place for talk in talks for said in talk.exchanges for text in (said.question, said.answer)}
    for part in Part:
        for example in read_examples(data, part):
            assert len({own[turn.text] for turn in example.turns}) == 1


def test_what_is_lost_is_said(write, prepared, tmp_path, capsys):
    _, data = prepared
    directory = write(TALKS + "- ты где\n+ Пиши на abc@example.com\n")
    assert main(["--talks", str(directory), "losses", "--data", str(data)]) == 0
    assert "lost: Пиши на abc@example.com" in capsys.readouterr().out


def test_the_same_talks_are_the_same_export_wherever_they_stand(write):
    blocks = TALKS.strip().split("\n\n")
    one = telegram.make_export(read_talks(write(TALKS)))
    write("\n\n".join(blocks[::2]))
    other = telegram.make_export(read_talks(write("\n\n".join(blocks[1::2]), name="b.txt")))
    assert json.dumps(one) == json.dumps(other)
    times = [int(item["date_unixtime"]) for item in one["chats"]["list"][0]["messages"]]
    assert times == sorted(times)
    assert len(list(groupby(times, key=lambda time: time // 86400))) == 10


@pytest.mark.parametrize(
    ("frame", "card"),
    [
        ("asked", {"labels": "asked"}),
        ("scene", {"labels": "asked", "scene": True}),
        ("examples", {"labels": "asked", "preamble": True}),
    ],
)
def test_the_frame_of_a_training_stands_on_its_card(prepared, base, tmp_path, frame, card):
    _, data = prepared
    chosen = {"steps": 1, "precision": "fp32", "canaries": 0, "rank": 2}
    fit(
        FitSettings.read(data=data, model=str(base), out=tmp_path / "run", frame=frame, **chosen),
        console=QUIET,
        clock=SystemClock(),
    )
    assert ModelCard.read(tmp_path / "run/model") == ModelCard(
        name="tiny-trained", format="dialogue", licence="CC0-1.0", **card
    )
