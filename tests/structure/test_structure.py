"""The script that measures the structure of the code counts right. What it finds is nothing to assert."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from tests.structure import journey, static

ROOT = Path(__file__).parents[2]
HOUSE = {
    "house/__init__.py": '"""Only a docstring."""\n',
    "house/__main__.py": '"""More."""\nprint()\n',
    "house/large.py": "x = 1\n" * 401,
    "house/rooms/door.py": """\
class Door:
    def open(self):
        self._turn()
        _greet()
        return [_greet]

    def _turn(self):
        async def nested():
            pass

        return nested

    def __init__(self):
        pass


@cached
def _greet():
    pass


def _close():
    return Door


def _lock():
    _close()
""",
}
WALK = """\
def further(number):
    return [other for other in map(lambda x: x, steps(number))]

def steps(number):
    yield number
    yield number

async def walk():
    await rest()
    await rest()
    return further(1)

async def rest():
    await asyncio.sleep(0)
"""


def built(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_made_up_package_is_counted_right(tmp_path):
    figures = static.measure(static.read(built(tmp_path, HOUSE), ["house"]))
    assert figures == {
        "files": 3,
        "file_lines_median": 27,
        "file_lines_max": 401,
        "files_over_400_lines": {"house/large.py": 401},
        "files_under_40_lines": {"house/__main__.py": 2, "house/rooms/door.py": 27},
        "functions": 7,
        "function_lines_median": 2,
        "function_lines_p90": 4.4,
        "private_functions_used_once": {"once": 1, "of": 3},
        "private_functions_under_5_lines_used_once": {"once": 1, "of": 3},
        "private_functions_and_methods_used_once": {"once": 2, "of": 4},
        "private_functions_and_methods_under_5_lines_used_once": {"once": 1, "of": 3},
    }


def test_a_call_is_recorded_when_it_begins_and_not_when_it_goes_on(tmp_path):
    path = built(tmp_path, {"house/walk.py": WALK}) / "house/walk.py"
    names = {"asyncio": asyncio}
    exec(compile(WALK, path, "exec"), names)
    recorder = journey.Recorder(tmp_path, ("house",))
    with recorder.recording():
        asyncio.run(names["walk"]())
    functions = ["walk", "rest", "rest", "further", "steps"]
    assert recorder.calls == [journey.Call("house/walk.py", function) for function in functions]


def test_switches_are_counted_for_every_call_and_for_a_reader():
    a, b, c = (journey.Call(file, "run") for file in ("a.py", "b.py", "c.py"))
    figures = journey.Journey([a, a, b, a, b, c]).figures
    assert figures == {
        "question_files": 3,
        "question_functions": 3,
        "question_calls": 6,
        "question_switches": 4,
        "question_switches_reading": 2,
    }


def test_what_only_some_questions_run_through_is_left_out():
    a, b, timer = (journey.Call(file, "run") for file in ("a.py", "b.py", "timer.py"))
    assert journey.shortest([[a, a, b], [a, timer, b, timer]]).calls == [a, b]


def test_the_script_prints_figures_of_the_product():
    command = [sys.executable, "-m", "tests.structure.run", "--static", "--json"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100).stdout
    assert json.loads(printed).keys() == static.measure(static.read(ROOT)).keys()
