"""Check the names that are set: an unknown one ends the command, or in the environment gives one warning in the log."""

import os
from dataclasses import dataclass
from typing import Any

import structlog

from cli.config.names import known, repeated
from cli.config.toml_names import unknown_in_toml
from events import dotenv, toml_file
from events.dotenv import DOTENV
from events.errors import SettingsError
from events.names import short_list
from events.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NameReport:
    """Messages about names in our files and the environment: errors, unknown names, and repeated ones."""

    errors: list[str]
    unknown: list[str]
    repeated: list[str]

    def warn(self) -> None:
        """Log the warnings."""
        if self.unknown:
            log.warning(
                "settings.unknown",
                names=short_list(self.unknown),
                advice="no setting has that name; correct or unset it",
            )
        if self.repeated:
            log.warning("settings.repeated", names=short_list(self.repeated))

    def warnings(self) -> list[str]:
        """Return the warnings as sentences."""
        unknown = [f"in the environment there may be a mistyped {short_list(self.unknown)}"] if self.unknown else []
        return [*unknown, *self.repeated]


def check_names() -> NameReport:
    """Check the names in our files and in the environment against those of all commands. Raises SettingsError."""
    lines, names = dotenv.read(DOTENV), known()
    environment = (name for name, value in os.environ.items() if value)  # an empty one counts as unset
    errors = [*names.mistyped(lines), *unknown_in_toml(toml_file.read(), names.others)]
    return NameReport(errors, names.suspicious(environment), repeated(lines))


def read(settings: type[Settings], report: NameReport, given: dict[str, Any]) -> Settings:
    """Read a command's settings. Raises a SettingsError that lists all problems."""
    refused = [short_list(report.errors)] if report.errors else []
    try:
        chosen = settings.read(**given)
    except SettingsError as error:
        refused.append(str(error))
    else:
        if not refused:
            return chosen
    raise SettingsError("; ".join([*refused, *report.warnings()]))


def read_anew(settings: type[Settings], given: dict[str, Any]) -> Settings:
    """Read a running command's settings once more, with its options. Raises a SettingsError as `read` does."""
    return read(settings, check_names(), given)
