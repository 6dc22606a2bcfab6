"""Demos in the same directory, one after the other or two at once."""

import subprocess

import pytest

from tests.demos import WITHIN, demo, said, wait_until_ready

pytest.importorskip("mtproto")
QUESTION = "Тимоха, раз\n".encode()


def wait_until_asked(process: subprocess.Popen[bytes], directory) -> None:
    assert process.stdin
    process.stdin.write(QUESTION)
    process.stdin.close()
    while "bot~" not in said(directory):
        assert process.poll() is None, said(directory)


def test_after_one_that_was_killed_with_a_question_open_the_next_answers_and_a_second_at_once_is_refused(tmp_path):
    with demo(tmp_path, delay=100, stdin=subprocess.PIPE) as first:
        wait_until_ready(first, tmp_path)
        with demo(tmp_path, log="second", stdin=subprocess.DEVNULL, alone=False) as second:
            assert second.wait(WITHIN) == 2
        (line,) = [line for line in said(tmp_path, "second").splitlines() if "in use" in line]
        assert line.startswith(f"timokha: {tmp_path}")
        assert str(first.pid) in line
        wait_until_asked(first, tmp_path)
        first.kill()
    (tmp_path / "input").write_bytes(QUESTION)
    with (tmp_path / "input").open("rb") as lines, demo(tmp_path, stdin=lines) as third:
        assert third.wait(WITHIN) == 0
        assert "bot> раз" in said(tmp_path)
