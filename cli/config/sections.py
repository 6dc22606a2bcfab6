"""Group the settings of all commands into sections, each variable once, for docs/settings.md and `config show`."""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic.fields import FieldInfo

from cli.commands import COMMANDS
from edge.userbot.settings import UserbotSettings
from events.settings import Positional, ProcessSettings, RabbitMQSettings, ServiceSettings, Settings

COMMON: tuple[tuple[str, type[Settings]], ...] = (
    ("Every command", Settings),
    ("NATS: every command but `trace` and `train`", ProcessSettings),
    ("RabbitMQ", RabbitMQSettings),
    ("`userbot`, `business`, `generate` and `bridge`, which run until they are stopped", ServiceSettings),
)


class Named(NamedTuple):
    """A field, its name in its class, and its variable."""

    variable: str
    name: str
    field: FieldInfo


class Section(NamedTuple):
    """Some fields of a class."""

    heading: str
    settings: type[Settings]
    fields: list[Named]


def sections() -> Iterator[Section]:
    """Yield the common sections first, then the userbot's, which has required settings, then the others."""
    shown: set[str] = set()
    for heading, settings in (*COMMON, *_of_commands()):
        new = [field for field in fields(settings) if field.variable not in shown]
        shown.update(field.variable for field in new)
        if new:
            yield Section(heading, settings, new)


def fields(settings: type[Settings]) -> list[Named]:
    """Return the fields of a command that a variable can set."""
    return [
        Named(settings.variable(name), name, field)
        for name, field in settings.model_fields.items()
        if not any(isinstance(mark, Positional) for mark in field.metadata)
    ]


def _of_commands() -> Iterator[tuple[str, type[Settings]]]:
    classes = dict.fromkeys(command.settings for command in COMMANDS.values())
    # The userbot's required settings come first.
    for wanted in sorted(classes, key=lambda settings: settings is not UserbotSettings):
        names = [f"`timokha {name}`" for name, command in COMMANDS.items() if command.settings is wanted]
        yield ", ".join(names), wanted
