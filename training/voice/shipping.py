"""Write the voice that the product ships: the adapter of a training in float16, with its card and its notice."""

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
"""Bytes of the adapter, which is in every copy of the product."""
CHOICES = Path(__file__).with_name("card.toml")
MODEL = "model"
_BASE = "google/gemma-3-270m"
_CONFIG_KEYS = ("peft_type", "task_type", "r", "lora_alpha", "bias")


def ship(
    run: Path, exported: Path, to: Path = DIRECTORY, choices: Path = CHOICES, *, talks: Iterable[Talk] = ()
) -> Path:
    """Write the voice to `to`, from the training in `run` and its export; the same training gives the same bytes.

    `choices`: a TOML file with the model's name and sampling. `talks`: near examples, if the card asks for some.
    Raises TimokhaError, one line.
    """
    trained = run / MODEL
    try:
        weights = load_file(trained / ADAPTER)
        config = json.loads((trained / CONFIG).read_bytes())
        tokens = vocabulary.read_used_tokens(exported)
        card = _card(trained, choices)
        data = _serialize({name: values.astype(np.float16) for name, values in sorted(weights.items())})
    except (OSError, ValueError) as error:
        raise TimokhaError(f"{run} and {exported} do not hold an adapter's training and its export: {error}") from None
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


def _serialize(tensors: dict[str, NDArray[np.float16]]) -> bytes:
    numbers = sha256(b"".join(values.tobytes() for values in tensors.values())).hexdigest()
    # A single entry: the order of several would differ each time.
    return bytes(save(tensors, metadata={TENSORS_DIGEST: numbers}))


def _card(trained: Path, choices: Path) -> ModelCard:
    said = tomllib.loads(choices.read_text(encoding="utf-8"))
    card = ModelCard.read(trained)
    if card is None or card.licence != CARD.licence:
        raise ValueError("the trained model is not the default model")
    sampling = PreferredSampling.model_validate(said["sampling"])
    return card.model_copy(update={"name": said["name"], "sampling": sampling, "directory": None})


def _config(written: dict[str, Any]) -> dict[str, Any]:
    """Return what peft needs to load the adapter, without paths of this machine."""
    kept = {name: written[name] for name in _CONFIG_KEYS}
    return {**kept, "target_modules": sorted(written["target_modules"]), "base_model_name_or_path": _BASE}


def _notice() -> str:
    return f"""\
Gemma is provided under and subject to the Gemma Terms of Use found at {CARD.licence_url}

Use is subject to its Prohibited Use Policy, too: https://ai.google.dev/gemma/prohibited_use_policy

Modified: this adapter (LoRA) changes the weights of Gemma 3 270M. Timokha's authors trained it on talks that they wrote
(training/voice/talks), starting from weights that others had quantized to Q4_K_M.
"""
