"""The demo ends when it is told to, at any moment, and leaves no process behind."""

import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.demos import WITHIN, demo, said, wait_until_ready
from tests.listening import listens

pytest.importorskip("mtproto")


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGTERM, signal.SIGHUP))],
)
def test_with_an_open_silent_pipe_it_ends_at_the_first_signal(tmp_path, number):
    with demo(tmp_path, stdin=subprocess.PIPE) as process:
        wait_until_ready(process, tmp_path)
        process.send_signal(number)
        assert process.wait(WITHIN) == 0
        assert said(tmp_path).endswith("timokha: stopping\n")
        assert "killed" not in said(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks into /proc")
@pytest.mark.parametrize("after", [0.0, 0.5, 1.0, 1.5, 3.0])
def test_told_to_stop_during_its_start_it_does(tmp_path, after):
    with demo(tmp_path, stdin=subprocess.DEVNULL) as process:
        while not listens(process.pid):
            threading.Event().wait(0.01)  # before the next look
        threading.Event().wait(after)  # some moment; which one does not matter
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN) == 0
        assert "Traceback" not in said(tmp_path)
        assert "killed" not in said(tmp_path)


def test_a_second_signal_leaves_nothing_behind_either(tmp_path):
    with demo(tmp_path, stdin=subprocess.PIPE) as process:
        wait_until_ready(process, tmp_path)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
        assert process.returncode == 1


def test_bytes_that_are_no_utf8_are_replaced_and_noted(tmp_path):
    (tmp_path / "input").write_bytes("Тимоха, раз \xff два\n".encode("latin-1", "replace") + "Тимоха, три\n".encode())
    with (tmp_path / "input").open("rb") as lines, demo(tmp_path, stdin=lines) as process:
        assert process.wait(WITHIN) == 0
        assert said(tmp_path).count("not UTF-8") == 1
        assert "bot> три" in said(tmp_path)
