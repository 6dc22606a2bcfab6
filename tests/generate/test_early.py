"""The process of a model, begun before the settings are read: taken over where it is needed, gone where it is not."""

import errno
import os
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from rich.console import Console

from events.runtime.clock import SystemClock
from events.schema import Sampling
from functions.generate.app import open_engine
from functions.generate.engines.openvino.head_start import begin
from functions.generate.engines.openvino.process import ModelProcess, start_early
from functions.generate.engines.openvino.protocol import ModelSpec
from functions.generate.models.preparing import prepare_model
from functions.generate.settings import GenerateSettings
from tests.generate.served import SLOTS, asked, stepping

ROOT = Path(__file__).parents[2]
WITHIN = 30
GREEDY = Sampling(temperature=0, max_new_tokens=40, repetition_penalty=1)


@pytest.fixture
def process():
    begun = start_early(["--slots", "4"], {})
    assert begun
    yield begun
    begun.drop()


@pytest.fixture
def settings(taught_model, cache) -> GenerateSettings:
    prepare_model(str(taught_model), cache, bits=8, console=Console(quiet=True))
    return GenerateSettings.read(engine="openvino", model=str(taught_model), cache=cache, slots=SLOTS)


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--engine", "openvino"], {}),
        (["--slots=1", "--engine=echo"], {}),
        (["--help"], {}),
        (["-h"], {}),
        ([], {"GENERATE_ENGINE": "echo"}),
    ],
)
def test_nothing_is_begun_where_another_engine_may_be_meant(arguments, environment):
    assert start_early(arguments, environment) is None
    assert stepping() == []


def test_where_no_process_can_be_started_the_start_goes_on(monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", full)
    assert start_early([], {}) is None


async def test_the_process_gets_the_model_that_the_settings_name(process, settings):
    [running] = stepping()
    begun = begin(settings, process)
    assert begun
    engine = await open_engine(settings, clock=SystemClock(), begun=begun)
    assert (await engine.generate(asked("Привет!"), GREEDY)).text
    assert stepping() == [running]
    await engine.close()
    assert stepping() == []


@pytest.mark.parametrize("given", [{"engine": "echo"}, {"model": "/no/such/model"}])
def test_a_process_that_is_not_needed_ends(process, tmp_path, given):
    assert begin(GenerateSettings.read(cache=tmp_path, **given), process) is None
    assert stepping() == []


def test_a_process_that_has_ended_is_made_up_for(process, settings):
    process.kill()
    process.wait()
    begun = begin(settings, process)
    assert begun
    assert process.socket.fileno() == -1
    begun.wait()
    assert len(stepping()) == 1
    begun.kill()
    assert stepping() == []


def test_a_process_that_is_never_told_of_a_model_ends_without_a_word(capfd):
    process = ModelProcess()
    process.socket.close()
    process.wait(WITHIN)
    assert capfd.readouterr() == ("", "")


def test_a_process_whose_parent_is_gone_when_its_model_can_not_be_loaded_ends_without_a_word(tmp_path, capfd):
    process = ModelProcess()
    with Connection(process.socket.detach()) as connection:
        connection.send(ModelSpec(str(tmp_path), 1, 100, 100, {}))
    process.wait(WITHIN)
    assert capfd.readouterr() == ("", "")


def test_it_ends_with_a_parent_that_is_killed():
    module = start_early.__module__
    code = f"import os; from {module} import start_early; start_early([], {{}}); os.kill(os.getpid(), 9)"
    # Its output ends when both have ended.
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=WITHIN, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-9, b"", b"")


def test_nothing_is_left_of_a_start_with_wrong_settings(tmp_path):
    command = [sys.executable, "-m", "cli", "generate", "--slots", "many", "--cache", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "slots" in done.stderr.lower()
