"""`.env` is read as the shell and compose read it; what can't be read is refused with its line."""

from pathlib import Path

import pytest

from events import dotenv
from events.dotenv import Line
from events.errors import SettingsError


def write(directory: Path, content: bytes) -> Path:
    file = directory / ".env"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"A=1", [Line(1, "A", "1")]),
        (b"\xef\xbb\xbfA=1\r\n\r\n\r\nB=2\r\n", [Line(1, "A", "1"), Line(4, "B", "2")]),
        (b"A=1\rB=2", [Line(1, "A", "1"), Line(2, "B", "2")]),
        (b"export A=1\n  export\tB = 2\n", [Line(1, "A", "1"), Line(2, "B", "2")]),
        (b"# A=1\n\n  # x\nB='x y' # C=3\n", [Line(4, "B", "x y")]),
        (b'A="x\ny"\nB=1', [Line(1, "A", "x\ny"), Line(3, "B", "1")]),
        (b"\nA=\nA=1", [Line(2, "A", ""), Line(3, "A", "1")]),
        ("A=Тимоха, # да".encode(), [Line(1, "A", "Тимоха,")]),
    ],
)
def test_each_variable_has_its_line(tmp_path, content, lines):
    assert dotenv.read(write(tmp_path, content)) == lines


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"A=1\nB 2\n", "line 2: write NAME=value"),
        (b"API_ID: 1\n", "line 1: write NAME=value"),
        (b"A=1\nUSERBOT_LIVE\n", "line 2: write NAME=value"),
        (b"export A\n", "line 1: write NAME=value"),
        (b"\0" * 4096, "line 1: write NAME=value"),
        (b"set A=1\n\n\n=2\n", "lines 1, 4: write NAME=value"),
        (b'A=1\n\nB="x\nC="y"\nD=1', "line 3: write NAME=value, and close every quote"),
        ("A=1".encode("utf-16"), "is not UTF-8 (byte 0)"),
        ("A=привет".encode("cp1251"), "is not UTF-8 (byte 2)"),
    ],
)
def test_what_cant_be_read_is_refused_and_not_passed_over(tmp_path, content, said):
    with pytest.raises(SettingsError) as refused:
        dotenv.read(write(tmp_path, content))
    assert said in str(refused.value)


def test_a_directory_in_its_place_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"can't be read \(Is a directory\)"):
        dotenv.read(tmp_path)


def test_no_file_sets_nothing(tmp_path):
    assert dotenv.read(tmp_path / ".env") == []


def test_the_last_line_counts_and_names_in_braces_are_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("SOMEWHERE", "there")
    lines = dotenv.read(write(tmp_path, b"A=1\nA=2\nB=${A}/${SOMEWHERE}/${NOWHERE:-x}\nC=$A\n"))
    assert dotenv.values(lines) == {"A": "2", "B": "2/there/x", "C": "$A"}
