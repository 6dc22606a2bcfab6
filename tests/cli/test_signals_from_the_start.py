"""Ctrl-C and SIGTERM are heeded from the first moment of every command, and never end in a traceback."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import cli
from cli.commands import COMMANDS
from tests.listening import listens

ROOT = Path(__file__).parents[2]
WITHIN = 30
AWAY = "nats://127.0.0.1:1"


def start(name: str, directory: Path, *options: str) -> subprocess.Popen[str]:
    """Once it listens to signals."""
    given = {"API_ID": "1", "API_HASH": "x", "BOT_TOKEN": "1:x", "NATS_URL": AWAY, "TIMOKHA_CACHE": str(directory)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *name.split(), *options],
        cwd=directory,
        env={**os.environ, **given, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not listens(process.pid):
        assert process.poll() is None
        threading.Event().wait(0.01)  # before the next look
    return process


def test_the_command_line_listens_before_it_imports_anything_that_takes_time():
    code = "import sys; known = set(sys.modules); import cli; print(*sorted(set(sys.modules) - known))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert imported - {"cli", "events"} <= sys.stdlib_module_names
    assert "asyncio" not in imported


def test_services_are_commands():
    assert set(COMMANDS) >= cli.SERVICES


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks into /proc")
@pytest.mark.parametrize("after", [0.0, 0.2, 0.6, 1.5])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", ["userbot", "generate", "bridge", "setup", "model"])
def test_a_signal_ends_a_command_at_any_moment_of_its_start(tmp_path, name, number, after):
    process = start(name, tmp_path)
    try:
        threading.Event().wait(after)  # some moment; which one does not matter
        process.send_signal(number)
        out, err = process.communicate(timeout=WITHIN)
    finally:
        process.kill()
    assert "Traceback" not in out + err
    assert "process.forced" not in out + err
    if name not in cli.SERVICES:
        assert process.returncode == 1, err
    elif number == signal.SIGTERM:
        assert process.returncode == 0 or "NATS_URL" in err, err
