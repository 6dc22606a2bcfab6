"""Check the names that are set: an unknown one ends the command, or in the environment gives one warning in the log."""

import os
from dataclasses import dataclass
from typing import Any

import structlog

from cli.config.names import known, repeated
from events import dotenv
from events.errors import SettingsError
from events.names import short_list
from events.settings import DOTENV, Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Judged:
    """Messages about names: those that end a command, and those that may belong to other programs."""

    refused: list[str]
    unknown: list[str]
    repeated: list[str]

    def warn(self) -> None:
        """Log the messages that do not end a command."""
        if self.unknown:
            log.warning(
                "settings.unknown", names=short_list(self.unknown), advice="no setting has that name; mend or unset it"
            )
        if self.repeated:
            log.warning("settings.repeated", names=short_list(self.repeated))

    def doubts(self) -> list[str]:
        """Return the messages of `warn` as sentences."""
        unknown = [f"in the environment there may be a mistyped {short_list(self.unknown)}"] if self.unknown else []
        return [*unknown, *self.repeated]


def judge() -> Judged:
    """Judge the names in `.env` and in the environment by those of all commands. Raises SettingsError."""
    lines, names = dotenv.read(DOTENV), known()
    environment = (name for name, value in os.environ.items() if value)  # an empty one counts as unset
    return Judged(names.mistyped(lines), names.doubtful(environment), repeated(lines))


def read(settings: type[Settings], judged: Judged, given: dict[str, Any]) -> Settings:
    """Read a command's settings. Raises SettingsError, which says everything at once."""
    refused = [short_list(judged.refused)] if judged.refused else []
    try:
        chosen = settings.read(**given)
    except SettingsError as error:
        refused.append(str(error))
    else:
        if not refused:
            return chosen
    raise SettingsError("; ".join([*refused, *judged.doubts()]))
