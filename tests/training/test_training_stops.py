"""`timokha train …` ends at one signal, with one line."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from events.errors import TimokhaError
from events.runtime.clock import SystemClock
from tests.terminals import CTRL_C, Terminal
from training import export as exporting
from training.data.command import prepare
from training.data.workspace import Workspace
from training.export import export
from training.fit.command import fit
from training.fit.trainer import last_checkpoint
from training.settings import ExportSettings, FitSettings, PrepareSettings

ROOT = Path(__file__).parents[2]
QUIET = Console(quiet=True)
WITHIN = 100
# Threads that share work this small wait for one another where the machine is busy.
ALONE = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
pytestmark = pytest.mark.timeout(400)  # each starts torch anew
STUCK = """
import sys, threading
from importlib import import_module
import cli
name = sys.argv[2]
places = {"prepare": "data.command", "fit": "fit.command", "evaluate": "evaluation.command", "export": "export"}
module = import_module(f"training.{places[name]}")
def stuck(*given, **more):
    print("ready", flush=True)
    threading.Event().wait()
setattr(module, name, stuck)
cli.main()
"""


def ending(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and stderr."""
    try:
        _, err = process.communicate(timeout=WITHIN)
    finally:
        process.kill()
    return process.returncode, err


def start(command: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, **ALONE, "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fit", ["--data", "x", "--out", "x"]),
        pytest.param("evaluate", ["--run", "x"], marks=pytest.mark.slow),
        ("prepare", ["--export", "x", "--out", "x"]),
        pytest.param("export", ["--run", "x", "--to", "x"], marks=pytest.mark.slow),
    ],
)
def test_work_that_does_not_look_up_is_left_behind(name, options):
    process = start(["-c", STUCK, "train", name, *options])
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    code, err = ending(process)
    assert code == 1
    assert err.splitlines()[-1] == "timokha: interrupted"
    assert "Traceback" not in err
    assert "process.forced" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_training_ends_at_the_next_step_and_leaves_a_checkpoint(data, base, tmp_path, number):
    options = {"--steps": 100_000, "--evaluate-every": 5, "--pack-tokens": 256, "--context-tokens": 128}
    given = [str(word) for option in options.items() for word in option]
    given += ["--patience", "99999", "--data", str(data), "--model", str(base), "--out", str(tmp_path)]
    process = start(["-m", "cli", "train", "fit", *given])
    while not last_checkpoint(tmp_path):
        assert process.poll() is None
        threading.Event().wait(0.1)  # before the next look
    process.send_signal(number)
    code, err = ending(process)
    assert code == 1
    # A step may take longer than the process has; the progress is shown once more when it ends.
    again = "timokha: stopped: run the same command again to resume from the last checkpoint"
    assert {again, "timokha: interrupted"} & set(err.splitlines())
    assert last_checkpoint(tmp_path)
    assert "Traceback" not in err


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_in_a_terminal_a_training_shows_its_loss_and_time_and_ctrl_c_leaves_the_terminal_usable(
    data, base, tmp_path, times
):
    options = {"--steps": 100_000, "--evaluate-every": 5, "--pack-tokens": 256, "--context-tokens": 128}
    given = [str(word) for option in options.items() for word in option]
    given += ["--patience", "99999", "--data", str(data), "--model", str(base), "--out", str(tmp_path)]
    terminal = Terminal()
    try:
        process = await terminal.start(
            sys.executable, "-m", "cli", "train", "fit", *given, settings=ALONE, directory=ROOT
        )
        await terminal.shows("left, loss ", within=WITHIN)
        await terminal.shows("(val. ", within=WITHIN)
        for _ in range(times):
            terminal.type(CTRL_C)
        async with asyncio.timeout(WITHIN):
            assert await process.wait() == 1
        await terminal.shows("\x1b[?25h", within=WITHIN)
        assert "Traceback" not in terminal.screen
        assert "Warning" not in terminal.screen
        assert terminal.is_as_it_was()
        assert times == 2 or "timokha: stopped: run the same command again" in " ".join(terminal.screen.split())
    finally:
        terminal.close()


def test_a_stopped_prepare_leaves_nothing_of_what_the_export_holds(rusdracor, tmp_path):
    looks = 0

    def stopped() -> bool:
        nonlocal looks
        looks += 1
        return looks > 3

    with pytest.raises(TimokhaError, match="stopped before the end"):
        prepare(PrepareSettings(export=rusdracor, owner="Смирнов", out=tmp_path), console=QUIET, stopped=stopped)
    assert list(tmp_path.iterdir()) == []


def test_a_long_query_is_ended_too(tmp_path):
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"

    def query() -> None:
        with Workspace.open(tmp_path / "db", stop.is_set) as workspace:
            stop.set()
            workspace.database.execute(endless).fetchone()

    stop = threading.Event()
    with pytest.raises(TimokhaError, match="stopped before the end"):
        query()


def test_an_export_that_was_stopped_can_be_run_again(data, base, tmp_path, monkeypatch):
    run, to = tmp_path / "run", tmp_path / "to"
    fit(
        FitSettings.read(
            data=data, model=str(base), out=run, precision="fp32", steps=1, pack_tokens=256, context_tokens=128
        ),
        console=QUIET,
        clock=SystemClock(),
    )
    chosen = ExportSettings(run=run, to=to)
    written = iter([False, True])
    with pytest.raises(TimokhaError, match="stopped before the end, nothing was written"):
        export(chosen, console=QUIET, clock=SystemClock(), stopped=lambda: next(written))
    assert not to.exists()
    monkeypatch.setattr(exporting, "_compare_exported", lambda *_: 0.0)
    export(chosen, console=QUIET, clock=SystemClock())
    assert (to / "README.md").exists()
