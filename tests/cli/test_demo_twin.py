"""`timokha demo --twin` from a pipe: lines without the prefix, their one answer, and the owner's lines."""

import subprocess

import pytest

from tests.demos import WITHIN, demo, said

pytest.importorskip("mtproto")

LINES = """\
привет
кажется, замок заело
что делать?

а если масло?
> /pause all 1h
ты тут?
> /resume all
Тимоха, а с префиксом?
"""


def test_lines_in_quick_succession_get_one_answer_and_a_pause_is_kept(tmp_path) -> None:
    with demo(tmp_path, "--twin", stdin=subprocess.PIPE) as process:
        process.stdin.write(LINES.encode())
        process.stdin.close()
        assert process.wait(2 * WITHIN) == 0
    shown = said(tmp_path)
    assert "needs no prefix" in shown
    lines = [line for line in shown.splitlines() if not line.startswith("timokha: ")]
    first = lines.index("you> привет")
    assert lines[first + 1 :][:2] == ["you> кажется, замок заело", "you> что делать?"]
    assert lines[first + 3] == "bot~ 👀"
    answers = [line for line in lines if line.startswith("bot> ")]
    assert answers == ["bot> привет", "bot> а если масло?", "bot> а с префиксом?"]
    assert lines[lines.index("bot> привет") + 1 :][:2] == ["     кажется, замок заело", "     что делать?"]
    assert lines[lines.index("you> ты тут?") + 1] == "(no reply)"


def test_a_bot_s_chat_is_another_demo(tmp_path) -> None:
    with demo(tmp_path, "--twin", "--business", stdin=subprocess.DEVNULL) as process:
        assert process.wait(WITHIN) == 2
    (line,) = said(tmp_path).splitlines()
    assert "leave one out" in line
