"""The options of a command, made from the fields of its settings."""

import click
from pydantic.fields import FieldInfo

from events.settings import Positional, Settings


def options(settings: type[Settings]) -> list[click.Parameter]:
    """`--slots` and so on; pydantic judges their values, so that options and variables are judged alike."""
    return [_parameter(name, field, settings.variable(name)) for name, field in settings.model_fields.items()]


def _parameter(name: str, field: FieldInfo, variable: str) -> click.Parameter:
    if any(isinstance(mark, Positional) for mark in field.metadata):
        return click.Argument([name], required=False)
    option = f"--{name.replace('_', '-')}"
    text = f"{field.description}  [env: {variable}]{_default(field.get_default())}"
    if field.annotation is bool:
        return click.Option([f"{option}/--no-{option[2:]}"], default=None, help=text)
    return click.Option([option], help=text)


def _default(default: object) -> str:
    if default is None or repr(default) == "PydanticUndefined":
        return ""
    seconds = getattr(default, "total_seconds", None)
    return f"  [default: {f'{seconds():g}' if seconds else default}]"
