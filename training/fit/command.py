"""`timokha train fit`: train a model on dialogues, with loss curves and checkpoints to resume from."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from pydantic import BaseModel
from rich.console import Console
from transformers import set_seed

from events.errors import SettingsError, TimokhaError
from events.files import fill_whole, write_whole
from events.runtime.clock import Clock, SystemClock
from functions.generate.engines.model_files import write_errors_named
from functions.generate.engines.transformers.checkpoints import Checkpoint
from functions.generate.models.card import ModelCard
from observability.telemetry import Telemetry
from training import plots
from training.data.manifest import Manifest
from training.data.splits import Part
from training.fit.canaries import Language, canary_language, resolve_canary_count
from training.fit.monitor import Monitor
from training.fit.packing import Pack
from training.fit.preparing import encode_packs, prepare_model, quickened
from training.fit.resuming import check_unchanged, record_settings
from training.fit.torch_tuning import keep_freed_memory
from training.fit.trainer import PackTrainer, last_checkpoint, make_trainer, remove_incomplete_checkpoints
from training.outputs import claim_directory
from training.progress import ProgressBars, Stopped, progress_bars, say
from training.settings import FitSettings
from training.weights import (
    MODEL,
    base_model_source,
    load_base_model,
    trained_card,
)

RESULT = "fit.json"


class FitResult(BaseModel):
    """`fit.json`. Losses are in nats per learned token; `best_loss`: of the validation part.

    For an adapter they are computed over the tokens of the data only (`DataVocabulary`).
    """

    steps: int
    train_loss: float
    best_loss: float | None
    data_sha256: str
    history: list[dict[str, float | None]]
    """None stands for a value that was not finite, which an earlier version allowed for gradients."""
    canaries: int = 0
    canary_language: Language = "en"
    """Together with the seed and the number, it determines the canaries."""

    def summary(self) -> str:
        best = "no validation part" if self.best_loss is None else f"best validation loss {self.best_loss:.3f}"
        secrets = f", invented secrets learned along: {self.canaries}" if self.canaries else ""
        return f"{self.steps} steps, training loss {self.train_loss:.3f}, {best}{secrets}"

    @classmethod
    def find(cls, run: Path) -> Self | None:
        """Return the result of the training in `run`, or None if it has not ended. Raises SettingsError."""
        file = run / RESULT
        try:
            return cls.model_validate_json(file.read_bytes()) if file.is_file() else None
        except ValueError as error:
            raise SettingsError(
                f"TRAINING_RUN: {file} can't be read ({str(error).splitlines()[0]}): run timokha train fit again"
            ) from None


async def main(settings: FitSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Train in a thread, so that signals are handled; the next run resumes from the last checkpoint."""
    console = Console(stderr=True)
    # Before the thread starts: a new thread gets an allocator arena of its own.
    keep_freed_memory()
    result = await asyncio.to_thread(fit, settings, console=console, clock=SystemClock(), stopped=stop.is_set)
    say(console, f"{result.summary()}; the model is in {settings.out / MODEL}")


def fit(settings: FitSettings, *, console: Console, clock: Clock, stopped: Stopped = lambda: False) -> FitResult:
    """Train in `settings.out`, or resume an interrupted training.

    Raises
    ------
    SettingsError
        One line: data or model are missing, or `out` is in use or holds a training with other settings.
    TimokhaError
        One line: it was `stopped` or `out` could not be written (calling again resumes), or the loss is not finite.
    """
    manifest = Manifest.read(settings.data)
    with claim_directory(settings.out):
        settings = resolve_canary_count(settings)
        check_unchanged(settings, manifest.data_sha256)
        if (settings.out / MODEL).exists() and (ended := FitResult.find(settings.out)):
            say(console, f"The training in {settings.out} has ended already: name another TRAINING_OUT for a new one.")
            return ended
        base_model_source(settings, console)  # prepares it with a progress bar of its own
        with progress_bars(console, clock, partial(_raise_if_stopped, stopped)) as bars:
            return _fit(settings, manifest, console=console, clock=clock, bars=bars, stopped=stopped)


def _raise_if_stopped(stopped: Stopped) -> None:
    if stopped():
        raise TimokhaError("stopped: run the same command again to resume from the last checkpoint")


def _fit(
    settings: FitSettings, manifest: Manifest, *, console: Console, clock: Clock, bars: ProgressBars, stopped: Stopped
) -> FitResult:
    with bars.stage("Loading the model"):
        checkpoint = load_base_model(settings, console)
    bars.check()
    packs = {
        Part.TRAIN: encode_packs(checkpoint, settings, Part.TRAIN, clock, bars),
        Part.VALIDATION: encode_packs(checkpoint, settings, Part.VALIDATION, clock, bars)[: settings.validation_packs],
    }
    if not packs[Part.TRAIN]:
        raise SettingsError(
            f"TRAINING_DATA: {settings.data} has no answer that fits into {settings.context_tokens} tokens: "
            "prepare other data, or raise TRAINING_CONTEXT_TOKENS"
        )
    try:
        record_settings(settings, manifest.data_sha256)
        trainer = _train(checkpoint, settings, packs, bars, stopped)
        with bars.stage("Saving the model"):
            return _save(trainer, checkpoint, manifest, settings)
    except OSError as error:
        raise TimokhaError(
            f"{error.filename or settings.out} can't be written ({error.strerror or error}): make room and "
            "run the same command again to resume from the last checkpoint"
        ) from None


def _train(
    checkpoint: Checkpoint,
    settings: FitSettings,
    packs: Mapping[Part, list[Pack]],
    bars: ProgressBars,
    stopped: Stopped,
) -> PackTrainer:
    set_seed(settings.seed)  # only here: preparing a model for its first use draws random numbers
    model = prepare_model(checkpoint, settings)
    with ExitStack() as stack:
        packs = stack.enter_context(quickened(model, checkpoint, packs, settings))
        stage = stack.enter_context(bars.stage("Training"))
        monitor = Monitor(bars, stage, stopped)
        trainer = make_trainer(model, packs[Part.TRAIN], packs[Part.VALIDATION], settings, monitor)
        remove_incomplete_checkpoints(settings.out)
        resumed = last_checkpoint(settings.out)
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    return trainer


def _save(trainer: PackTrainer, checkpoint: Checkpoint, manifest: Manifest, settings: FitSettings) -> FitResult:
    history, out = trainer.state.log_history, settings.out
    result = FitResult(
        steps=trainer.state.global_step,
        train_loss=next(entry["train_loss"] for entry in reversed(history) if "train_loss" in entry),
        best_loss=trainer.state.best_metric,
        data_sha256=manifest.data_sha256,
        history=history,
        canaries=settings.canaries or 0,
        canary_language=canary_language(settings),
    )
    plots.draw_curves(
        out / "loss.png",
        {name: [(entry["step"], entry[key]) for entry in history if key in entry] for name, key in _CURVES.items()},
        title="Loss",
        x="step",
        y="nats a token",
    )
    write_whole(out / RESULT, result.model_dump_json(indent=2) + "\n")
    # The model last: its presence marks the training as done.
    card = trained_card(checkpoint.card, manifest.language, settings.frame, settings.data)
    fill_whole(out / MODEL, partial(_save_model, trainer, checkpoint, card))
    return result


def _save_model(trainer: PackTrainer, checkpoint: Checkpoint, card: ModelCard, folder: Path) -> None:
    with write_errors_named(folder):
        trainer.model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty template
        checkpoint.tokenizer.save_pretrained(folder)
    card.write(folder)


_CURVES = {"training": "loss", "validation": "eval_loss"}
