"""`timokha demo --owner` from a pipe: the guest's lines and the owner's, and what comes of them."""

import subprocess

import pytest

from tests.demos import WITHIN, demo, said

pytest.importorskip("mtproto")

LINES = """\
Тимоха, привет
> /status
> +
> /pause all 1h
Тимоха, ты тут?
> /resume all
Тимоха, а теперь?
> нет, я занят
>> это правда я
"""


def test_an_answer_waits_for_approval_and_a_pause_is_kept(tmp_path) -> None:
    with demo(tmp_path, "--owner", stdin=subprocess.PIPE) as process:
        process.stdin.write(LINES.encode())
        process.stdin.close()
        assert process.wait(2 * WITHIN) == 0
    shown = said(tmp_path)
    assert "a line that starts with > is the owner's" in shown
    lines = [line for line in shown.splitlines() if not line.startswith("timokha: ")]
    typed = [f"you> {line}" if not line.startswith(">") else f"owner{line}" for line in LINES.splitlines()]
    assert [line for line in lines if line.startswith(("you> ", "owner>"))] == typed
    assert [line for line in lines if line.startswith("bot")] == ["bot> привет", "bot> нет, я занят"]
    assert lines.index("bot> привет") > lines.index("owner> +")
    assert lines[lines.index("you> Тимоха, ты тут?") + 1] == "(no reply)"
