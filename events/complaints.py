"""What is wrong with settings, one short sentence each, as pydantic found it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from events.errors import SettingsError
from events.secrets import without_passwords

MAX_SHOWN = 100
"""Characters of a bad value that are repeated."""
UNKNOWN_KEY = "unknown_key"
"""pydantic's type of an error that says all by itself."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """`missing`: the variable, if nothing is wrong but that it is needed and not set."""

    text: str
    missing: str | None = None


class BadSettings(SettingsError):
    """Some settings are missing or bad."""

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        super().__init__("; ".join(complaint.text for complaint in complaints))
        self.complaints = complaints


FindField = Callable[[str], tuple[str, FieldInfo | None]]


def complaints(error: ValidationError, field_of: FindField) -> Iterator[Complaint]:
    """Each names a variable; `field_of` finds it by the place that pydantic names."""
    for problem in error.errors(include_url=False):
        if problem["type"] == "default_factory_not_called":
            continue  # it waits for a setting that is complained about
        if not problem["loc"]:
            yield Complaint(problem["msg"].removeprefix("Value error, "))
        else:
            variable, field = field_of(str(problem["loc"][0]))
            missing = variable if problem["type"] == "missing" else None
            yield Complaint(_complaint(problem, variable, field), missing)


def is_secret(field: FieldInfo) -> bool:
    """Return whether a field's value is never shown."""
    return "SecretStr" in str(field.annotation)


def _complaint(problem: ErrorDetails, variable: str, field: FieldInfo | None) -> str:
    takes = (field and field.description) or problem["msg"]
    if problem["type"] == "missing":
        return f"{variable} is missing ({takes})"
    if problem["type"] == UNKNOWN_KEY:
        return f"{variable}: {problem['msg']}"
    got = "***" if field and is_secret(field) else _shown(problem["input"])
    inside = ".".join(str(part) for part in problem["loc"][1:])
    if inside and isinstance(problem["input"], str | int | float):
        return f"{variable}: {inside} is {got}; {problem['msg'].lower()}"
    return f"{variable}: got {got}, it takes {takes}"


def _shown(value: object) -> str:
    """As it was written, or the start of it."""
    if isinstance(value, timedelta):
        value = f"{value.total_seconds():g}"
    text = repr(without_passwords(value) if isinstance(value, str) else value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
