"""`timokha train fit`: dialogues and a model into a trained model, its curves, and checkpoints to go on from."""

import asyncio
import json
import tomllib
import warnings
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import set_seed

from events.errors import SettingsError, TimokhaError
from events.files import fill_whole, write_whole
from events.paths import resolved
from events.runtime.clock import Clock, SystemClock
from functions.generate.engines.checkpoints import Checkpoint
from functions.generate.engines.writing import writing
from functions.generate.sources import located
from observability.telemetry import Telemetry
from training import plots
from training.allocator import keep_freed_memory
from training.compiling import compile_layers
from training.examples import Example, covering, read
from training.manifest import Manifest
from training.outputs import claimed
from training.packing import Pack, pack
from training.progress import Stopped
from training.settings import FitSettings
from training.splits import Part
from training.trainer import PackTrainer, Report, last_checkpoint, make_trainer, uses_bf16
from training.vocabulary import Vocabulary
from training.weights import CONFIG, MODEL, renderer_for, start_from, trained_card

RESULT = "fit.json"


class FitResult(BaseModel):
    """`fit.json`. Losses in nats for each learned token; `best_loss` is of the validation part.

    An adapter's are among the tokens of the data (`Vocabulary`).
    """

    steps: int
    train_loss: float
    best_loss: float | None
    data_sha256: str
    history: list[dict[str, float]]


async def main(settings: FitSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Train in a thread, so that a signal is heard; the next run goes on from the last checkpoint."""
    console = Console(stderr=True)
    # Before the thread begins, or it would get memory of its own.
    keep_freed_memory()
    result = await asyncio.to_thread(fit, settings, console=console, clock=SystemClock(), stopped=stop.is_set)
    console.print(
        f"{result.steps} steps, training loss {result.train_loss:.3f}, best validation loss {result.best_loss}; "
        f"the model is in {settings.out / MODEL}",
        soft_wrap=True,
    )


def fit(settings: FitSettings, *, console: Console, clock: Clock, stopped: Stopped = lambda: False) -> FitResult:
    """Train, or go on with what was interrupted, in `settings.out`.

    Raises
    ------
    SettingsError
        One line: no data, no model, or `out` is in use or holds a training with other settings.
    TimokhaError
        One line: it was `stopped`; the same call goes on.
    """
    manifest = Manifest.read(settings.data)
    with claimed(settings.out):
        _keep_config(settings)
        set_seed(settings.seed)
        _check(stopped)
        checkpoint = start_from(settings, console)
        _check(stopped)
        trainer = _train(checkpoint, settings, console=console, clock=clock, stopped=stopped)
        _check(stopped)
        return _save(trainer, checkpoint, manifest, settings.out)


def _check(stopped: Stopped) -> None:
    if stopped():
        raise TimokhaError("stopped: run the same command again to go on from the last checkpoint")


def _keep_config(settings: FitSettings) -> None:
    """Write what decides the result, to be read back by `--config`. Raises SettingsError if others were at work."""
    deciding = settings.model_dump(mode="json", exclude=_NOT_DECIDING, exclude_none=True)
    file = settings.out / CONFIG
    try:
        if file.is_file() and (other := _whole(tomllib.loads(file.read_text(encoding="utf-8")))) != deciding:
            changed = sorted({name for name, _ in deciding.items() ^ other.items()})
            raise SettingsError(
                f"TRAINING_OUT: {settings.out} holds a training with other settings ({', '.join(changed)}): "
                "name another directory, or the same settings to go on"
            )
        # What JSON writes for strings, numbers and booleans is TOML too.
        lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in deciding.items()]
        write_whole(file, "".join(lines))
    except OSError as error:
        raise SettingsError(f"TRAINING_OUT: {settings.out} can't be used: {error.strerror}") from None


def _whole(written: dict[str, Any]) -> dict[str, Any]:
    """What `config.toml` says, its paths resolved: an earlier version wrote them as they were given."""
    made = {"data": lambda data: str(resolved(Path(data))), "model": located}
    return {name: made[name](value) if name in made else value for name, value in written.items()}


_NOT_DECIDING = {"out", "config", "cache", "log_level", "capture_message_content", "trace_file"}


def _train(
    checkpoint: Checkpoint, settings: FitSettings, *, console: Console, clock: Clock, stopped: Stopped
) -> PackTrainer:
    train = _packs(checkpoint, settings, Part.TRAIN, clock)
    validation = _packs(checkpoint, settings, Part.VALIDATION, clock)[: settings.validation_packs]
    model = _trainable(checkpoint, settings)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress, warnings.catch_warnings(), ExitStack() as stack:
        # transformers warns of names that it uses itself.
        warnings.simplefilter("ignore", FutureWarning)
        if settings.method == "lora":
            words = Vocabulary.of([*train, *validation])
            stack.enter_context(words.narrowed(checkpoint.model))
            train, validation = [words.label(one) for one in train], [words.label(one) for one in validation]
        trainer = make_trainer(model, train, validation, settings, callbacks=[Report(progress, stopped)])
        resumed = last_checkpoint(settings.out)
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    return trainer


def _packs(checkpoint: Checkpoint, settings: FitSettings, part: Part, clock: Clock) -> list[Pack]:
    renderer = renderer_for(checkpoint, settings, clock)

    def cut(example: Example) -> Example:
        return example.latest(renderer.fitting(example.turns))

    def learned(example: Example) -> Iterable[int]:
        return example.messages(renderer.learned(example.turns))

    encoded = (renderer.encode(example.turns) for example in covering(read(settings.data, part), cut, learned))
    return pack(encoded, tokens=settings.pack_tokens, seed=settings.seed)


def _trainable(checkpoint: Checkpoint, settings: FitSettings) -> Any:
    if not torch.cuda.is_available():
        # A processor goes back through transformers' own attention in half the time that torch's takes.
        checkpoint.model.set_attn_implementation("eager")
    if settings.compile:
        compile_layers(checkpoint.model)
    if settings.method == "full":
        return checkpoint.model
    if uses_bf16(settings):
        # Frozen weights need no more precision than they are computed with.
        checkpoint.model.to(dtype=torch.bfloat16)
    adapter = LoraConfig(
        task_type="CAUSAL_LM",
        target_modules="all-linear",
        r=settings.rank,
        lora_alpha=2 * settings.rank,
        lora_dropout=settings.dropout,
    )
    return get_peft_model(checkpoint.model, adapter)


def _save(trainer: PackTrainer, checkpoint: Checkpoint, manifest: Manifest, out: Path) -> FitResult:
    history = trainer.state.log_history
    result = FitResult(
        steps=trainer.state.global_step,
        train_loss=next(entry["train_loss"] for entry in reversed(history) if "train_loss" in entry),
        best_loss=trainer.state.best_metric,
        data_sha256=manifest.data_sha256,
        history=history,
    )
    plots.curves(
        out / "loss.png",
        {name: [(entry["step"], entry[key]) for entry in history if key in entry] for name, key in _CURVES.items()},
        title="Loss",
        x="step",
        y="nats a token",
    )
    write_whole(out / RESULT, result.model_dump_json(indent=2) + "\n")
    # The model last: with it the training is done.
    fill_whole(out / MODEL, partial(_save_model, trainer, checkpoint))
    return result


def _save_model(trainer: PackTrainer, checkpoint: Checkpoint, folder: Path) -> None:
    with writing(folder):
        trainer.model.save_pretrained(folder)
        checkpoint.tokenizer.save_pretrained(folder)
    trained_card(checkpoint.card).write(folder)


_CURVES = {"training": "loss", "validation": "eval_loss"}
