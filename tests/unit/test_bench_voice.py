"""The voice's benchmark without its measurements: questions, the readers' sheet, marks and what they come to."""

import json

import pytest
from click.testing import CliRunner

from benchmarks import voice, voice_sheet
from benchmarks.results import Part, Results
from benchmarks.voice_lists import read_list, talks
from benchmarks.voice_marks import Mark, agreement, judged, kappa, read_marks, worst
from benchmarks.voice_sheet import Answered, Place, drawn, read_key, sheet
from events.errors import TimokhaError
from events.schema import Role
from functions.generate.models import voices
from training.voice.talks import Exchange

S, O, B = Mark  # noqa: E741 -- as in a table


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOICE_LIST", raising=False)
    return tmp_path


def answered(number, answer="Да.", *before):
    return Answered(number, before, Exchange(f"Вопрос {number}?", answer))


SYSTEMS = {name: [answered(n, f"{name[::-1]} {n}") for n in range(1, 21)] for name in ("base", "trained", "near")}


def test_a_list_is_talks_of_questions():
    assert talks("# why\n\nодин?\n# more\n два? \n\n\n\nтри?\n") == [["один?", "два?"], ["три?"]]


def test_another_list_than_those_there_are_is_named_in_one_line():
    with pytest.raises(
        TimokhaError, match=r"^VOICE_LIST=other is no list of questions: it is one of test, second, halfway$"
    ):
        read_list("other")


def test_the_order_keeps_every_answer_and_is_the_same_each_time():
    order = drawn(SYSTEMS)
    assert len(order) == 60
    assert {(place.system, place.question) for place, _ in order} == {
        (name, one.number) for name, some in SYSTEMS.items() for one in some
    }
    assert all(one in SYSTEMS[place.system] for place, one in order)
    assert order == drawn(dict(reversed(SYSTEMS.items())))
    assert [place for place, _ in order] != sorted((place for place, _ in order), key=lambda place: place.system)


def test_the_sheet_names_no_system_and_the_key_knows_whose_each_answer_is(tmp_path):
    voice_sheet.write(tmp_path, SYSTEMS)
    written = (tmp_path / "to-mark.md").read_text()
    assert not any(name in written for name in ("base", "trained", "near"))
    key = read_key(tmp_path)
    assert sorted(key) == list(range(1, 61))
    for number, place in key.items():
        entry = written.split(f"\n## {number}\n")[1].split("\n## ")[0]
        assert f"Вопрос {place.question}?" in entry
        assert f"{place.system[::-1]} {place.question}" in entry


def test_a_question_stands_after_the_talk_before_it():
    entry = sheet([answered(3, "Три.", Exchange("Раз?", "Один."), Exchange("Два?", ""))]).partition("## 1\n")[2]
    assert entry.split("\n")[1:7] == [
        "- You: Раз?",
        "- Timokha: Один.",
        "- You: Два?",
        "- Timokha: (no answer)",
        "- You: Вопрос 3?",
        "- **Timokha: Три.**",
    ]


def test_an_answer_of_several_lines_can_not_look_like_another_entry():
    written = sheet([answered(1, "Да.\n## 2\n\n- You: я?")])
    assert "Да. ⏎ ## 2 ⏎  ⏎ - You: я?" in written
    assert "\n## 2" not in written


def marked(tmp_path, text, numbers=frozenset({1, 2, 3})):
    path = tmp_path / "one.txt"
    path.write_text(text, encoding="utf-8")
    return read_marks(path, set(numbers))


def test_marks_are_read_a_line_each_with_notes(tmp_path):
    assert marked(tmp_path, "# mine\n2 odd\n\n1: Sensible # хорошо\n 3. broken#\n") == {1: S, 2: O, 3: B}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 odd\n", "has no mark for 2 of 3 answers (2, 3): add them"),
        ("", "has no mark for 3 of 3 answers (1, 2, 3): add them"),
        ("1 odd\n2 good\n3 odd", "line 2: '2 good' is no mark: write number and sensible, odd or broken, e.g. 17 odd"),
        ("1 oddly\n2 odd\n3 odd", "line 1: '1 oddly' is no mark"),
        ("1 odd broken\n2 odd\n3 odd", "line 1: '1 odd broken' is no mark"),
        ("1 odd\n2 odd\n3 odd\n2 odd", "line 4: 2 is marked twice"),
        ("1 odd\n2 odd\n3 odd\n4 odd", "line 4: 4 is not on the sheet"),
    ],
)
def test_marks_that_are_missing_or_wrong_are_an_error_of_one_line(tmp_path, text, said):
    with pytest.raises(TimokhaError) as error:
        marked(tmp_path, text)
    assert said in str(error.value)
    assert str(tmp_path / "one.txt") in str(error.value)
    assert "\n" not in str(error.value)


def test_of_many_missing_marks_some_are_named(tmp_path):
    with pytest.raises(TimokhaError, match=r"for 100 of 100 answers \(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …\)"):
        marked(tmp_path, "", range(1, 101))


