"""`timokha train export`: write a model directory that describes itself and that `timokha generate --model` serves."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import torch
from rich.console import Console

from events.errors import SettingsError, TimokhaError
from events.runtime.clock import Clock, SystemClock
from events.runtime.leftovers import discard
from events.schema import Role, Turn
from functions.generate.engines.model_files import write_errors_named
from functions.generate.engines.transformers.checkpoints import Checkpoint, copy_in_dtype, load_checkpoint
from functions.generate.models.card import ModelCard
from functions.generate.models.sources import CONFIG as MODEL_CONFIG
from functions.generate.models.sources import UNFINISHED
from functions.generate.models.vocabulary import write_used_tokens
from observability.telemetry import Telemetry
from training.data.manifest import Manifest
from training.data.splits import Part
from training.evaluation.result import EVALUATION, Evaluation
from training.evaluation.scoring import Scorer, bits_per_byte, example_surprisals
from training.examples import read_examples
from training.fit.lessons import Renderer
from training.model_card import model_card
from training.outputs import LOCK, claim_directory, publish_files, scratch_directory
from training.progress import ProgressBars, Stopped, check, progress_bars, say
from training.settings import ExportSettings, FitSettings
from training.weights import base_model_source, data_directory, load_trained_model, read_run_settings, serving_renderer

_COMPARED = 16
"""Dialogues used to compare the exported model with the trained one."""
TOLERANCE = 0.01
"""Of bits per byte, relative: what rounding to bfloat16 may change."""
_FEWEST_ANSWERS = 2
"""Answers that contain a token: the set of tokens ships with the model and must not reveal a name or a code."""
_QUESTION = Turn(role=Role.USER, text=".")


async def main(settings: ExportSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Export in a thread, so that signals are handled."""
    console = Console(stderr=True)
    difference = await asyncio.to_thread(export, settings, console=console, clock=SystemClock(), stopped=stop.is_set)
    to = quote(str(settings.to))
    say(
        console,
        f"exported; bits per byte differ by {difference:.2%} from the trained model's. "
        f"Chat with it: GENERATE_MODEL={to} timokha demo; serve it: timokha generate --model {to}",
    )


def export(settings: ExportSettings, *, console: Console, clock: Clock, stopped: Stopped = lambda: False) -> float:
    """Write the model to `settings.to`, load it, and return its relative difference in bits per byte.

    Raises
    ------
    SettingsError
        One line: there is no such training, or `to` is not empty.
    TimokhaError
        One line: the exported model differs from the trained one, or it was `stopped`.
    """
    fit_settings = read_run_settings(settings.run)
    data = data_directory(settings.run, settings.data, fit_settings)
    manifest = Manifest.read(data)
    base_model_source(fit_settings, console)  # prepares it with a progress bar of its own
    with claim_directory(settings.to, "TRAINING_TO"):
        _make_empty(settings.to)
        with (
            progress_bars(console, clock, partial(check, stopped)) as bars,
            scratch_directory(settings.to, UNFINISHED) as place,
        ):
            job = _Job(settings, fit_settings, manifest, data, place / "model")
            job.folder.mkdir()
            difference = _write_and_compare(job, console=console, clock=clock, bars=bars)
            publish_files(job.folder, settings.to, last=MODEL_CONFIG)
    return difference


@dataclass(frozen=True, slots=True)
class _Job:
    """An export: its settings, those of its training, and the folder that the model is written to first."""

    settings: ExportSettings
    fit_settings: FitSettings
    manifest: Manifest
    data: Path
    folder: Path


