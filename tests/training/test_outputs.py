"""What a training writes is whole, and from one process at a time."""

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from events.errors import SettingsError, TimokhaError
from events.runtime import leftovers
from events.runtime.claims import Claim, InUse
from events.runtime.clock import SystemClock
from tests.full_disk import files_up_to
from training.data.command import prepare
from training.fit.command import RESULT, fit
from training.fit.trainer import last_checkpoint
from training.outputs import LOCK, claim_directory, scratch_directory
from training.settings import FitSettings, PrepareSettings

QUIET = Console(quiet=True)


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir() if file.name != LOCK}


def prepared(export: Path, out: Path, owner: str = "Смирнов") -> None:
    prepare(PrepareSettings(export=export, out=out, owner=owner), console=QUIET)


@pytest.mark.parametrize("limit", [0, 5_000, 60_000])
def test_on_a_full_disk_data_that_were_prepared_before_stay_whole(rusdracor, tmp_path, limit) -> None:
    prepared(rusdracor, tmp_path)
    before = contents(tmp_path)
    with files_up_to(limit), pytest.raises(SettingsError, match=rf"{re.escape(str(tmp_path))} can't be used"):
        prepared(rusdracor, tmp_path, owner="Попова")
    assert contents(tmp_path) == before


def test_what_a_killed_prepare_has_left_of_the_export_is_removed(rusdracor, tmp_path) -> None:
    for name in (".workspace", ".workspace-x8_2s"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "messages.sqlite").write_text("private")
    prepared(rusdracor, tmp_path)
    assert not [file for file in tmp_path.rglob("*") if "workspace" in str(file)]


def test_what_a_prepare_that_ends_at_once_has_of_the_export_is_removed_even_after_one_that_was_killed(tmp_path) -> None:
    (tmp_path / ".workspace").mkdir()
    with scratch_directory(tmp_path) as place:
        (place / "messages.sqlite").write_text("private")
        leftovers.remove()
        assert list(tmp_path.iterdir()) == []


def test_only_one_process_at_a_time_writes_to_a_directory(rusdracor, data, base, tmp_path) -> None:
    claim = Claim(tmp_path, LOCK)
    for work in (
        lambda: prepared(rusdracor, tmp_path),
        lambda: fit(settings(data, base, tmp_path), console=QUIET, clock=SystemClock()),
    ):
        with pytest.raises(InUse, match="in use by another process"):
            work()
    claim.release()
    assert contents(tmp_path) == {}


def settings(data: Path, base: Path, out: Path) -> FitSettings:
    small = {"steps": 2, "evaluate_every": 2, "pack_tokens": 256, "context_tokens": 128}
    return FitSettings.read(data=data, model=str(base), out=out, precision="fp32", method="full", **small)


def test_a_training_on_a_full_disk_leaves_no_half_of_a_checkpoint_or_a_model_and_goes_on(data, base, tmp_path) -> None:
    chosen = settings(data, base, tmp_path)
    with files_up_to(50_000), pytest.raises(TimokhaError, match=r"can't be written .* run the same command again"):
        fit(chosen, console=QUIET, clock=SystemClock())
    assert not list(tmp_path.glob("checkpoints/*"))
    assert fit(chosen, console=QUIET, clock=SystemClock()).steps == 2
    (tmp_path / "model" / "older").touch()
    (tmp_path / RESULT).unlink()
    with files_up_to(50_000), pytest.raises(TimokhaError, match=r"can't be written \(File too large\): make room"):
        fit(chosen, console=QUIET, clock=SystemClock())  # there is nothing left to learn, and it saves again
    assert (tmp_path / "model" / "older").exists()
    assert not (tmp_path / "model.partial").exists()


def test_a_checkpoint_whose_state_was_cut_off_is_not_gone_on_from(tmp_path) -> None:
    for step, text in ((1, json.dumps({"global_step": 1})), (2, '{"global_')):
        (tmp_path / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
        (tmp_path / "checkpoints" / f"checkpoint-{step}" / "trainer_state.json").write_text(text)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoints" / "checkpoint-1"


def test_a_directory_that_nothing_was_put_into_goes_and_one_that_was_there_stays(tmp_path) -> None:
    out = tmp_path / "new" / "run"
    with claim_directory(out):
        assert [file.name for file in out.iterdir()] == [LOCK]
    assert list(tmp_path.iterdir()) == []
    out.mkdir(parents=True)
    with claim_directory(out):
        pass
    assert list(out.iterdir()) == []


def test_a_directory_goes_even_if_the_process_ends_at_once(tmp_path) -> None:
    with claim_directory(tmp_path / "run"), scratch_directory(tmp_path / "run"):
        leftovers.remove()
        assert list(tmp_path.iterdir()) == []
