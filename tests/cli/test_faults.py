"""What a person reads when a command fails is one line; only bugs keep their traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.faults import NotInstalled, exit_code
from events.errors import SettingsError, TransportUnreachable
from events.extras import install_command

ROOT = Path(__file__).parents[2]
AWAY = TransportUnreachable("NATS is away")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (AWAY, 1, "timokha: NATS is away"),
        (SettingsError("A is missing"), 2, "timokha: A is missing"),
        (ExceptionGroup("unhandled errors in a TaskGroup", [AWAY, ValueError("x")]), 1, "timokha: NATS is away"),
        (ExceptionGroup("", [ValueError("x"), ExceptionGroup("", [AWAY])]), 1, "timokha: NATS is away"),
        (PermissionError(13, "Permission denied", "/private/x"), 1, "timokha: Permission denied: /private/x"),
        (OSError(28, "No space left on device"), 1, "timokha: No space left on device"),
        (
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
            1,
            "timokha: found bytes that are no utf-8 (invalid start byte, at 0)",
        ),
        (KeyboardInterrupt(), 1, None),
        (SystemExit(3), 3, None),
    ],
)
def test_what_is_known_is_one_line(error, code, line, capsys):
    assert exit_code(error) == code
    assert capsys.readouterr().err == (f"{line}\n" if line else "")


@pytest.mark.parametrize("error", [ValueError("x"), ExceptionGroup("", [ValueError("x")]), TimeoutError()])
def test_what_is_not_known_keeps_its_traceback(error, capsys):
    assert exit_code(error) is None
    assert capsys.readouterr().err == ""


def test_a_missing_package_is_a_fault_of_the_installation():
    error = ModuleNotFoundError("No module named 'pyrogram.raw'", name="pyrogram.raw")
    said = str(NotInstalled.of(error, "demo", "sandbox,openvino"))
    assert said == f"timokha demo needs pyrogram: {install_command('sandbox', 'openvino')}"


@pytest.mark.parametrize(("module", "extras"), [("edge.gone", "userbot"), ("nats", "")])
def test_a_missing_module_that_no_extra_brings_is_a_bug(module, extras):
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    with pytest.raises(ModuleNotFoundError):
        NotInstalled.of(error, "userbot", extras)


@pytest.mark.parametrize("closed", [[0], [0, 1, 2]])
def test_a_command_whose_streams_are_closed_ends_as_ever(tmp_path, closed):
    done = subprocess.run(
        [sys.executable, "-m", "cli", "userbot"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "API_ID": "1", "API_HASH": "x", "BOT_TOKEN": ""},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: [os.close(number) for number in closed],
    )
    assert done.returncode == 2
    # Without tgcrypto there is a warning before it.
    assert 2 in closed or done.stderr.splitlines()[-1].startswith("timokha: USERBOT_SESSION: there is no session at ")
    assert done.stderr.count("\n") == (2 not in closed)


def test_a_trace_file_that_is_not_there_is_told_and_not_made(tmp_path):
    file = tmp_path / "spans.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "cli", "trace", "--trace-file", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"timokha: TIMOKHA_TRACE_FILE: {file} can't be read (No such file or directory)")
    assert not file.exists()


def test_a_reader_of_stdout_that_has_gone_is_no_news():
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "--help"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 1
