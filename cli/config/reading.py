"""Judge the names that are set: what would be passed over in silence is refused, or doubted in one line of the log."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from cli.config.names import known, repeated
from events import dotenv
from events.errors import SettingsError
from events.names import some
from events.paths import resolved
from events.settings import DOTENV, Settings

log = structlog.get_logger()

_ITS_FILE = re.compile(r"OTEL_EXPORTER_OTLP_(\w+_)?(CERTIFICATE|CLIENT_KEY)")


@dataclass(frozen=True, slots=True)
class Judged:
    """What is said of names: of those that end a command, and of those that may be meant for others."""

    refused: list[str]
    unknown: list[str]
    repeated: list[str]

    def warn(self) -> None:
        """Log what does not end a command."""
        if self.unknown:
            log.warning(
                "settings.unknown", names=some(self.unknown), advice="no setting has that name; mend or unset it"
            )
        if self.repeated:
            log.warning("settings.repeated", names=some(self.repeated))

    def doubts(self) -> list[str]:
        """The same as sentences."""
        unknown = [f"in the environment there may be a mistyped {some(self.unknown)}"] if self.unknown else []
        return [*unknown, *self.repeated]


def judge() -> Judged:
    """Judge the names in `.env` and in the environment by those of all commands. Raises SettingsError."""
    lines, names = dotenv.read(DOTENV), known()
    environment = (name for name, value in os.environ.items() if value)  # an empty one counts as unset
    return Judged(names.mistyped(lines), names.doubtful(environment), repeated(lines))


def read(settings: type[Settings], judged: Judged, given: dict[str, Any]) -> Settings:
    """Read a command's settings. Raises SettingsError, which says everything at once."""
    refused = [some(judged.refused)] if judged.refused else []
    try:
        chosen = settings.read(**given)
    except SettingsError as error:
        refused.append(str(error))
    else:
        if not refused:
            return chosen
    raise SettingsError("; ".join([*refused, *judged.doubts()]))


def for_libraries() -> None:
    """Put what OpenTelemetry and the hub look for in the environment, which wins, there from `.env`.

    Files that OpenTelemetry reads are named by whole paths there.
    """
    for name, value in dotenv.values(dotenv.read(DOTENV)).items():
        if name.startswith(("OTEL_", "HF_")) and value and not os.environ.get(name):
            os.environ[name] = value
    for name, value in os.environ.items():
        if _ITS_FILE.fullmatch(name) and value:
            with suppress(ValueError):  # OpenTelemetry says that it can't be read
                os.environ[name] = str(resolved(Path(value)))
