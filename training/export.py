"""`timokha train export`: a directory that says itself what it is, and that `timokha generate --model` serves."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from events.errors import SettingsError, TimokhaError
from events.runtime.clock import Clock, SystemClock
from functions.generate.engines.checkpoints import Checkpoint, fresh, load
from functions.generate.engines.writing import writing
from observability.telemetry import Telemetry
from training.evaluation import EVALUATION, Evaluation
from training.examples import read
from training.manifest import Manifest
from training.model_card import model_card
from training.progress import Stopped, check
from training.scoring import Scorer, bits_per_byte, surprises
from training.settings import ExportSettings, FitSettings
from training.splits import Part
from training.weights import run_settings, source_of, trained

_COMPARED = 16
"""Dialogues on which the exported model must be the trained one."""
TOLERANCE = 0.01
"""Of bits per byte, relative: what rounding to bfloat16 may change."""


async def main(settings: ExportSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Export in a thread, so that a signal is heard."""
    console = Console(stderr=True)
    difference = await asyncio.to_thread(export, settings, console=console, clock=SystemClock(), stopped=stop.is_set)
    console.print(
        f"exported; bits per byte differ by {difference:.2%} from the trained model's. "
        f"Serve it: timokha generate --model {settings.to}",
        soft_wrap=True,
    )


def export(settings: ExportSettings, *, console: Console, clock: Clock, stopped: Stopped = lambda: False) -> float:
    """Write the model to `settings.to`, read it back, and return how much it differs: relative, in bits per byte.

    Raises
    ------
    SettingsError
        One line: no such training, or `to` is not empty.
    TimokhaError
        One line: what was written is not the trained model, or it was `stopped`.
    """
    fitted = run_settings(settings.run)
    model = trained(settings.run, fitted, console)
    manifest = Manifest.read(fitted.data)
    _make_empty(settings.to)
    try:
        return _write(model, manifest, settings, fitted, console=console, clock=clock, stopped=stopped)
    except BaseException:
        shutil.rmtree(settings.to, ignore_errors=True)  # or the next run would find it in use
        raise


def _write(
    model: Checkpoint,
    manifest: Manifest,
    settings: ExportSettings,
    fitted: FitSettings,
    *,
    console: Console,
    clock: Clock,
    stopped: Stopped,
) -> float:
    check(stopped)
    card = model.card.model_copy(update={"name": settings.name or model.card.name})
    dtype = torch.bfloat16 if settings.weights == "bf16" else torch.float32
    copy = fresh(model.model, dtype)
    with writing(settings.to):
        copy.save_pretrained(settings.to)
        model.tokenizer.save_pretrained(settings.to)
    for notice in _notices(source_of(fitted, console)):
        shutil.copy(notice, settings.to)
    card.write(settings.to)
    check(stopped)
    difference = _difference(model, settings.to, fitted.data, clock)
    evaluation = Evaluation.find(settings.run)
    if evaluation:
        shutil.copy(settings.run / EVALUATION, settings.to)
    text = model_card(card, fitted, manifest, evaluation, difference)
    (settings.to / "README.md").write_text(text, encoding="utf-8")
    return difference


def _make_empty(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise SettingsError(f"TRAINING_TO: {directory} is not empty: name a new directory")
    except OSError as error:
        raise SettingsError(f"TRAINING_TO: {directory} can't be used: {error.strerror}") from None


def _notices(source: str) -> list[Path]:
    """Licence texts of the base model: they go with every copy."""
    directory = Path(source).expanduser()
    return [file for pattern in ("LICENSE*", "LICENCE*", "NOTICE*") for file in directory.glob(pattern)]


def _difference(model: Checkpoint, directory: Path, data: Path, clock: Clock) -> float:
    examples = (read(data, Part.TEST) or read(data, Part.TRAIN))[:_COMPARED]
    exported: Any = load(str(directory))
    exported.model.float()
    before, after = (
        bits_per_byte(surprises(Scorer(checkpoint, clock=clock), examples)) for checkpoint in (model, exported)
    )
    difference = abs(after - before) / before
    if difference > TOLERANCE:
        raise TimokhaError(
            f"the exported model is not the trained one: {before:.3f} bits per byte became {after:.3f}; "
            "try TRAINING_WEIGHTS=fp32"
        )
    return difference
