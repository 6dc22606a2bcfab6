"""Values of settings as the owner writes them: people, times, a time zone, a persona, a language, texts."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from edge.userbot.delays import Delay
from edge.userbot.people import entry, group
from edge.userbot.quiet_hours import QuietHours, time_zone
from edge.userbot.text import clean, trim
from edge.userbot.texts.files import languages
from edge.userbot.triggers import entry as trigger
from events.setting_problems import UNKNOWN_KEY
from events.settings import Json

MAX_PERSONA = 2000
"""Characters: about 500 tokens, half of what a worker reads by default."""


class _Parts:
    """Marks, in a field's annotation, a comma-separated list; `read` reads a part and may raise ValueError."""

    def __init__(self, read: Callable[[str], object]) -> None:
        self._read = read

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._read_all, handler(source))

    def _read_all(self, value: object) -> object:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list):
            return value
        try:
            return tuple(self._read(part) if isinstance(part, str) else part for part in _written(parts))
        except ValueError as error:
            raise PydanticCustomError(UNKNOWN_KEY, "{problem}", {"problem": str(error)}) from None


def _written(parts: list[object]) -> Iterator[object]:
    """Yield what is between the commas, and the numbers of a TOML list, as text."""
    for part in parts:
        if isinstance(part, int) and not isinstance(part, bool):
            yield str(part)
        elif not isinstance(part, str) or part.strip():
            yield part


def _time_zone(name: str) -> str:
    try:
        time_zone(name)
    except ValueError as error:
        raise PydanticCustomError(UNKNOWN_KEY, "{problem}", {"problem": str(error)}) from None
    return name


def _language(tag: str) -> str:
    if tag not in (known := languages()):
        listed = " or ".join(map(repr, known))
        raise PydanticCustomError("language", "input should be {languages}", {"languages": listed})
    return tag


def _choices(texts: object) -> object:
    return [texts] if isinstance(texts, str) else texts


def _persona(text: str) -> str:
    """Return `text` without control characters and white space around it; nothing if none of it can be seen."""
    text = trim(clean(text))
    if len(text) > MAX_PERSONA:
        raise ValueError(f"it has {len(text)} characters")
    return text


def _delay(value: object) -> object:
    """Read a text, or a number of a TOML file."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number and not isinstance(value, str):
        return value
    try:
        return str(Delay.parse(str(value)))
    except ValueError as error:
        raise PydanticCustomError(UNKNOWN_KEY, "{problem}", {"problem": str(error)}) from None


Entries = Annotated[tuple[str, ...], _Parts(entry)]
"""Entries of `People`."""
GroupEntries = Annotated[tuple[str, ...], _Parts(group)]
"""Entries of `People` that name a group, or a topic of one."""
TriggerEntries = Annotated[tuple[str, ...], _Parts(trigger)]
"""Entries of `Triggers`."""
DelayText = Annotated[str, BeforeValidator(_delay)]
"""As `Delay` reads it."""
Spans = Annotated[tuple[QuietHours, ...], _Parts(QuietHours.parse)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
"""The name of one in the IANA database."""
Language = Annotated[str, AfterValidator(_language)]
"""One that there are texts in."""
_Choices = Annotated[tuple[str, ...], BeforeValidator(_choices), Field(min_length=1)]
OwnTexts = Annotated[dict[str, Annotated[dict[str, _Choices], Json()]], Json()]
"""Texts by language and name: one, or several to choose from."""
Persona = Annotated[str, AfterValidator(_persona)]
