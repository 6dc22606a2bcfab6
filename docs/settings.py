"""Writes docs/settings.md and .env.example from the settings classes: `make docs`."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from cli.commands import COMMANDS
from cli.config.others import OTHERS
from edge.userbot.settings import UserbotSettings
from events.settings import Positional, ProcessSettings, RabbitMQSettings, Settings

ROOT = Path(__file__).parents[1]

COMMON = (
    ("Every command", Settings),
    ("NATS: every command but `trace` and `train`", ProcessSettings),
    ("RabbitMQ", RabbitMQSettings),
)

PAGE = """\
# Settings

Written by `make docs` from the settings classes. Each is an environment variable, a line in `.env` and an option:
`GENERATE_SLOTS=4` is `timokha generate --slots 4`. An option wins over the environment, which wins over `.env`.
An empty variable counts as unset. A bad or missing value ends the command at once, with exit code 2 and one line
that says what it takes."""

EXAMPLE = """\
# Written by `make docs`. Copy to .env and fill in what you need; a commented line shows the default, if there is one.
# docs/settings.md says more. Durations are in seconds."""

Field = tuple[str, FieldInfo]


def sections() -> Iterator[tuple[str, list[Field]]]:
    """Heading → variables, each variable once."""
    told: set[str] = set()
    for heading, settings in (*COMMON, *_of_commands()):
        fields = [(settings.variable(name), field) for name, field in settings.model_fields.items()]
        new = [(variable, field) for variable, field in fields if variable not in told and not _is_positional(field)]
        told.update(variable for variable, _ in new)
        if new:
            yield heading, new


def variables() -> set[str]:
    """Everything that can be set."""
    return {variable for _, fields in sections() for variable, _ in fields} | set(OTHERS)


def page() -> str:
    """docs/settings.md."""
    lines = [PAGE]
    for heading, fields in sections():
        lines += ["", f"## {heading}", "", "| variable | takes | default |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | {_cell(field.description or '')} | {_cell(_shown(field))} |" for name, field in fields]
    lines += ["", "## Read by others", "", "| variable | what it does |", "| --- | --- |"]
    lines += [f"| `{name}` | {text} |" for name, text in OTHERS.items()]
    return "\n".join(lines) + "\n"


def example() -> str:
    """.env.example."""
    lines = [EXAMPLE]
    for heading, fields in sections():
        lines += ["", f"# {heading}".replace("`", "")]
        for name, field in fields:
            lines.append(f"# {field.description}")
            lines.append(f"{name}=" if field.is_required() else f"# {name}={_default(field)}")
    lines += ["", "# Read by others"]
    for name, text in OTHERS.items():
        lines += [f"# {text}".replace("`", ""), f"# {name}="]
    return "\n".join(lines) + "\n"


def _of_commands() -> Iterator[tuple[str, type[Settings]]]:
    classes = dict.fromkeys(command.settings for command in COMMANDS.values())
    # What everybody has to fill in comes first.
    for wanted in sorted(classes, key=lambda settings: settings is not UserbotSettings):
        names = [f"`timokha {name}`" for name, command in COMMANDS.items() if command.settings is wanted]
        yield ", ".join(names), wanted


def _is_positional(field: FieldInfo) -> bool:
    return any(isinstance(mark, Positional) for mark in field.metadata)


def _shown(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = _default(field)
    return f"`{default}`" if default else ""


def _default(field: FieldInfo) -> str:
    """As it would be written; empty where it depends on the machine or on other settings, or is no single word."""
    if field.default_factory:
        return ""
    default = field.get_default()
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, bool):
        return str(default).lower()
    seconds = getattr(default, "total_seconds", None)
    text = f"{seconds():g}" if seconds else str(default)
    is_path = isinstance(default, Path) and default.is_absolute()
    return "" if default is None or is_path or re.search(r"[\s=]", text) else text


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    (ROOT / "docs/settings.md").write_text(page(), encoding="utf-8")
    (ROOT / ".env.example").write_text(example(), encoding="utf-8")