def _write_and_compare(job: _Job, *, console: Console, clock: Clock, bars: ProgressBars) -> float:
    settings, fit_settings = job.settings, job.fit_settings
    with bars.stage("Loading and merging"):
        model = load_trained_model(settings.run, fit_settings, console)
        bars.check()
        copy = copy_in_dtype(model.model, torch.bfloat16 if settings.weights == "bf16" else torch.float32)
    card = model.card.model_copy(update={"name": settings.name or model.card.name})
    bars.check()
    try:
        with bars.stage("Writing"):
            _write_model(copy, model, card, job.folder, _notices(base_model_source(fit_settings, console)))
        del copy
        _write_used_tokens(model, card, job, clock, bars)
        difference = _compare_exported(model, job, clock, bars)
        evaluation = Evaluation.find(settings.run)
        if evaluation:
            shutil.copyfile(settings.run / EVALUATION, job.folder / EVALUATION)
        text = model_card(card, fit_settings, job.manifest, evaluation, difference)
        (job.folder / "README.md").write_text(text, encoding="utf-8")
    except OSError as error:
        raise TimokhaError(
            f"{settings.to} can't be written ({error.strerror or error}): make room, and run the command again"
        ) from None
    return difference


def _write_model(copy: Any, model: Checkpoint, card: ModelCard, folder: Path, notices: Iterable[Path]) -> None:
    with write_errors_named(folder):
        copy.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
    for notice in notices:
        shutil.copyfile(notice, folder / notice.name)
    card.write(folder)


def _write_used_tokens(model: Checkpoint, card: ModelCard, job: _Job, clock: Clock, bars: ProgressBars) -> None:
    renderer = serving_renderer(replace(model, card=card), job.fit_settings.context_tokens, clock)
    answers = learned_answers(job.data)
    with bars.stage("Counting tokens", len(answers)) as stage:
        write_used_tokens(job.folder, tokens_of_answers(answers, renderer, stage.advance))


def learned_answers(data: Path) -> list[str]:
    """Return each different answer of the training and validation parts."""
    return list(
        dict.fromkeys(example.answer for part in (Part.TRAIN, Part.VALIDATION) for example in read_examples(data, part))
    )


def tokens_of_answers(
    answers: Iterable[str], renderer: Renderer, tick: Callable[[], object] = lambda: None
) -> list[int]:
    """Return the tokens that occur in several of `answers`, ascending. `tick`: called for each answer."""
    found: Counter[int] = Counter()
    for answer in answers:
        tick()
        found.update({*renderer.lesson([_QUESTION, Turn(role=Role.ASSISTANT, text=answer)]).answer.ids})
    return sorted(token for token, count in found.items() if count >= _FEWEST_ANSWERS)


def _make_empty(directory: Path) -> None:
    """Remove the remains of a killed export from `directory`. Raises SettingsError if it has other files."""
    try:
        found = [path for path in directory.iterdir() if path.name != LOCK]
        if (directory / UNFINISHED).is_dir() and not (directory / MODEL_CONFIG).exists():
            # UNFINISHED last: it marks the others as unfinished.
            for path in sorted(found, key=lambda path: path.name == UNFINISHED):
                discard(path)
        elif found:
            what = "holds a model" if (directory / MODEL_CONFIG).exists() else "is not empty"
            raise SettingsError(f"TRAINING_TO: {directory} {what}: name a new directory")
    except OSError as error:
        raise SettingsError(f"TRAINING_TO: {directory} can't be used: {error.strerror}") from None


def _notices(source: str) -> list[Path]:
    """Return the base model's licence texts, which every copy must include."""
    directory = Path(source).expanduser()
    return [file for pattern in ("LICENSE*", "LICENCE*", "NOTICE*") for file in directory.glob(pattern)]


def _compare_exported(model: Checkpoint, job: _Job, clock: Clock, bars: ProgressBars) -> float:
    examples = (read_examples(job.data, Part.TEST) or read_examples(job.data, Part.TRAIN))[:_COMPARED]
    with bars.stage("Reading it back"):
        exported: Any = load_checkpoint(str(job.folder))
        exported.model.float()
    bits = []
    with bars.stage("Comparing", 2 * len(examples)) as stage:
        for checkpoint in (model, exported):
            found = example_surprisals(Scorer(checkpoint, clock=clock), examples, stage.advance)
            bits.append(bits_per_byte(found))
    before, after = bits
    difference = abs(after - before) / before
    if not difference <= TOLERANCE:  # also true for NaN
        raise TimokhaError(
            f"the exported model differs from the trained one: {before:.3f} bits per byte became {after:.3f}; "
            "try TRAINING_WEIGHTS=fp32"
        )
    return difference
