"""The copy of the settings' model that an engine reads: where it lies, and how it is made. Imports no vendor."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from functions.generate.models.preparing import (
    default_checkpoint_directory,
    prepare_default_checkpoint,
    prepare_model,
    prepared_directory,
)
from functions.generate.models.voices import find_voice
from functions.generate.settings import GenerateSettings

if TYPE_CHECKING:
    from rich.console import Console


def openvino_directory(settings: GenerateSettings) -> Path:
    """Return where the openvino engine's copy lies, made or not. Raises SettingsError."""
    return prepared_directory(**_source(settings))


def prepare_for_openvino(settings: GenerateSettings, console: "Console") -> Path:
    """Return the directory of the openvino engine's copy, made first if need be. Raises TimokhaError."""
    return prepare_model(**_source(settings), console=console)


def transformers_directory(settings: GenerateSettings) -> Path | None:
    """Return where the default model lies for transformers, made or not; None for another. Raises SettingsError."""
    return None if settings.model else default_checkpoint_directory(settings.cache, find_voice(settings.voice))


def prepare_for_transformers(settings: GenerateSettings, console: "Console") -> Path | None:
    """Return the default model's directory, made first if need be; None for another. Raises TimokhaError."""
    if settings.model:
        return None
    return prepare_default_checkpoint(settings.cache, voice=find_voice(settings.voice), console=console)


def _source(settings: GenerateSettings) -> dict[str, Any]:
    return {
        "source": settings.model,
        "cache": settings.cache,
        "bits": settings.bits,
        "vocabulary": settings.vocabulary,
        "voice": find_voice(settings.voice, settings.model),
    }
