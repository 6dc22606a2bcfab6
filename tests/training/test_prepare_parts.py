"""Dialogues are split by time into parts that share no message, and from 20 dialogues on none is empty."""

import json
import tempfile
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.manifest import Manifest
from training.data.splits import MIN_DIALOGUES, Part, assign_parts, too_few_warning
from training.data.workspace import Workspace

SHARES = {Part.VALIDATION: 0.1, Part.TEST: 0.1}
DEFAULT = {"validation_share": 0.1, "test_share": 0.1}


def contents(dialogue):
    return [message["content"] for message in dialogue["messages"]]


def shown(dialogues):
    return set(chain(*(chain(*one["rows"]) for one in dialogues)))


def test_one_long_session_of_twenty_dialogues_has_all_three_parts(export, run_prepare):
    for number in range(20):
        export.say("ann", f"вопрос {number}")
        export.say("me", f"ответ {number}")
    manifest, parts = run_prepare(export.chat(), **DEFAULT)
    assert {part: len(ones) for part, ones in parts.items()} == {"train": 16, "validation": 2, "test": 2}
    assert [contents(one) for one in parts["test"]] == [
        ["вопрос 18", "ответ 18"],
        ["вопрос 18", "ответ 18", "вопрос 19", "ответ 19"],
    ]
    assert (manifest["items"], manifest["messages"], manifest["dropped"]) == (40, 40, {})


def test_a_part_begins_at_a_new_question_so_that_it_keeps_what_was_said_at_once(export, run_prepare):
    for number in range(17):
        export.say("ann", f"вопрос {number}")
        export.say("me", f"ответ {number}")
    for number in range(4):
        export.say("me", f"и ещё {number}", after=600)
    manifest, parts = run_prepare(export.chat(), **DEFAULT)
    assert [contents(one)[-1] for one in parts["test"]] == ["ответ 16", *(f"и ещё {number}" for number in range(4))]
    assert len(parts["validation"]) == 2
    assert manifest["dropped"] == {}


def test_an_answer_to_what_an_earlier_part_shows_is_in_none(export, run_prepare):
    old = export.say("ann", "кто едет?")
    export.say("me", "я еду")
    for number in range(18):
        export.say("ann", f"вопрос {number}", after=20_000)
        export.say("me", f"ответ {number}")
    export.say("me", "уже не еду", reply_to_message_id=old, after=600)
    manifest, parts = run_prepare(export.chat(), **DEFAULT)
    assert [contents(one)[-1] for one in parts["test"]] == ["ответ 17"]
    assert manifest["dropped"] == {"split_overlap": 1}


def test_speakers_are_counted_anew_where_the_first_one_is_cut_off(export, run_prepare):
    for number in range(18):
        export.say("bob", f"вопрос {number}")
        export.say("me", f"ответ {number}")
    export.say("ann", "и мой вопрос")
    export.say("cat", "и мой")
    export.say("me", "вам обеим")
    export.say("cat", "спасибо")
    export.say("me", "не за что")
    _, parts = run_prepare(export.chat(type="private_group"), **DEFAULT)
    speakers = [[turn["name"][-1] for turn in one["messages"] if "name" in turn] for one in parts["test"]]
    assert speakers == [["1", "2"], ["1", "2", "2"]]


@pytest.mark.parametrize("pairs", [1, MIN_DIALOGUES - 1])
def test_fewer_dialogues_are_all_for_training_and_plain_words_say_what_that_means(export, run_prepare, tmp_path, pairs):
    for number in range(pairs):
        export.say("ann", f"вопрос {number}")
        export.say("me", f"ответ {number}")
    manifest, parts = run_prepare(export.chat(), **DEFAULT)
    assert len(parts["train"]) == pairs == manifest["dialogues"]
    words = Manifest.read(tmp_path / "data").summary().splitlines()[1]
    assert words == too_few_warning(pairs)
    assert words.startswith(f"Only {pairs} dialogue")


def test_enough_dialogues_need_no_words(export, run_prepare, tmp_path):
    for number in range(MIN_DIALOGUES):
        export.say("ann", f"вопрос {number}")
        export.say("me", f"ответ {number}")
    run_prepare(export.chat())
    assert too_few_warning(MIN_DIALOGUES) is None
    assert "\n" not in Manifest.read(tmp_path / "data").summary()


def windows(spoken):
    """Of turns by "u" and "a", a dialogue of up to nine for each "a" that somebody else comes before."""
    found = [(max(place - 8, 0), place) for place, who in enumerate(spoken) if who == "a"]
    return [(begin, end) for begin, end in found if "u" in spoken[begin:end]]


@given(st.lists(st.sampled_from(["ua", "uua", "uaa", "a"]), min_size=1, max_size=60), st.integers(1, 4))
def test_parts_share_no_message_and_none_is_empty(pieces, gap):
    spoken = "".join(pieces[place] if place % gap else "ua" for place in range(len(pieces)))
    roles = {"u": {"role": "user", "name": "1", "content": "?"}, "a": {"role": "assistant", "content": "!"}}
    with tempfile.TemporaryDirectory() as folder, Workspace.open(Path(folder) / "w.sqlite") as workspace:
        workspace.insert(
            "dialogues (time, messages, rows)",
            (
                (
                    end,
                    json.dumps([roles[who] for who in spoken[begin : end + 1]]),
                    json.dumps([[row] for row in range(begin, end + 1)]),
                )
                for begin, end in windows(spoken)
            ),
        )
        assign_parts(workspace, SHARES)
        found = workspace.database.execute(
            "SELECT part, rows, messages FROM dialogues WHERE part IS NOT NULL"
        ).fetchall()
    owners = {}
    for part, rows, messages in found:
        assert any(turn["role"] == "user" for turn in json.loads(messages))
        assert len(json.loads(rows)) == len(json.loads(messages))
        for (row,) in json.loads(rows):
            assert owners.setdefault(row, part) == part
    sizes = Counter(part for part, *_ in found)
    if len(windows(spoken)) >= MIN_DIALOGUES:
        assert set(sizes) == {"train", "validation", "test"}
    else:
        assert set(sizes) <= {"train"}
