"""`timokha demo` as a process, with an engine that needs no model."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
WITHIN = 60
DYING = 5
SAID = "said"


@contextmanager
def demo(
    directory: Path, *options: str, log: str = SAID, delay: int = 0, alone: bool = True, **how: object
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a demo whose answers take `delay` seconds. What it leaves behind is a failure, unless it is not `alone`."""
    settings = {
        "GENERATE_ENGINE": "echo",
        "GENERATE_ECHO_DELAY": str(delay),
        "DEMO_DIRECTORY": str(directory),
        "PYTHONPATH": str(ROOT),
    }
    with (directory / log).open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "demo", *options],
            cwd=directory,
            env={**os.environ, **settings},
            stdout=said,
            stderr=said,
            start_new_session=True,
            **how,
        )
    try:
        yield process
        process.wait(WITHIN)
        # What was killed may take a moment.
        assert not (alone and psutil.wait_procs(left_behind(directory), DYING)[1])
    finally:
        process.kill()
        for child in left_behind(directory) if alone else []:
            child.kill()


def left_behind(directory: Path) -> list[psutil.Process]:
    """Whatever runs in the demo's directory, or with its configuration."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = [*(process.info["cmdline"] or []), process.info["cwd"] or ""]
        if any(str(directory) in word for word in words):
            found.append(process)
    return found


def said(directory: Path, log: str = SAID) -> str:
    return (directory / log).read_text()


def wait_until_ready(process: subprocess.Popen[bytes], directory: Path) -> None:
    log = directory / "userbot.log"
    while not (log.exists() and "userbot.ready" in log.read_text()):
        assert process.poll() is None, said(directory)
        threading.Event().wait(0.05)  # before the next look
