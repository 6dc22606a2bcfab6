"""A directory is made whole or not at all, and what was left unfinished does not stay."""

import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console

from functions.generate.engines.serving_file import FILE_NAME
from functions.generate.models import preparing
from functions.generate.models.preparing import make_once, prepare_model


def make(directory: Path, fill) -> None:
    make_once(directory, is_ready=(directory / "card").is_file, make=fill)


def whole(directory: Path) -> None:
    (directory / "card").write_text("whole")


def partials(parent: Path) -> list[Path]:
    return list(parent.glob("*.partial"))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("a bug"), KeyboardInterrupt()])
def test_whatever_ends_the_making_nothing_unfinished_is_left(tmp_path, error) -> None:
    def full(directory: Path) -> None:
        (directory / "weights").write_bytes(b"half")
        raise error

    with pytest.raises(type(error)):
        make(tmp_path / "model", full)
    assert [path.name for path in tmp_path.iterdir()] == ["model.lock"]


def test_what_a_killed_process_has_left_is_removed_even_if_another_model_is_wanted_and_ready(tmp_path) -> None:
    make(tmp_path / "model", whole)
    left = tmp_path / "other-1.5b.partial"
    left.mkdir()
    (left / "weights").write_bytes(b"half")
    make(tmp_path / "model", whole)
    assert not partials(tmp_path)


def test_it_is_removed_even_if_nothing_has_to_be_prepared_and_a_users_own_directory_is_left_alone(tmp_path) -> None:
    model, left, own = tmp_path / "own" / "model", tmp_path / "models" / "other.partial", tmp_path / "own" / "x.partial"
    for directory in (model, left, own):
        directory.mkdir(parents=True)
    (model / FILE_NAME).touch()
    assert prepare_model(str(model), tmp_path, bits=8, console=Console(quiet=True)) == model
    assert (left.exists(), own.exists()) == (False, True)


def test_what_another_process_is_filling_stays(tmp_path) -> None:
    at_work = tmp_path / "other.partial"
    at_work.mkdir()
    with FileLock(tmp_path / "other.lock"):
        make(tmp_path / "model", whole)
        assert at_work.is_dir()


FILLS = """
import sys, threading
from pathlib import Path
from events.runtime.signals import Signals
from functions.generate.engines.serving_file import FILE_NAME
from functions.generate.models.preparing import make_once
from functions.generate.models.preparing import prepare_model

def forever(directory):
    (directory / "weights").write_bytes(b"half")
    print("filling", flush=True)
    threading.Event().wait()

signals = Signals(service=False)
signals.listen()
signals.stop_with(lambda: None, patience=60, forced=lambda: None)
make_once(Path(sys.argv[1]), is_ready=lambda: False, make=forever)
"""


def test_a_process_that_is_told_to_end_at_once_removes_what_it_has_not_finished(tmp_path) -> None:
    process = subprocess.Popen([sys.executable, "-c", FILLS, str(tmp_path / "model")], stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert process.stdout.readline() == b"filling\n"
        assert partials(tmp_path)
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.returncode == 1
    finally:
        process.kill()
    assert not partials(tmp_path)


def test_a_models_name_is_shown_as_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr(preparing, "check_resources", lambda *_, **__: None)
    monkeypatch.setattr(preparing, "_export_in_child_process", lambda _, directory, *__: (directory / "made").touch())
    (tmp_path / "[b] voice").mkdir()
    (tmp_path / "[b] voice/config.json").write_text("{}")
    said = StringIO()
    preparing.prepare_model(str(tmp_path / "[b] voice"), tmp_path, bits=8, console=Console(file=said, width=100))
    assert "Preparing [b] voice for" in said.getvalue()