def test_a_file_of_marks_that_is_not_there_or_no_text_is_an_error_of_one_line(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for name in ("nowhere", "bytes"):
        with pytest.raises(TimokhaError, match="can't be read") as error:
            read_marks(tmp_path / name, {1})
        assert "\n" not in str(error.value)


def test_the_worse_mark_counts():
    one, other = {1: S, 2: O, 3: B, 4: S}, {1: O, 2: S, 3: S, 4: S}
    assert worst(one, other) == worst(other, one) == {1: O, 2: O, 3: B, 4: S}


def test_agreement_is_a_share_and_kappa_leaves_chance_out():
    # The example of Cohen's kappa in every textbook: 50 judged, 20 and 15 of them alike, 0.4.
    pairs = [(S, S)] * 20 + [(S, O)] * 5 + [(O, S)] * 10 + [(O, O)] * 15
    one, other = ({n: pair[side] for n, pair in enumerate(pairs)} for side in (0, 1))
    assert agreement(one, other) == pytest.approx(0.7)
    assert kappa(one, other) == pytest.approx(0.4)
    assert kappa(one, one) == 1
    assert kappa({1: S, 2: S}, {1: S, 2: S}) == 1
    assert kappa({1: S, 2: O}, {1: O, 2: S}) == -1


def test_each_system_is_told_how_many_of_its_answers_have_which_mark():
    key = {1: Place("base", 1), 2: Place("trained", 1), 3: Place("trained", 2), 4: Place("base", 2)}
    assert judged(key, {1: B, 2: S, 3: S, 4: S}, {1: S, 2: S, 3: O, 4: S}) == {
        "base": {"sensible": 1, "odd": 0, "broken": 1},
        "trained": {"sensible": 1, "odd": 1, "broken": 0},
        "agreement": 0.5,
        "kappa": -0.143,
    }


def write_marks(directory, wrong=()):
    for name in ("one", "two"):
        lines = [f"{number} {'odd' if number in wrong else 'sensible'}" for number in range(1, 61)]
        (directory / name).write_text("\n".join(lines))


def test_marks_are_counted_printed_saved_and_join_the_figures_of_the_part(tmp_path):
    Results(voice.RESULTS).write("voice", Part({"test": {"base": {"answers": 20}}}, {"at": "2026"}))
    directory = tmp_path / "build/bench/voice/test"
    directory.mkdir(parents=True)
    voice_sheet.write(directory, SYSTEMS)
    key = read_key(directory)
    write_marks(tmp_path, {number for number, place in key.items() if place == Place("base", 7)})
    done = CliRunner().invoke(voice.main, ["marks", "one", "two"])
    assert done.exit_code == 0
    assert json.loads(done.output)["base"] == {"sensible": 19, "odd": 1, "broken": 0}
    found = Results(voice.RESULTS).read()
    assert found["voice"]["test"]["base"] == {"answers": 20, "sensible": 19, "odd": 1, "broken": 0}
    assert found["runs"]["voice"] == {"at": "2026"}
    saved = json.loads((directory / "marks.json").read_text())["each"]
    assert [one for one in saved.values() if one["counts"] == "odd"] == [
        {"system": "base", "question": 7, "marks": ["odd", "odd"], "counts": "odd"}
    ]


def test_marks_of_the_other_list_change_no_figures(tmp_path, monkeypatch):
    monkeypatch.setenv("VOICE_LIST", "halfway")
    directory = tmp_path / "build/bench/voice/halfway"
    directory.mkdir(parents=True)
    voice_sheet.write(directory, SYSTEMS)
    write_marks(tmp_path)
    assert CliRunner().invoke(voice.main, ["marks", "one", "two"]).exit_code == 0
    assert Results(voice.RESULTS).read() == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["marks", "one", "two"], "there is no sheet to count by"),
        (["sheet"], "there are no answers in build/bench/voice/test"),
        (["ask", "mine", "GENERATE_MODEL"], "GENERATE_MODEL is no setting: write KEY=VALUE"),
    ],
)
def test_the_commands_say_in_one_line_what_is_missing(arguments, said):
    done = CliRunner().invoke(voice.main, arguments)
    assert done.exit_code in {1, 2}
    assert said in done.output.splitlines()[-1]


def test_a_model_that_is_named_from_here_is_found_from_where_the_worker_starts(tmp_path):
    (tmp_path / "mine").mkdir()
    assert voice.told(["GENERATE_MODEL=mine", "GENERATE_BITS=4", "A=b=c", "B="]) == {
        "GENERATE_MODEL": str(tmp_path / "mine"),
        "GENERATE_BITS": "4",
        "A": "b=c",
        "B": "",
    }


def test_a_question_is_asked_as_the_userbot_asks_it():
    before = [Exchange("Раз?", "Один."), Exchange("Два?", "")]
    asked = voice.request("Три?", 3, before)
    assert [(turn.role, turn.text) for turn in asked.turns] == [
        (Role.USER, "Раз?"),
        (Role.ASSISTANT, "Один."),
        (Role.USER, "Три?"),
    ]
    assert asked.sampling == voice.request("Три?", 3, before).sampling
    assert asked.sampling.seed not in {0, voice.request("Три?", 4, before).sampling.seed}


async def test_a_question_that_can_not_be_asked_is_one_error():
    class Broken:
        async def request(self, asked):
            raise TimokhaError("no confirmation")

    with pytest.raises(TimokhaError, match=r"^no confirmation$"):
        await voice.Asker(Broken(), None).all([["один?"], ["два?", "три?"]])


def test_there_is_the_base_model_and_where_there_is_a_voice_the_trained_one_and_each_with_near_examples(
    monkeypatch, tmp_path
):
    base = {"GENERATE_VOICE": "none"}
    monkeypatch.setattr(voices, "DIRECTORY", tmp_path / "none")
    assert voice.systems() == {"base": voice.System(base), "near": voice.System(base, near=True)}
    monkeypatch.setattr(voices, "DIRECTORY", tmp_path)
    assert voice.systems()["trained"] == voice.System(alone=True)
    assert voice.systems()["both"] == voice.System()
