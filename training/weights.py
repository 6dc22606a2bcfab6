"""Load base models and trained models in full precision, with adapters merged."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from rich.console import Console

from events.errors import SettingsError
from events.runtime.clock import Clock
from functions.generate.engines.transformers.checkpoints import Checkpoint, copy_in_dtype, load_checkpoint
from functions.generate.engines.transformers.engine import context_of, format_of
from functions.generate.models.card import ModelCard
from functions.generate.models.preparing import prepare_default_checkpoint
from functions.generate.models.voices import find_voice
from functions.generate.prompts.encoding import Encoder
from functions.generate.settings import VoiceName
from training.data.manifest import Manifest
from training.fit.lessons import Renderer
from training.settings import FitSettings, Frame

CONFIG = "config.toml"
MODEL = "model"
"""The trained model's directory in a run's directory."""

_ADAPTER = "adapter_config.json"


def base_model_source(settings: FitSettings, console: Console) -> str:
    """Return the base model of `settings`: a directory, a file or a hub id. Prepare the default model if needed."""
    if settings.model:
        return settings.model
    voice = find_voice(settings.voice)
    if voice is None and settings.voice is not VoiceName.NONE:
        raise SettingsError(
            f"TRAINING_VOICE={settings.voice}: this timokha ships no voice; use one that does, or train with"
            " TRAINING_VOICE=none"
        )
    try:
        return str(prepare_default_checkpoint(settings.cache, voice=voice, console=console))
    except SettingsError as error:
        raise SettingsError(str(error).replace("GENERATE_VOICE", "TRAINING_VOICE")) from None


def load_base_model(settings: FitSettings, console: Console) -> Checkpoint:
    """Load the base model of `settings` in float32."""
    try:
        checkpoint = load_checkpoint(base_model_source(settings, console))
    except SettingsError as error:
        raise SettingsError(str(error).replace("GENERATE_MODEL", "TRAINING_MODEL")) from None
    return replace(checkpoint, model=copy_in_dtype(checkpoint.model, torch.float32).eval())


NEAR_EXAMPLES = 3
"""Near examples in a prompt."""


def trained_card(base: ModelCard, language: str | None, frame: Frame = "labels", data: Path | None = None) -> ModelCard:
    """Return the card of the model trained from `base`, prompted as `frame` says.

    `language`: of the data, if known. `data`: the directory of the near examples.
    """
    labels = "asked" if frame != "labels" else "ru" if language in (None, "ru") else "en"
    front = {"preamble": frame == "examples", "scene": frame in ("scene", "near"), "labels": labels}
    front |= {"near": NEAR_EXAMPLES if frame == "near" else 0, "directory": data}
    return base.model_copy(update={"name": f"{base.name}-trained", **front})


def training_renderer(checkpoint: Checkpoint, settings: FitSettings, clock: Clock) -> Renderer:
    """Return a renderer of prompts as served to the trained model."""
    card = trained_card(checkpoint.card, Manifest.read(settings.data).language, settings.frame, settings.data)
    return serving_renderer(replace(checkpoint, card=card), settings.context_tokens, clock)


def serving_renderer(checkpoint: Checkpoint, limit: int, clock: Clock) -> Renderer:
    """Return a renderer of prompts as served to `checkpoint`; a prompt and its answer have at most `limit` tokens."""
    form = format_of(checkpoint.card, checkpoint.tokenizer, clock, training=True)
    return Renderer(form, Encoder(checkpoint.tokenizer), min(limit, context_of(checkpoint.model)))


def read_run_settings(run: Path) -> FitSettings:
    """Read the settings of the training in the directory `run`. Raises SettingsError, one line, if there is none."""
    config = run / CONFIG
    if not config.is_file():
        raise SettingsError(f"TRAINING_RUN: {run} has no {CONFIG}, so no training: run timokha train fit")
    return FitSettings.read(config=config, out=run)


def data_directory(run: Path, given: Path | None, fit_settings: FitSettings) -> Path:
    """Return the `given` data directory, or that of the training in `run`. Raises SettingsError if it is missing."""
    data = given or fit_settings.data
    if not given and not data.is_dir():
        raise SettingsError(
            f"TRAINING_DATA: {data}, from which {run} was trained, is missing: give its new place with --data"
        )
    return data


def load_trained_model(run: Path, settings: FitSettings, console: Console) -> Checkpoint:
    """Load the model that `timokha train fit` wrote to `run` in float32, with its adapter merged into the base model.

    Raises SettingsError, one line, if there is none.
    """
    folder = run / MODEL
    card = ModelCard.read(folder)
    if card is None:
        raise SettingsError(f"TRAINING_RUN: {run} has no trained model: run timokha train fit to its end")
    if not (folder / _ADAPTER).is_file():
        checkpoint = load_checkpoint(str(folder))
        checkpoint.model.float()
        return checkpoint
    try:
        base = load_base_model(settings, console)
    except SettingsError as error:
        raise SettingsError(f"{error}; it is set in {run / CONFIG}: if it was moved, correct it there") from None
    both = make_adapted_model(lambda: PeftModel.from_pretrained(base.model, str(folder)))
    return Checkpoint(both.merge_and_unload().eval(), base.tokenizer, card)


def make_adapted_model(make: Callable[[], Any]) -> Any:
    """Call `make` for a model with a PEFT adapter, without its warnings and its queries to the hub."""
    with warnings.catch_warnings():
        # PEFT uses a name that transformers 6 removes.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        model = make()
    # Otherwise PEFT asks the hub for the base model whenever it saves.
    for config in model.peft_config.values():
        config.base_model_name_or_path = None
    return model
