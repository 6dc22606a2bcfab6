"""A training ends, goes on after an interruption, and says what it needs."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from events.errors import SettingsError, TimokhaError
from events.runtime.clock import SystemClock
from functions.generate.models import voices
from functions.generate.models.card import ModelCard
from training import weights
from training.fit import torch_tuning
from training.fit.command import fit
from training.fit.monitor import Monitor
from training.fit.resuming import record_settings
from training.fit.trainer import last_checkpoint, pack_loss
from training.settings import FitSettings
from training.weights import load_trained_model

QUIET = Console(quiet=True)
DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")


def settings(data, base, out, **chosen):
    fast = {"steps": 8, "evaluate_every": 4, "pack_tokens": 256, "context_tokens": 128, "learning_rate": 5e-3}
    return FitSettings.read(data=data, model=str(base), out=out, precision="fp32", **{**fast, **chosen})


def steadied(base, tmp_path):
    """GPT-2 drops out, and what is compiled draws in another order."""
    steady = shutil.copytree(base, tmp_path / "steady")
    config = json.loads((steady / "config.json").read_text())
    (steady / "config.json").write_text(json.dumps({**config, **dict.fromkeys(DROPOUTS, 0)}))
    return steady


@pytest.mark.parametrize("method", ["lora", "full"])
def test_training_lowers_the_loss_and_leaves_a_model_with_its_card_and_curves(data, base, tmp_path, method):
    run = tmp_path / "run"
    chosen = settings(data, base, run, steps=12, method=method, learning_rate=2e-3)
    result = fit(chosen, console=QUIET, clock=SystemClock())
    losses = [entry["eval_loss"] for entry in result.history if "eval_loss" in entry]
    assert losses[-1] < losses[0]
    assert result.best_loss == min(losses)
    card = ModelCard.read(run / "model")
    assert card == ModelCard(name="tiny-trained", format="dialogue", preamble=False, licence="CC0-1.0")
    assert (run / "loss.png").stat().st_size > 1000
    assert not (run / "model/README.md").exists(), "PEFT's form, which nobody has filled in"
    assert result.data_sha256 == json.loads((data / "manifest.json").read_text())["data_sha256"]
    assert load_trained_model(run, chosen, QUIET).model.dtype == torch.float32
    written = (run / "fit.json").read_bytes()
    assert fit(chosen, console=QUIET, clock=SystemClock()) == result, "it has ended: nothing is trained any more"
    assert (run / "fit.json").read_bytes() == written


def test_layers_that_are_compiled_learn_the_same_and_are_saved_as_they_were(data, base, tmp_path, monkeypatch):
    monkeypatch.setattr(torch_tuning, "BACKEND", "eager")  # without the minutes that a C++ compiler takes
    monkeypatch.setenv("CXX", sys.executable)
    steady, chosen = steadied(base, tmp_path), {"steps": 2, "evaluate_every": 2}
    plain = fit(settings(data, steady, tmp_path / "plain", **chosen), console=QUIET, clock=SystemClock())
    compiled = settings(data, steady, tmp_path / "compiled", compile=True, **chosen)
    assert fit(compiled, console=QUIET, clock=SystemClock()).best_loss == pytest.approx(plain.best_loss, rel=1e-3)
    assert load_trained_model(compiled.out, compiled, QUIET).model.dtype == torch.float32


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    shutil.which("g++") is None and not os.environ.get("CI"), reason="g++ is not installed (Debian: apt install g++)"
)
def test_a_compiled_model_learns_the_same(data, base, tmp_path):
    steady = steadied(base, tmp_path)
    plain = fit(settings(data, steady, tmp_path / "plain"), console=QUIET, clock=SystemClock())
    compiled = settings(data, steady, tmp_path / "compiled", compile=True)
    assert fit(compiled, console=QUIET, clock=SystemClock()).best_loss == pytest.approx(plain.best_loss, rel=1e-3)
    assert load_trained_model(compiled.out, compiled, QUIET).model.dtype == torch.float32


def test_without_a_compiler_nothing_is_compiled(data, base, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"TRAINING_COMPILE: there is no C\+\+ compiler: install g\+\+"):
        fit(settings(data, base, tmp_path / "run", compile=True), console=QUIET, clock=SystemClock())


def test_the_saved_settings_are_a_config_that_gives_the_same_training(data, base, tmp_path):
    first = fit(settings(data, base, tmp_path / "one"), console=QUIET, clock=SystemClock())
    again = FitSettings.read(config=tmp_path / "one/config.toml", out=tmp_path / "two")
    assert fit(again, console=QUIET, clock=SystemClock()).best_loss == first.best_loss


def test_a_model_that_had_to_be_prepared_first_is_trained_to_the_same_bytes(data, base, tmp_path, monkeypatch):
    fit(settings(data, base, tmp_path / "one"), console=QUIET, clock=SystemClock())
    # Preparing it makes layers with numbers at random before they are loaded.
    monkeypatch.setattr("training.fit.command.base_model_source", lambda *_: torch.rand(1000))
    fit(settings(data, base, tmp_path / "two"), console=QUIET, clock=SystemClock())
    one, two = (tmp_path / name / "model/adapter_model.safetensors" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def stop_after(steps, chosen, monkeypatch):
    """Train up to `steps` and be told to stop there."""
    reached, heard = [], Monitor.on_step_end

    def stepped(self, args, state, control, **more):
        reached.append(state.global_step)
        return heard(self, args, state, control, **more)

    monkeypatch.setattr(Monitor, "on_step_end", stepped)
    with pytest.raises(TimokhaError, match="run the same command again"):
        fit(chosen, console=QUIET, clock=SystemClock(), stopped=lambda: steps in reached)
    monkeypatch.setattr(Monitor, "on_step_end", heard)


def test_a_stopped_training_goes_on_to_the_same_loss(data, base, tmp_path, monkeypatch):
    whole = fit(settings(data, base, tmp_path / "whole"), console=QUIET, clock=SystemClock())
    halves = settings(data, base, tmp_path / "halves")
    stop_after(6, halves, monkeypatch)
    assert last_checkpoint(halves.out).name == "checkpoint-6"
    resumed = fit(halves, console=QUIET, clock=SystemClock())
    assert resumed.best_loss == pytest.approx(whole.best_loss, rel=1e-3)
    assert [entry["loss"] for entry in resumed.history if "loss" in entry] == pytest.approx(
        [entry["loss"] for entry in whole.history if "loss" in entry], rel=1e-3
    )


def test_a_checkpoint_that_was_cut_off_is_passed_over(tmp_path):
    whole, torn = ("trainer_state.json", "{}"), ("trainer_state.json", '{"epoch": ')
    for step, (name, text) in ((9, whole), (10, whole), (11, ("optimizer.pt", "")), (12, torn)):
        folder = tmp_path / f"checkpoints/checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / name).write_text(text)
    assert last_checkpoint(tmp_path).name == "checkpoint-10"


def test_a_directory_with_another_training_is_refused(data, base, tmp_path):
    fit(settings(data, base, tmp_path / "run", steps=1), console=QUIET, clock=SystemClock())
    with pytest.raises(SettingsError, match=r"holds a training with other settings \(rank, seed\)"):
        fit(settings(data, base, tmp_path / "run", steps=1, rank=4, seed=9), console=QUIET, clock=SystemClock())


def test_a_training_of_an_earlier_version_is_still_known(data, base, tmp_path):
    ended = fit(settings(data, base, tmp_path / "run", steps=1, canaries=0), console=QUIET, clock=SystemClock())
    config = tmp_path / "run/config.toml"
    new = ("canaries", "frame", "targets", "voice")
    lines = [line for line in config.read_text().splitlines(keepends=True) if not line.startswith(new)]
    config.write_text("".join(lines))
    again = fit(settings(data, base, tmp_path / "run", steps=1, canaries=0), console=QUIET, clock=SystemClock())
    assert again == ended


def test_a_training_starts_from_the_default_models_base_or_from_its_voice(data, tmp_path, monkeypatch):
    asked = []

    def prepared(cache, *, voice, console):
        asked.append(voice)
        return tmp_path

    monkeypatch.setattr(weights, "prepare_default_checkpoint", prepared)
    monkeypatch.setattr(weights, "find_voice", lambda name: name.value)
    for chosen in ({}, {"voice": "timokha"}):
        weights.base_model_source(FitSettings.read(data=data, out=tmp_path, **chosen), QUIET)
    assert asked == ["none", "timokha"]


def test_a_training_from_a_voice_that_is_not_there_or_broken_says_so(data, tmp_path, monkeypatch):
    settings = FitSettings.read(data=data, out=tmp_path, cache=tmp_path / "cache", voice="timokha")
    monkeypatch.setattr(voices, "DIRECTORY", tmp_path / "voice")
    with pytest.raises(SettingsError, match=r"^TRAINING_VOICE=timokha: .* ships no voice; .* TRAINING_VOICE=none$"):
        weights.base_model_source(settings, QUIET)
    (tmp_path / "voice").mkdir()
    with pytest.raises(SettingsError, match=r"the voice timokha .* or set TRAINING_VOICE=none$"):
        weights.base_model_source(settings, QUIET)


def test_an_adapter_of_some_matrices_is_smaller_and_of_unknown_ones_refused(data, base, tmp_path):
    fit(settings(data, base, tmp_path / "all", steps=1), console=QUIET, clock=SystemClock())
    fit(settings(data, base, tmp_path / "some", steps=1, targets="c_attn, c_proj"), console=QUIET, clock=SystemClock())
    sizes = [(tmp_path / run / "model/adapter_model.safetensors").stat().st_size for run in ("some", "all")]
    assert sizes[0] < sizes[1]
    with pytest.raises(SettingsError, match=r"TRAINING_TARGETS=nothing: .*not found"):
        fit(settings(data, base, tmp_path / "none", steps=1, targets="nothing"), console=QUIET, clock=SystemClock())


def test_what_is_missing_is_one_line(data, base, tmp_path):
    with pytest.raises(SettingsError, match=r"TRAINING_DATA: .* run timokha train prepare"):
        fit(settings(tmp_path / "none", base, tmp_path / "run"), console=QUIET, clock=SystemClock())
    with pytest.raises(SettingsError, match=r"TRAINING_MODEL=.* no such file"):
        fit(settings(data, "/none", tmp_path / "run"), console=QUIET, clock=SystemClock())
    with pytest.raises(SettingsError, match="TRAINING_RANK: got 0, it takes"):
        settings(data, base, tmp_path / "run", rank=0)
    with pytest.raises(SettingsError, match=r"TRAINING_CONFIG: .* takes a TOML file"):
        FitSettings.read(config=data / "manifest.json", out=tmp_path, data=data)


def test_data_of_an_earlier_version_are_to_be_prepared_anew(data, base, tmp_path):
    old = shutil.copytree(data, tmp_path / "old")
    lines = [json.loads(line) for line in (old / "train.jsonl").read_text().splitlines()]
    flat = [{**line, "rows": [row for rows in line["rows"] for row in rows]} for line in lines]
    (old / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in flat))
    with pytest.raises(SettingsError, match=r"TRAINING_DATA: .*train.jsonl can't be read .* run timokha train prepare"):
        fit(settings(old, base, tmp_path / "run"), console=QUIET, clock=SystemClock())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_training_goes_on_to_the_same_loss(data, base, tmp_path):
    options = {"--steps": 60, "--evaluate-every": 5, "--pack-tokens": 256, "--context-tokens": 128, "--patience": 99}
    given = [*itertools.chain(*options.items()), "--data", data, "--model", base, "--out"]
    command = [sys.executable, "-m", "cli", "train", "fit", *map(str, given)]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    with subprocess.Popen([*command, str(tmp_path / "killed")]) as process:
        deadline = time.monotonic() + 120
        while not last_checkpoint(tmp_path / "killed") and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed/fit.json").exists()
    subprocess.run([*command, str(tmp_path / "killed")], check=True)
    whole, killed = (json.loads((tmp_path / name / "fit.json").read_text()) for name in ("whole", "killed"))
    assert killed["best_loss"] == pytest.approx(whole["best_loss"], rel=1e-3)
    assert killed["steps"] == whole["steps"] == 60


def test_a_training_that_was_moved_with_its_data_goes_on_to_the_same_result(data, base, tmp_path, monkeypatch):
    chosen = {"learning_rate": 0.05, "evaluate_every": 2, "patience": 9}  # the best state is an early one
    whole = fit(settings(data, base, tmp_path / "whole", **chosen), console=QUIET, clock=SystemClock())
    before = shutil.copytree(data, tmp_path / "before")
    stop_after(6, settings(before, base, tmp_path / "run", **chosen), monkeypatch)
    (tmp_path / "elsewhere").mkdir()
    for name in ("before", "run"):
        shutil.move(tmp_path / name, tmp_path / "elsewhere")
    moved = settings(tmp_path / "elsewhere/before", base, tmp_path / "elsewhere/run", **chosen)
    assert fit(moved, console=QUIET, clock=SystemClock()).best_loss == pytest.approx(whole.best_loss, rel=1e-3)
    weights = [
        load_file(run / "model/adapter_model.safetensors") for run in (tmp_path / "whole", tmp_path / "elsewhere/run")
    ]
    assert all(torch.allclose(weight, weights[1][name], atol=1e-3) for name, weight in weights[0].items())


def test_data_that_were_prepared_anew_are_not_gone_on_with(data, base, tmp_path):
    changing = shutil.copytree(data, tmp_path / "data")
    chosen = settings(changing, base, tmp_path / "run", steps=1)
    fit(chosen, console=QUIET, clock=SystemClock())
    manifest = json.loads((changing / "manifest.json").read_text())
    (changing / "manifest.json").write_text(json.dumps({**manifest, "data_sha256": "0" * 64}))
    with pytest.raises(SettingsError, match=r"TRAINING_DATA: .* has changed since the training in"):
        fit(chosen, console=QUIET, clock=SystemClock())


def test_a_training_that_never_began_is_no_reason_against_other_settings(data, base, tmp_path):
    chosen = settings(data, base, tmp_path / "run", steps=1, rank=4)
    chosen.out.mkdir()
    record_settings(chosen, "0" * 64)
    fit(settings(data, base, tmp_path / "run", steps=1), console=QUIET, clock=SystemClock())


def test_a_training_with_a_model_that_is_not_there_leaves_nothing(data, tmp_path):
    with pytest.raises(SettingsError, match="TRAINING_MODEL"):
        fit(settings(data, "/none", tmp_path / "run"), console=QUIET, clock=SystemClock())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_that_is_no_number_ends_the_training_before_it_is_saved(data, base, tmp_path, where, monkeypatch):
    def broken(model, inputs):
        loss = pack_loss(model, inputs)
        return loss * torch.nan if where == "loss" else _NoGradient.apply(loss)

    chosen = settings(data, base, tmp_path / "run", evaluate_every=1)
    monkeypatch.setattr("training.fit.trainer.pack_loss", broken)
    with pytest.raises(TimokhaError, match=f"the {where} became nan at step 1: .*LEARN"):
        fit(chosen, console=QUIET, clock=SystemClock())
    assert not last_checkpoint(chosen.out)


class _NoGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, loss):
        return loss.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * torch.nan


def test_without_a_validation_part_the_last_state_is_the_result(data, base, tmp_path):
    whole = shutil.copytree(data, tmp_path / "data")
    (whole / "validation.jsonl").write_text("")
    result = fit(settings(whole, base, tmp_path / "run", steps=2), console=QUIET, clock=SystemClock())
    assert result.summary().endswith("no validation part")
    assert load_trained_model(tmp_path / "run", settings(whole, base, tmp_path / "run"), QUIET)


def test_data_without_an_answer_to_learn_are_one_line(data, base, tmp_path):
    empty = shutil.copytree(data, tmp_path / "data")
    (empty / "train.jsonl").write_text("")
    with pytest.raises(SettingsError, match=r"TRAINING_DATA: .* has no answer that fits into"):
        fit(settings(empty, base, tmp_path / "run"), console=QUIET, clock=SystemClock())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", ["lora", "full"])
def test_no_library_warns_while_it_trains_and_loads(data, base, tmp_path, method):
    chosen = settings(data, base, tmp_path / "run", steps=2, evaluate_every=1, method=method)
    fit(chosen, console=QUIET, clock=SystemClock())
    load_trained_model(chosen.out, chosen, QUIET)
