"""The voice's questions are asked in a real generate function, and what it answers becomes a sheet."""

import json

from benchmarks import voice
from benchmarks.voice_sheet import read_key


async def test_every_question_is_answered_with_its_talk_before_it_and_stands_on_the_sheet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOICE_LIST", "halfway")
    monkeypatch.setattr(voice, "read_list", lambda name: [["раз?", "два?", "три?"], [name]])
    monkeypatch.setattr(voice, "systems", lambda: {"blackbird": voice.System({"GENERATE_ENGINE": "echo"})})
    figures = await voice.measure()
    assert figures["halfway"]["blackbird"].items() >= {"answers": 4, "unanswered": 0}.items()
    directory = tmp_path / "build/bench/voice/halfway"
    answers = json.loads((directory / "answers/blackbird.json").read_text())["answers"]
    assert [(one["number"], one["last"]["answer"], len(one["before"])) for one in answers] == [
        (1, "раз?", 0),
        (2, "два?", 1),
        (3, "три?", 2),
        (4, "halfway", 0),
    ]
    assert len(read_key(directory)) == 4
    assert "blackbird" not in (directory / "to-mark.md").read_text()
    assert voice._saved(directory / "answers/blackbird.json")[2].before[1].answer == "два?"
