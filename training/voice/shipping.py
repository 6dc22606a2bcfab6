"""The voice as the product ships it: the adapter of a training in float16, with its card and its notice."""

import json
import tomllib
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from events.errors import TimokhaError
from events.files import fill_whole
from functions.generate.models import vocabulary
from functions.generate.models.card import ModelCard, PreferredSampling
from functions.generate.models.default_model import CARD
from functions.generate.models.voices import ADAPTER, CONFIG, DIRECTORY, NOTICE, TENSORS_DIGEST
from functions.generate.prompts import near_examples
from training.voice.talks import Talk, talk_texts

LARGEST = 10_000_000
"""Bytes of the adapter: it goes with every copy of the product."""
CHOICES = Path(__file__).with_name("card.toml")
MODEL = "model"
_BASE = "google/gemma-3-270m"
_KEPT = ("peft_type", "task_type", "r", "lora_alpha", "bias")


def ship(
    run: Path, exported: Path, to: Path = DIRECTORY, choices: Path = CHOICES, *, talks: Iterable[Talk] = ()
) -> Path:
    """Make the voice `to` of the training in `run` and of what was exported of it: the same bytes of the same training.

    `choices`: a TOML file with the model's name and its sampling. `talks`: its near examples, where it shows some.
    Raises TimokhaError, one line.
    """
    trained = run / MODEL
    try:
        weights = load_file(trained / ADAPTER)
        config = json.loads((trained / CONFIG).read_bytes())
        tokens = vocabulary.read_used_tokens(exported)
        card = _card(trained, choices)
        data = _saved({name: values.astype(np.float16) for name, values in sorted(weights.items())})
    except (OSError, ValueError) as error:
        raise TimokhaError(f"{run} and {exported} hold no training of an adapter that was exported: {error}") from None
    if len(data) > LARGEST:
        raise TimokhaError(f"the adapter takes {len(data)} bytes, more than {LARGEST}: lower its rank or its targets")

    def fill(folder: Path) -> None:
        (folder / ADAPTER).write_bytes(data)
        (folder / CONFIG).write_text(json.dumps(_config(config), indent=2) + "\n", encoding="utf-8")
        card.write(folder)
        if card.near:
            near_examples.write_talks(folder, map(talk_texts, talks))
        vocabulary.write_used_tokens(folder, tokens)
        (folder / NOTICE).write_text(_notice(), encoding="utf-8")

    fill_whole(to, fill)
    return to


def _saved(tensors: dict[str, NDArray[np.float16]]) -> bytes:
    numbers = sha256(b"".join(values.tobytes() for values in tensors.values())).hexdigest()
    # One entry alone: of several the order is drawn anew each time.
    return bytes(save(tensors, metadata={TENSORS_DIGEST: numbers}))


def _card(trained: Path, choices: Path) -> ModelCard:
    said = tomllib.loads(choices.read_text(encoding="utf-8"))
    card = ModelCard.read(trained)
    if card is None or card.licence != CARD.licence:
        raise ValueError("it is not the default model that was trained")
    sampling = PreferredSampling.model_validate(said["sampling"])
    return card.model_copy(update={"name": said["name"], "sampling": sampling, "beside": None})


def _config(written: dict[str, Any]) -> dict[str, Any]:
    """What peft needs to load it; of the rest, and of this machine's paths, nothing."""
    kept = {name: written[name] for name in _KEPT}
    return {**kept, "target_modules": sorted(written["target_modules"]), "base_model_name_or_path": _BASE}


def _notice() -> str:
    return f"""\
Gemma is provided under and subject to the Gemma Terms of Use found at {CARD.licence_url}

Use is subject to its Prohibited Use Policy, too: https://ai.google.dev/gemma/prohibited_use_policy

Modified: this adapter (LoRA) changes the weights of Gemma 3 270M. Timokha's authors trained it on talks that they wrote
(training/voice/talks), starting from weights that others had quantized to Q4_K_M.
"""
