"""Read `timokha.toml`: the value at each place, a key at the top or in a table. What can't be read is one line."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import NamedTuple

from events import dotenv
from events.dotenv import DOTENV
from events.errors import SettingsError
from events.files import absolute, display_path

NAME = Path("timokha.toml")
ELSEWHERE = "TIMOKHA_CONFIG"
"""The variable that names another file than `NAME` in the working directory."""
TABLES = (
    "bridge",
    "demo",
    "doctor",
    "generate",
    "record",
    "replay",
    "sandbox",
    "setup",
    "trace",
    "training",
    "userbot",
)
"""The first words of variables that are tables: `[userbot] prefix` is USERBOT_PREFIX. All others stand at the top."""
_OURS = "timokha_"
"""At the top it is left out: `trace_file` is TIMOKHA_TRACE_FILE."""
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


class Place(NamedTuple):
    """Where a setting stands in the file; `table` is empty at the top."""

    table: str
    key: str

    def __str__(self) -> str:
        return f"{self.table}.{self.key}" if self.table else self.key

    @classmethod
    def of(cls, variable: str) -> "Place":
        """Return the place of the setting that has this variable."""
        table, _, key = variable.lower().partition("_")
        return cls(table, key) if table in TABLES and key else cls("", variable.lower().removeprefix(_OURS))


def path() -> Path:
    """Return where the file is, or would be. Raises SettingsError."""
    named = os.environ.get(ELSEWHERE) or dotenv.values(dotenv.read(DOTENV)).get(ELSEWHERE)
    if not named:
        return absolute(NAME)
    if not Path(named).is_absolute():
        raise SettingsError(f"{ELSEWHERE}: got {named!r}, it takes an absolute path, e.g. /etc/timokha/{NAME}")
    if not Path(named).parent.is_dir():
        raise SettingsError(f"{ELSEWHERE}: there is no folder {Path(named).parent}; create or mount it")
    return Path(named)


def read() -> Mapping[Place, object]:
    """Return the values in the file; none if there is no file. Raises SettingsError."""
    where = path()
    try:
        found = tomllib.loads(where.read_text(encoding="utf-8").removeprefix(dotenv.BOM))
        has_nul = _has_nul(found)
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise SettingsError(f"{title(where)} is not UTF-8 (byte {error.start}); save it in that encoding") from None
    except OSError as error:
        user = f" by user {os.geteuid()}" if isinstance(error, PermissionError) else ""
        raise SettingsError(f"{title(where)} can't be read{user} ({error.strerror}); fix or remove it") from None
    except RecursionError:
        raise SettingsError(f"{title(where)} has tables or arrays nested too deep; no setting needs that") from None
    except ValueError as error:
        raise SettingsError(f"{title(where)}{_problem(str(error))}") from None
    if has_nul:
        raise SettingsError(f"{title(where)} has a NUL character in a text; remove it")
    return dict(_places(found))


def title(where: Path | None = None) -> str:
    """Return what errors call the file. Raises SettingsError."""
    return display_path(where or path())


def text(value: object) -> str:
    """Return a value of the file as it would be written in `.env`."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return json.dumps(value, ensure_ascii=False, default=str)
        case list():
            return ",".join(text(item) for item in value)
        case date() | time():
            return value.isoformat()
    return str(value)


def _places(found: Mapping[str, object]) -> Mapping[Place, object]:
    places: dict[Place, object] = {}
    for key, value in found.items():
        if key in TABLES and isinstance(value, dict):
            places |= {Place(key, inner): one for inner, one in value.items()}
        else:
            places[Place("", key)] = value
    return places


def _has_nul(value: object) -> bool:
    """Return whether a text has the character that no variable, and so no other place, can hold."""
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(_has_nul, value))
        case dict():
            return any(map(_has_nul, value)) or any(map(_has_nul, value.values()))
    return False


def _problem(said: str) -> str:
    """Return what tomllib said, with the line in front."""
    at = _AT_LINE.search(said)
    return f", line {at[1]}: {_AT_LINE.sub('', said)}" if at else f" is no TOML: {said}"
