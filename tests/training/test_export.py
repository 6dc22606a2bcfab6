"""An export is whole or can be run again, wherever it was cut off, and says what it lacks."""

import shutil
import stat
from pathlib import Path

import pytest
import torch
from rich.console import Console

from events.errors import SettingsError, TimokhaError
from events.runtime import leftovers
from events.runtime.claims import Claim, InUse
from events.runtime.clock import SystemClock
from functions.generate.engines.transformers.checkpoints import load_checkpoint
from functions.generate.models.sources import UNFINISHED, model_path
from tests.full_disk import files_up_to
from tests.generate.gguf_files import write
from training import export as exporting
from training.evaluation.command import evaluate
from training.export import export
from training.fit.command import fit
from training.outputs import LOCK
from training.settings import EvaluateSettings, ExportSettings, FitSettings

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def run(data, base, tmp_path_factory) -> Path:
    """The directory of a training of one step."""
    out = tmp_path_factory.mktemp("run")
    small = {"steps": 1, "pack_tokens": 256, "context_tokens": 128, "precision": "fp32"}
    fit(FitSettings.read(data=data, model=str(base), out=out, **small), console=QUIET, clock=SystemClock())
    return out


def exported(run: Path, to: Path, **chosen) -> float:
    return export(ExportSettings.read(run=run, to=to, **chosen), console=QUIET, clock=SystemClock())


class Killed(BaseException):
    pass


def kill(*_, **__):
    raise Killed


def moving_one(result, out, last):
    file = sorted(result.iterdir())[-1]
    file.replace(out / file.name)
    raise Killed


@pytest.mark.parametrize(
    ("moment", "instead"),
    [("_write_and_compare", kill), ("_write_model", kill), ("model_card", kill), ("publish_files", moving_one)],
)
def test_an_export_that_was_killed_is_no_model_and_can_be_run_again(run, tmp_path, monkeypatch, moment, instead):
    to = tmp_path / "voice"
    with monkeypatch.context() as patched:
        patched.setattr(exporting, moment, instead)
        for cleaning in ("discard", "_remove_empty"):
            patched.setattr(leftovers, cleaning, lambda _: None)
        with pytest.raises(Killed):
            exported(run, to)
    with pytest.raises(SettingsError, match=r"contains an interrupted export: run `timokha train export` again"):
        model_path(str(to))
    leftovers._unfinished.clear()
    (to / "left").touch()
    exported(run, to)
    assert model_path(str(to)) == to
    assert {path.name for path in to.iterdir()} == {
        *("README.md", "NOTICE.txt", "config.json", "generation_config.json", "model.safetensors"),
        *("timokha.json", "tokenizer.json", "tokenizer_config.json", "used_tokens.json"),
    }


