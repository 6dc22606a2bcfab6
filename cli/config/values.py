"""Return the value of each setting and where it is set, for display, without secrets."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, SecretStr

from cli.config.other_variables import OTHERS, in_toml, opentelemetry
from cli.config.sections import Named
from events import dotenv
from events.dotenv import Line
from events.errors import SettingsError
from events.files import absolute
from events.setting_problems import is_secret, without_passwords
from events.settings import Settings, SettingSource

Written = tuple[SettingSource, str]

HIDDEN = "***"
DEFAULT = "default"
MAX_SHOWN = 200
_PLAIN_URL = re.compile(r"\w+://\*\*\*@[\w.:\[\]-]+(/[\w%.-]*)?(\?\*\*\*)?", re.ASCII)
"""Matches a URL from which `without_passwords` has removed everything that may be secret."""
_SECRET_NAME = re.compile(r"PASSWORD|HEADERS|TOKEN|SECRET")


class Value(NamedTuple):
    """A variable's value, and where it is set."""

    variable: str
    origin: str
    value: str


def of_settings(settings: type[Settings], fields: Iterable[Named], lines: Sequence[Line]) -> list[Value]:
    """Return the values of a command's fields."""
    written = settings.sources()
    from_file = _from_file(settings, written)
    usual = _usual(settings)
    return [
        _value(settings, field, written=written.get(field.name), from_file=from_file, usual=usual, lines=lines)
        for field in fields
    ]


def of_others(lines: Sequence[Line]) -> list[Value]:
    """Return the variables that are set for compose.yaml, deploy/ and OpenTelemetry."""
    in_dotenv, in_file = dotenv.values(lines), in_toml()
    found = []
    for name in sorted(set(OTHERS) | opentelemetry()):
        for origin, value in (
            (SettingSource.ENVIRONMENT, os.environ.get(name)),
            (SettingSource.DOTENV, in_dotenv.get(name)),
            (SettingSource.TOML, in_file.get(name)),
        ):
            if value:
                hidden = HIDDEN if _SECRET_NAME.search(name) else _shown(without_passwords(value))
                found.append(Value(name, _place(origin, name, lines), hidden))
                break
    return found


def _value(
    settings: type[Settings],
    field: Named,
    *,
    written: Written | None,
    from_file: Mapping[str, object],
    usual: Settings | None,
    lines: Sequence[Line],
) -> Value:
    if field.name in from_file:
        text = _whole(field, _text(from_file[field.name]), usual)
        return Value(field.variable, settings.variable("config"), _shown(text))
    if written:
        origin, text = written
        return Value(field.variable, _place(origin, field.variable, lines), _hidden(field, _whole(field, text, usual)))
    if field.field.is_required():
        return Value(field.variable, "missing", "")
    value = getattr(usual, field.name) if usual else _default(field)
    return Value(field.variable, DEFAULT, _shown(without_passwords(_text(value))))


def _from_file(settings: type[Settings], written: Mapping[str, Written]) -> Mapping[str, object]:
    """Return the settings in the file that TRAINING_CONFIG or the like names."""
    read = getattr(settings, "from_file", None)
    try:
        return read(written["config"][1]) if read and "config" in written else {}
    except SettingsError:
        return {}  # `check` reports it


def _usual(settings: type[Settings]) -> Settings | None:
    """Return the settings as a command would read them, None if they are bad."""
    try:
        return settings.read()
    except SettingsError:
        return None


def _default(field: Named) -> object:
    """Return the default, None if it depends on other settings."""
    return None if field.field.default_factory else field.field.get_default()


def _whole(field: Named, text: str, usual: Settings | None) -> str:
    """Return `text`; a path as it would be read."""
    if usual:
        return usual.absolute_text(field.name, text)
    try:
        return str(absolute(Path(text))) if "Path" in str(field.field.annotation) else text
    except ValueError:
        return text  # `check` reports it


def _place(origin: SettingSource, variable: str, lines: Sequence[Line]) -> str:
    if origin is not SettingSource.DOTENV:
        return str(origin)
    numbers = [line.number for line in lines if line.name.upper() == variable and line.value is not None]
    return f".env:{numbers[-1]}"


def _hidden(field: Named, text: str) -> str:
    shown = without_passwords(text)
    if is_secret(field.field):
        return shown if _PLAIN_URL.fullmatch(shown) else HIDDEN
    if field.variable.endswith("_URL") and "://" not in text and "@" in text:
        return f"{HIDDEN}@{text.rpartition('@')[2]}"
    return _shown(shown)


def _text(value: object) -> str:
    """Return `value` as it would be written in `.env`."""
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    elif isinstance(value, timedelta):
        value = f"{value.total_seconds():g}"
    elif isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, tuple):
        value = ",".join(map(str, value))
    return "" if value is None else str(value)


def _shown(text: str) -> str:
    """Return `text` in one line, cut to MAX_SHOWN characters."""
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
