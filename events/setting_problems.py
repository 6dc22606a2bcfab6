"""Turn pydantic's errors into one short sentence for each setting that is missing or bad, without showing secrets."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from events.errors import SettingsError

MAX_SHOWN = 100
"""Characters of a bad value that an error quotes."""
UNKNOWN_KEY = "unknown_key"
"""pydantic's error type whose message needs no further explanation."""

_URL_SEPARATOR = re.compile(r"(,\s*)(?=[\w+.-]+://)")
"""Separates URLs that each have a scheme, so that a comma in a password does not."""
_USER = re.compile(r"(\w+://).*@", re.DOTALL)
_FORGOTTEN_HOST = re.compile(r"(\w+://[^\s/,:\[\]?#@]+):(?!\d{1,5}(?:[^\w]|$)).*", re.DOTALL)
"""`user:password` without `@host`, which looks like a host and its port."""
_WITHOUT_SCHEME = re.compile(r"(?<![^\s,\[])[^\s@]*:\S+@")
"""`user:password@host` without a scheme, or with a slash missing."""
_PARAMETERS = re.compile(r"(\w+://[^?#]*[?#]).*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """`missing` names the variable if the only problem is that it is required and not set."""

    text: str
    missing: str | None = None


class BadSettings(SettingsError):
    """Some settings are missing or bad."""

    def __init__(self, problems: Sequence[SettingProblem]) -> None:
        super().__init__("; ".join(problem.text for problem in problems))
        self.problems = problems


FindField = Callable[[str], tuple[str, FieldInfo | None]]


def setting_problems(error: ValidationError, field_of: FindField) -> Iterator[SettingProblem]:
    """Return one problem per variable; `field_of` finds the variable and field of a location that pydantic names."""
    for details in error.errors(include_url=False):
        if details["type"] == "default_factory_not_called":
            continue  # its default depends on a setting that has a problem of its own
        if not details["loc"]:
            yield SettingProblem(details["msg"].removeprefix("Value error, "))
        else:
            variable, field = field_of(str(details["loc"][0]))
            missing = variable if details["type"] == "missing" else None
            yield SettingProblem(_problem_text(details, variable, field), missing)


def is_secret(field: FieldInfo) -> bool:
    """Return whether a field's value must not be shown."""
    return "SecretStr" in str(field.annotation)


def without_passwords(text: str) -> str:
    """Return `text` without users, passwords and parameters of the URLs in it."""
    return "".join(_redacted(part) for part in _URL_SEPARATOR.split(text))


def _redacted(part: str) -> str:
    if "://" not in part:
        return _WITHOUT_SCHEME.sub("***@", part)
    shown = _USER.sub(r"\1***@", part)
    return _PARAMETERS.sub(r"\1***", _FORGOTTEN_HOST.sub(r"\1:***", shown))


def _problem_text(details: ErrorDetails, variable: str, field: FieldInfo | None) -> str:
    takes = (field and field.description) or details["msg"]
    if details["type"] == "missing":
        return f"{variable} is missing ({takes})"
    inside = ".".join(str(part) for part in details["loc"][1:] if part != "[key]")
    if details["type"] == UNKNOWN_KEY:
        return f"{variable}: {inside and f'in {inside} '}{details['msg']}"
    got = "***" if field and is_secret(field) else _shown(details["input"])
    if inside and isinstance(details["input"], str | int | float):
        return f"{variable}: {inside} is {got}; {details['msg'].lower()}"
    return f"{variable}: got {got}, it takes {takes}"


def _shown(value: object) -> str:
    """Return the value as it was written, shortened to `MAX_SHOWN`."""
    if isinstance(value, timedelta):
        value = f"{value.total_seconds():g}"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(without_passwords(value) if isinstance(value, str) else value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