def test_what_another_export_left_is_known_as_that_until_all_of_it_is_gone(run, tmp_path, monkeypatch):
    (tmp_path / UNFINISHED).mkdir()
    for number in range(20):
        (tmp_path / f"left{number}").touch()
    monkeypatch.setattr(
        exporting, "discard", lambda left: kill() if left.name == UNFINISHED else leftovers.discard(left)
    )
    with pytest.raises(Killed):
        exported(run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [UNFINISHED]


def test_others_may_read_what_fit_and_export_have_written(run, tmp_path):
    exported(run, tmp_path / "voice")
    files = [path for place in (run, tmp_path / "voice") for path in place.rglob("*") if path.is_file()]
    assert [path for path in files if not path.stat().st_mode & stat.S_IROTH] == []
    assert any(path.suffix == ".safetensors" for path in files)


def test_two_exports_at_once_do_not_write_to_the_same_directory(run, tmp_path):
    claim = Claim(tmp_path / "voice", LOCK)
    with pytest.raises(InUse, match="in use by another process"):
        exported(run, tmp_path / "voice")
    claim.release()


@pytest.mark.parametrize("limit", [0, 50_000])
def test_an_export_on_a_full_disk_leaves_nothing(run, tmp_path, limit):
    (tmp_path / "there").mkdir()
    for to in (tmp_path / "new" / "voice", tmp_path / "there"):
        with files_up_to(limit), pytest.raises(TimokhaError, match=r"can't be (written|used)"):
            exported(run, to)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_an_export_goes_into_an_empty_directory_that_stays_the_same(run, tmp_path):
    """As a volume of a container has it, or a link to another disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    before = (tmp_path / "disk").stat().st_ino
    exported(run, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk").stat().st_ino == before
    assert load_checkpoint(str(tmp_path / "link"))


@pytest.mark.parametrize("where", ["", "model", "checkpoints"])
def test_the_training_itself_is_no_place_to_export_to(run, where):
    before = sorted(run.rglob("*"))
    with pytest.raises(SettingsError, match=r"TRAINING_TO: .* name a new directory"):
        exported(run, run / where)
    assert sorted(run.rglob("*")) == before


def test_an_export_into_a_new_directory_of_the_training(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    exported(copy, copy / "voice")
    with pytest.raises(SettingsError, match=r"TRAINING_TO: .*voice holds a model: name a new directory"):
        exported(copy, copy / "voice")


def test_data_that_were_moved_are_asked_for_and_taken(data, base, tmp_path):
    before = shutil.copytree(data, tmp_path / "before")
    small = {"steps": 1, "pack_tokens": 256, "context_tokens": 128, "precision": "fp32"}
    settings = FitSettings.read(data=before, model=str(base), out=tmp_path / "run", **small)
    fit(settings, console=QUIET, clock=SystemClock())
    after = before.rename(tmp_path / "after")
    advice = r"TRAINING_DATA: .*before, from which .*run was trained, is missing: give its new place with --data"
    with pytest.raises(SettingsError, match=advice):
        exported(tmp_path / "run", tmp_path / "voice")
    with pytest.raises(SettingsError, match=advice):
        evaluate(EvaluateSettings.read(run=tmp_path / "run"), console=QUIET, clock=SystemClock())
    assert exported(tmp_path / "run", tmp_path / "voice", data=after) < 0.01


def test_a_base_model_that_was_moved_is_asked_for_where_it_is_named(data, base, tmp_path):
    before = shutil.copytree(base, tmp_path / "before")
    small = {"steps": 1, "pack_tokens": 256, "context_tokens": 128, "precision": "fp32"}
    fit(
        FitSettings.read(data=data, model=str(before), out=tmp_path / "run", **small),
        console=QUIET,
        clock=SystemClock(),
    )
    before.rename(tmp_path / "after")
    with pytest.raises(SettingsError, match=r"TRAINING_MODEL=.*config.toml: if it was moved, correct it there"):
        exported(tmp_path / "run", tmp_path / "voice")
    assert not (tmp_path / "voice").exists()


def test_weights_that_are_no_numbers_are_not_the_trained_model(run, tmp_path, monkeypatch):
    def broken(model, dtype):
        with torch.no_grad():
            next(iter(model.parameters())).fill_(torch.nan)
        return model

    monkeypatch.setattr(exporting, "copy_in_dtype", broken)
    with pytest.raises(TimokhaError, match="differs from the trained one"):
        exported(run, tmp_path / "voice")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("error")
def test_no_library_warns_while_it_exports(run, tmp_path):
    exported(run, tmp_path / "voice")


def test_a_gguf_file_is_trained_and_exported(data, tmp_path):
    pytest.importorskip("gguf")
    file = tmp_path / "Tiny.F32.gguf"
    write("qwen3", file)
    small = {"steps": 1, "pack_tokens": 256, "context_tokens": 128, "precision": "fp32"}
    settings = FitSettings.read(data=data, model=str(file), out=tmp_path / "run", **small)
    fit(settings, console=QUIET, clock=SystemClock())
    assert exported(tmp_path / "run", tmp_path / "voice") < 0.01
    assert load_checkpoint(str(tmp_path / "voice")).card.name == "Tiny.F32-trained"
