"""The engines and triggers that settings can name: a row for each has its needs, its options, and where its code is.

Importing this module imports none of them: `opener`, `preparer` and `locator` are `module:function`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from functions.generate.settings import GenerateSettings


class ModelSource(StrEnum):
    """Where an engine's model is."""

    NONE = "none"
    """It has no model."""
    SERVER = "server"
    """On a server, which has its own name for it."""
    FILES = "files"
    """In a directory, a `.gguf` file or the hub, read as they are."""
    COPY = "copy"
    """In a copy that the engine has prepared from such files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """An engine. `options` are settings that no other engine reads; those in `required` have no default.

    `opener`: `async (settings, *, clock) -> Engine`. `preparer`: `(settings, console) -> Path | None` prepares the
    model if need be and returns its directory, or None if the engine reads the model as it is. `locator`:
    `(settings) -> Path | None` returns that directory, prepared or not. Neither imports the engine's packages.
    """

    opener: str
    preparer: str = ""
    locator: str = ""
    model: ModelSource = ModelSource.FILES
    about: str = ""
    """For the description of GENERATE_ENGINE."""
    extra: str = ""
    """The extra in pyproject.toml that installs `packages`."""
    packages: Sequence[str] = ()
    """By their import names."""
    in_image: bool = True
    """Whether deploy/Dockerfile always installs `extra`."""
    options: Sequence[str] = ()
    required: Sequence[str] = ()
    batches: bool = False
    """Whether concurrent requests share each step of the model, so that many take hardly longer than one."""

    def load_opener(self) -> Callable[..., Any]:
        """Import the engine. Raises ModuleNotFoundError if a package is missing."""
        return load_function(self.opener)

    def prepare(self, settings: "GenerateSettings", console: "Console") -> "Path | None":
        """Prepare the engine's copy of the model unless it exists; `console` shows progress. Raises TimokhaError."""
        return load_function(self.preparer)(settings, console) if self.preparer else None

    def model_directory(self, settings: "GenerateSettings") -> "Path | None":
        """Return the directory of the copy, prepared or not. Raises SettingsError."""
        return load_function(self.locator)(settings) if self.locator else None


_PREPARED = "functions.generate.engines.prepared_models"

ENGINES: dict[str, EngineEntry] = {
    "openvino": EngineEntry(
        opener="functions.generate.engines.openvino.engine:open_engine",
        preparer=f"{_PREPARED}:prepare_for_openvino",
        locator=f"{_PREPARED}:openvino_directory",
        model=ModelSource.COPY,
        extra="openvino",
        packages=("openvino_genai", "tokenizers"),
        options=("bits", "arithmetic", "vocabulary"),
        batches=True,
    ),
    "transformers": EngineEntry(
        opener="functions.generate.engines.transformers.engine:open_engine",
        preparer=f"{_PREPARED}:prepare_for_transformers",
        locator=f"{_PREPARED}:transformers_directory",
        extra="transformers",
        packages=("torch", "transformers"),
        in_image=False,
        options=("decoding",),
    ),
    "openai": EngineEntry(
        opener="functions.generate.engines.openai.engine:open_engine",
        model=ModelSource.SERVER,
        about="a server that speaks its API",
        extra="openai",
        packages=("openai",),
        options=("openai_base_url", "openai_api_key", "openai_timeout"),
        required=("openai_base_url",),
        batches=True,
    ),
    "echo": EngineEntry(
        opener="functions.generate.engines.echo:open_engine", model=ModelSource.NONE, options=("echo_delay",)
    ),
}
"""By name, as in GENERATE_ENGINE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerEntry:
    """A broker that hosts the function. `opener`: `(settings, retrying) -> AbstractAsyncContextManager[Trigger]`."""

    opener: str
    extra: str = ""

    def load_opener(self) -> Callable[..., Any]:
        """Import the trigger. Raises ModuleNotFoundError if a package is missing."""
        return load_function(self.opener)


TRIGGERS: dict[str, TriggerEntry] = {
    "jetstream": TriggerEntry(opener="functions.generate.triggers.jetstream:open_trigger"),
    "rabbitmq": TriggerEntry(opener="functions.generate.triggers.rabbitmq:open_trigger", extra="rabbitmq"),
}
"""By name, as in GENERATE_TRIGGER."""


def load_function(place: str) -> Callable[..., Any]:
    """Import `module:function`."""
    module, _, name = place.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def alternatives(words: Iterable[str]) -> str:
    """Return `words` joined as in "one, two or three"."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
